"""Tests of the SDK, run natively against the generated types of the contract.

``componentize-py --wit-path wit --world policy-with-secrets bindings DIR`` writes these, and
``PYTHONPATH=DIR python3 -m unittest discover sdk/python`` runs the tests.
"""

import pathlib
import re
import unittest
from unittest import mock

import janua
from janua import effects, may, subscriptions, uses, values, verdicts


def _literal(text):
    return [values.Part_Literal(text)]


def _effects(verdict):
    return [effect.value for effect in verdict.contract.effects]


class Effects(unittest.TestCase):
    def test_a_take_is_complete(self):
        client = values.Part_Reference(0)
        verdict = janua.proceed().take(10, 1000, key=client, otherwise=janua.respond(503, "later"))
        (take,) = _effects(verdict)
        share = effects.AbsentKey.SHARE
        self.assertEqual(take.bucket, effects.Bucket("", [client], share, 10, 1000, 0))
        self.assertEqual(take.cost, effects.Cost_Tokens(1))
        self.assertEqual(take.otherwise.status, 503)
        (bare,) = _effects(janua.proceed().take(1, 1))
        self.assertEqual((bare.bucket.key, bare.otherwise.status), ([], 429))

    def test_a_cost_may_be_measured(self):
        size = values.Part_Reference(0)
        cost = janua.measured(size, most=100)
        take, charge = _effects(
            janua.proceed()
            .take(5, 1, cost=cost, absent="skip", bucket="b", burst=2)
            .charge(5, 1, cost=cost, absent="skip", bucket="b", burst=2, debt=9)
        )
        expected = effects.Cost_Measured(effects.Measure([size], 1, 100))
        self.assertEqual((take.cost, charge.cost), (expected, expected))
        self.assertEqual(take.bucket, effects.Bucket("b", [], effects.AbsentKey.SKIP, 5, 1, 2))
        self.assertEqual((charge.bucket, charge.debt), (take.bucket, 9))

    def test_places_are_complete(self):
        (places,) = _effects(janua.proceed().concurrency(2, key=["a", "b"], name="n"))
        self.assertEqual(places.key, [*_literal("a"), *_literal("b")])
        self.assertEqual((places.name, places.most, places.otherwise.status), ("n", 2, 429))

    def test_a_check_is_complete(self):
        body = values.Part_Reference(0)
        (check,) = _effects(
            janua.proceed().verify("hook", "HS256", body, "ab", prefix="sha256=", encoding="base64")
        )
        refusal = values.Reply(401, [], values.Content_Empty())
        base64 = effects.Encoding.BASE64
        expected = ("hook", "HS256", [body], _literal("ab"), base64, "sha256=", refusal)
        self.assertEqual(check, effects.Verify(*expected))

    def test_upstreams_and_bans(self):
        client = values.Part_Reference(0)
        choice, split, drawn, ban = _effects(
            janua.proceed()
            .choose_upstream("canary")
            .split({"stable": 95, "canary": 5}, sticky=client)
            .split({"stable": 1})
            .ban(client, for_seconds=600, reason="login", after=5)
        )
        self.assertEqual(choice, "canary")
        shares = [effects.Weighted("stable", 95), effects.Weighted("canary", 5)]
        self.assertEqual(split, effects.Split(shares, [client]))
        self.assertIsNone(drawn.sticky)
        self.assertEqual(ban, effects.Ban([client], 5, 60, 600, "login"))

    def test_a_lookup_is_complete(self):
        cookie = values.Part_Reference(0)
        verdict = (
            janua.proceed()
            .cache_lookup()
            .cache_lookup(without=["utm_*"], vary_on=[cookie, ["a", cookie]])
            .cache_lookup(only=["page"], bypass="cookie")
        )
        bare, without, only = _effects(verdict)
        self.assertEqual(bare, effects.CacheLookup(effects.QueryKey_Whole(), [], None))
        self.assertEqual(without.query, effects.QueryKey_Without(["utm_*"]))
        self.assertEqual(without.vary_on, [[cookie], [*_literal("a"), cookie]])
        self.assertEqual((only.query, only.bypass), (effects.QueryKey_Only(["page"]), "cookie"))

    def test_a_rule_is_complete(self):
        verdict = janua.proceed().cache_rule("html", "never", browser="no-store").cache_tag("a", " b")
        rule, tag = _effects(verdict)
        expected = effects.CacheRule("html", effects.Storage_Never(), "no-store", None, None, None, False)
        self.assertEqual(rule, expected)
        self.assertEqual(tag, [*_literal("a"), *_literal(" b")])
        (timed,) = _effects(janua.proceed().cache_rule("js", 60, shared=True))
        self.assertEqual((timed.store, timed.shared), (effects.Storage_Seconds(60), True))

    def test_a_purge_names_one_thing(self):
        table = [
            ({"url": "/a"}, effects.PurgeScope_Url(_literal("/a"))),
            ({"prefix": "/a/"}, effects.PurgeScope_Prefix(_literal("/a/"))),
            ({"tag": "a"}, effects.PurgeScope_Tagged(_literal("a"))),
            ({}, effects.PurgeScope_Site()),
        ]
        for given, scope in table:
            (purge,) = _effects(janua.proceed().purge(**given, soft=True))
            self.assertEqual(purge, effects.Purge(scope, True))
        with self.assertRaises(ValueError):
            janua.proceed().purge(url="/", tag="a")

    def test_serve_takes_a_value(self):
        outcome = janua.serve("/index.html").contract.outcome
        self.assertEqual(outcome, verdicts.Outcome_Serve(_literal("/index.html")))


class Verdicts(unittest.TestCase):
    def test_edits_of_the_response_are_apart(self):
        verdict = (
            janua.proceed()
            .set_variable("tier", "gold")
            .append_response_header("set-cookie", "a=", "b")
            .remove_response_header("server")
            .set_response_status(202)
        ).contract
        self.assertEqual(
            verdict.edits,
            [verdicts.Edit_SetVariable(verdicts.Variable("tier", _literal("gold")))],
        )
        cookie = values.Header("set-cookie", [*_literal("a="), *_literal("b")])
        self.assertEqual(
            verdict.response_edits,
            [
                verdicts.Edit_AppendHeader(cookie),
                verdicts.Edit_RemoveHeader("server"),
                verdicts.Edit_SetStatus(202),
            ],
        )

    def test_a_verdict_says_how_long_it_holds(self):
        younger = janua.named_constant("later", of="a")
        table = [
            (janua.proceed(), verdicts.Reuse_Never()),
            (janua.proceed().until_reload(), verdicts.Reuse_UntilReload()),
            (janua.proceed().for_seconds(5), verdicts.Reuse_Seconds(5)),
            (janua.proceed().until(1700000000.9), verdicts.Reuse_Until(1700000000)),
            (janua.proceed().reuse(younger), verdicts.Reuse_Named(younger)),
        ]
        for verdict, reuse in table:
            self.assertEqual(verdict.contract.reuse, reuse)

    def test_annotations_are_values(self):
        user = values.Part_Input(0)
        verdict = janua.proceed().annotate("user", "u-", user).note("ok").contract
        self.assertEqual(
            verdict.annotations,
            [
                verdicts.Annotation("user", [*_literal("u-"), user]),
                verdicts.Annotation("note", _literal("ok")),
            ],
        )

    def test_a_response_has_one_body_and_its_type(self):
        text, coded, raw = (
            janua.respond(200, text="a").reply,
            janua.respond(200, json={"a": 1}, headers={"Content-Type": "application/b"}).reply,
            janua.respond(200, body=b"a").reply,
        )
        self.assertEqual(text.body, values.Content_Text("a"))
        self.assertEqual(text.headers[0].value, _literal("text/plain; charset=utf-8"))
        self.assertEqual(coded.body, values.Content_Text('{"a": 1}'))
        self.assertEqual(coded.headers, [values.Header("Content-Type", _literal("application/b"))])
        self.assertEqual((raw.body, raw.headers), (values.Content_Bytes(b"a"), []))
        with self.assertRaisesRegex(ValueError, "one body, not text and json"):
            janua.respond(200, text="a", json=1)

    def test_younger_cases_have_names(self):
        part = values.Part_Input(0)
        younger = janua.named(
            "later",
            text="a",
            number=-1,
            flag=True,
            texts=["a"],
            value=("a", part),
            values=[("a",), part],
            reply=janua.respond(503),
        )
        arguments = [argument.value for argument in younger.arguments]
        self.assertEqual(
            arguments,
            [
                values.Argument_Text("a"),
                values.Argument_Number(-1),
                values.Argument_Flag(True),
                values.Argument_Texts(["a"]),
                values.Argument_Value([*_literal("a"), part]),
                values.Argument_Values([_literal("a"), [part]]),
                values.Argument_Reply(values.Reply(503, [], values.Content_Empty())),
            ],
        )
        verdict = janua.outcome(younger).edit(younger).response_edit(younger).effect(younger)
        contract = verdict.contract
        self.assertEqual(contract.outcome, verdicts.Outcome_Named(younger))
        self.assertEqual(contract.edits, [verdicts.Edit_Named(younger)])
        self.assertEqual(contract.response_edits, [verdicts.Edit_Named(younger)])
        self.assertEqual(contract.effects, [effects.Effect_Named(younger)])
        with self.assertRaisesRegex(TypeError, "`a` is not of the contract: float"):
            janua.named("x", a=1.5)


class Declarations(unittest.TestCase):
    def test_a_subscription_is_complete(self):
        class Full(janua.Policy):
            owns = ["x-auth-*"]
            variables = ["tier"]
            more = {"later": {"most": 3}}

            def __init__(self, config):
                self.uses = [uses.secret("a"), uses.dataset("b"), uses.outbound("c"), uses.upstream("d")]
                self.finished = janua.Phase(references={"bytes": janua.RESPONSE_BODY_SIZE})
                self.request = janua.Phase(
                    {"key": janua.header("X-Key")},
                    {"client": janua.CLIENT_IP},
                    sensitive=["key"],
                    may=[may.RESPOND, may.edit_header("X-From"), may.effect("take")],
                )

            def on_request(self, inputs):
                return janua.proceed().note(str(inputs))

            def on_finished(self, inputs):
                return janua.proceed().annotate("bytes", self.finished["bytes"])

        configured = _configured(Full)
        self.assertEqual(
            configured.subscription(),
            subscriptions.Subscription(
                [
                    subscriptions.Phase(
                        "request",
                        [subscriptions.Input_Header("x-key")],
                        [subscriptions.Input_ClientIp()],
                        [0],
                        ["respond", "edit:header:x-from", "effect:take"],
                    ),
                    subscriptions.Phase(
                        "finished", [], [subscriptions.Input_ResponseBodySize()], [], []
                    ),
                ],
                ["x-auth-*"],
                ["tier"],
                ["secret:a", "dataset:b", "outbound:c", "upstream:d"],
                [janua.named_constant("later", most=3)],
            ),
        )
        (note,) = configured.decide(0, [None]).annotations
        self.assertEqual(note.value, _literal("{'key': None}"))
        (size,) = configured.decide(1, []).annotations
        self.assertEqual(size.value, [values.Part_Reference(0)])

    def test_the_key_of_a_lookup_is_a_reference_once(self):
        phase = janua.Phase(
            {"country": janua.lookup("geo", janua.CLIENT_IP, "country.iso_code")},
            {
                "host": janua.HOST,
                "ip": janua.CLIENT_IP,
                "name": janua.lookup("names", janua.header("x-name")),
                "network": janua.lookup("nets", janua.CLIENT_IP),
            },
        )
        contract = phase.contract("request")
        lookup = lambda *given: subscriptions.Input_Lookup(subscriptions.Lookup(*given))
        self.assertEqual(contract.inputs, [lookup("geo", 1, "country.iso_code")])
        self.assertEqual(
            contract.references,
            [
                janua.HOST,
                janua.CLIENT_IP,
                lookup("names", 4, ""),
                lookup("nets", 1, ""),
                janua.header("x-name"),
            ],
        )
        self.assertEqual(phase["network"], values.Part_Reference(3))
        with self.assertRaisesRegex(TypeError, "the key of a lookup is not an input"):
            janua.Phase({"a": janua.lookup("geo", "1.2.3.4")}).contract("request")

    def test_all_of_the_contract_is_here(self):
        wit = pathlib.Path(__file__).parents[2] / "wit"

        def cases(file, variant):
            text = (wit / f"{file}.wit").read_text()
            body = text.split(f"variant {variant} {{")[1].split("\n    }")[0]
            found = re.findall(r"^ {8}([a-z0-9-]+)(?:\(.*\))?,$", body, re.M)
            return [name.replace("-", "_") for name in found if name != "named"]

        inputs = cases("subscriptions", "input")
        self.assertGreater(len(inputs), 50)
        for name in inputs:
            self.assertTrue(hasattr(janua, name) or hasattr(janua, name.upper()), name)
        for name in [*cases("effects", "effect"), *cases("verdicts", "edit")]:
            self.assertTrue(hasattr(janua.Verdict, name), name)


class Calls(unittest.TestCase):
    """The interfaces of the gateway exist only in a component."""

    def test_texts_are_encoded(self):
        from janua import secrets

        with mock.patch("wit_world.imports.signatures.verify") as verify:
            secrets.verify("s", "HS256", "é", b"x", key_id="k")
        verify.assert_called_once_with("s", "HS256", "k", b"\xc3\xa9", b"x")
        with mock.patch("wit_world.imports.seal.seal", return_value="sealed") as seal:
            self.assertEqual(secrets.seal("s", "p", b"a"), "sealed")
        seal.assert_called_once_with("s", "p", b"a")

    def test_an_error_has_a_message_and_a_code(self):
        from wit_world.imports import datasets as contract
        from wit_world.imports import signatures

        from janua import datasets, secrets

        gone = janua.Err(contract.Error_UnknownDataset())
        with mock.patch("wit_world.imports.datasets.find", side_effect=gone):
            with self.assertRaises(datasets.CallError) as caught:
                datasets.find("d", "k")
        self.assertEqual((str(caught.exception), caught.exception.code), ("find: unknown-dataset", "unknown-dataset"))
        later = janua.Err(signatures.Error_Unavailable("later"))
        with mock.patch("wit_world.imports.signatures.sign", side_effect=later):
            with self.assertRaisesRegex(secrets.CallError, "^sign: unavailable: later$"):
                secrets.sign("s", "HS256", "")

    def test_an_error_that_is_no_text_does_not_leave_a_hook(self):
        from wit_world.imports import seal

        class Bare(_Try):
            def on_request(self, inputs):
                raise janua.Err(seal.Error_WrongKey())

        with self.assertRaises(janua.Err) as caught:
            _configured(Bare).decide(0, ["a"])
        line = Bare.on_request.__code__.co_firstlineno + 1
        words = f"Err: Error_WrongKey() (test_janua.py, line {line})"
        self.assertEqual(caught.exception.value, words)

    def test_lines_have_their_level(self):
        from janua import log

        with mock.patch("wit_world.imports.log.log") as write:
            log.warn(1)
        self.assertEqual(write.call_args.args[0].name, "WARN")
        self.assertEqual(write.call_args.args[1], "1")


def _configured(policy_type, config="{}"):
    _, exported = janua.export(policy_type)
    return exported.configure(config)


class _Try(janua.Policy):
    def __init__(self, config):
        self.request = janua.Phase({"id": janua.header("x-id")}, {"client": janua.CLIENT_IP})
        if "refuse" in config:
            raise janua.ConfigError("`refuse`: not this one")
        if "fault" in config:
            int(config["fault"])

    def on_request(self, inputs):
        return janua.proceed().set_header("x-id", inputs["idd"])


class Errors(unittest.TestCase):
    def _refused(self, run):
        with self.assertRaises(janua.Err) as caught:
            run()
        return caught.exception.value

    def test_a_refusal_is_in_the_policys_words(self):
        words = self._refused(lambda: _configured(_Try, '{"refuse": 1}'))
        self.assertEqual(words, "`refuse`: not this one")

    def test_a_fault_has_its_type_and_line(self):
        configured = _configured(_Try)
        line = _Try.on_request.__code__.co_firstlineno + 1
        words = self._refused(lambda: configured.decide(0, ["a"]))
        self.assertEqual(words, f"KeyError: 'idd' (test_janua.py, line {line})")
        words = self._refused(lambda: _configured(_Try, '{"fault": "x"}'))
        line = _Try.__init__.__code__.co_firstlineno + 5
        self.assertEqual(
            words,
            "ValueError: invalid literal for int() with base 10: 'x'"
            f" (test_janua.py, line {line})",
        )

    def test_an_error_below_has_the_line_in_the_policy(self):
        class Below(_Try):
            def on_request(self, inputs):
                return janua.proceed().cache_lookup(query="hole")

        words = self._refused(lambda: _configured(Below).decide(0, ["a"]))
        line = Below.on_request.__code__.co_firstlineno + 1
        self.assertEqual(
            words,
            f"ValueError: query: unknown word `hole`; did you mean `whole`? (test_janua.py, line {line})",
        )
        words = self._refused(lambda: _configured(_Try, "nonsense"))
        self.assertEqual(words, "JSONDecodeError: Expecting value: line 1 column 1 (char 0)")

    def test_what_nothing_reads_is_refused(self):
        def changed(**names):
            class Changed(_Try):
                def __init__(self, config):
                    super().__init__(config)
                    for name, value in names.items():
                        setattr(self, name, value)

            return Changed

        class Hook(_Try):
            def on_respons(self, inputs):
                return janua.proceed()

        class Beside(_Try):
            def on_requests(self, inputs):
                return janua.proceed()

        class NoHook(janua.Policy):
            def __init__(self, config):
                self.request = janua.Phase()

        class NoPhase(janua.Policy):
            def __init__(self, config):
                pass

            def on_response(self, inputs):
                return janua.proceed()

        table = [
            (changed(requests=janua.Phase()), "no phase `requests`; did you mean `request`?"),
            (changed(request={"a": janua.PATH}), "`request` is not a Phase"),
            (Hook, "no hook `on_respons`; did you mean `on_response`?"),
            (Beside, "no hook `on_requests`; did you mean `on_request`?"),
            (NoHook, "the phase `request` is set and `on_request` is missing"),
            (NoPhase, "subscribes to no phase: set one of request, fetched, missing, response, finished"),
        ]
        for policy_type, words in table:
            self.assertIn(words, self._refused(lambda: _configured(policy_type)))

    def test_phases_may_depend_on_the_configuration(self):
        class Sometimes(_Try):
            def __init__(self, config):
                super().__init__(config)
                if config.get("responses"):
                    self.response = janua.Phase()

            def on_response(self, inputs):
                return janua.proceed()

            def on_something(self):
                return None

            def on_request_of_a_bot(self):
                return None

        def phases(config):
            return [phase.name for phase in _configured(Sometimes, config).subscription().phases]

        self.assertEqual(phases("{}"), ["request"])
        self.assertEqual(phases('{"responses": true}'), ["request", "response"])

    def test_phases_and_values_hold_what_they_can(self):
        phase = janua.Phase({"path": janua.PATH}, {"client": janua.CLIENT_IP})
        table = [
            (lambda: phase["clinet"], LookupError, "did you mean `client`?"),
            (lambda: janua.Phase({"a": janua.header}), TypeError, "`a` is not an input"),
            (lambda: janua.Phase({"key": janua.PATH}, sensitive=["kee"]), LookupError, "`key`?"),
            (lambda: janua.Phase(may="respond"), TypeError, "may: expected a list of texts"),
            (lambda: janua.proceed().take(1, 1, absent="deny"), ValueError, "share, refuse, skip"),
            (lambda: janua.proceed().take(1, 1, otherwise=503), TypeError, "expected a respond"),
            (
                lambda: janua.proceed().verify("s", "HS256", "", "", encoding="base46"),
                ValueError,
                "did you mean `base64`?",
            ),
            (lambda: janua.proceed().set_header("x-a", None), TypeError, "not NoneType"),
            (lambda: janua.proceed().cache_rule("a", "no"), ValueError, "unknown word `no`"),
            (
                lambda: janua.proceed().cache_lookup(only=["a"], without=["b"]),
                ValueError,
                "one of only and without",
            ),
        ]
        for run, kind, words in table:
            with self.assertRaises(kind) as caught:
                run()
            self.assertIn(words, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
