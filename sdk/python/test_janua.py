"""Tests of the SDK, run natively against the generated types of the contract.

``componentize-py --wit-path wit --world policy bindings DIR`` writes these, and
``PYTHONPATH=DIR python3 -m unittest discover sdk/python`` runs the tests.
"""

import unittest

import janua
from janua import types


def _literal(text):
    return [types.Part_Literal(text)]


def _effects(verdict):
    return [effect.value for effect in verdict._verdict.effects]


class Effects(unittest.TestCase):
    def test_a_take_is_complete(self):
        client = types.Part_Reference(0)
        verdict = janua.proceed().take(10, 1000, key=client, otherwise=janua.respond(503, "later"))
        (take,) = _effects(verdict)
        self.assertEqual((take.tokens, take.period_ms, take.burst, take.cost), (10, 1000, 0, 1))
        self.assertEqual(take.key, [client])
        self.assertEqual(take.otherwise.status, 503)
        (bare,) = _effects(janua.proceed().take(1, 1))
        self.assertEqual((bare.key, bare.otherwise.status), ([], 429))

    def test_a_lookup_is_complete(self):
        cookie = types.Part_Reference(0)
        verdict = (
            janua.proceed()
            .cache_lookup()
            .cache_lookup(without=["utm_*"], vary_on=[cookie, ["a", cookie]])
            .cache_lookup(only=["page"], bypass="cookie")
        )
        bare, without, only = _effects(verdict)
        self.assertEqual(bare, types.CacheLookup(types.QueryKey_Whole(), [], None))
        self.assertEqual(without.query, types.QueryKey_Without(["utm_*"]))
        self.assertEqual(without.vary_on, [[cookie], [*_literal("a"), cookie]])
        self.assertEqual((only.query, only.bypass), (types.QueryKey_Only(["page"]), "cookie"))

    def test_a_rule_is_complete(self):
        verdict = janua.proceed().cache_rule("html", "never", browser="no-store").tag("a", " b")
        rule, tag = _effects(verdict)
        expected = types.CacheRule("html", types.Storage_Never(), "no-store", None, None, None, False)
        self.assertEqual(rule, expected)
        self.assertEqual(tag, [*_literal("a"), *_literal(" b")])
        (timed,) = _effects(janua.proceed().cache_rule("js", 60, shared=True))
        self.assertEqual((timed.store, timed.shared), (types.Storage_Seconds(60), True))

    def test_a_purge_names_one_thing(self):
        table = [
            ({"url": "/a"}, types.PurgeScope_Url(_literal("/a"))),
            ({"prefix": "/a/"}, types.PurgeScope_Prefix(_literal("/a/"))),
            ({"tag": "a"}, types.PurgeScope_Tag(_literal("a"))),
            ({}, types.PurgeScope_Site()),
        ]
        for given, scope in table:
            (purge,) = _effects(janua.proceed().purge(**given, soft=True))
            self.assertEqual(purge, types.Purge(scope, True))
        with self.assertRaises(ValueError):
            janua.proceed().purge(url="/", tag="a")

    def test_serve_takes_a_value(self):
        outcome = janua.serve("/index.html")._verdict.outcome
        self.assertEqual(outcome, types.Outcome_Serve(_literal("/index.html")))


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
        words = self._refused(lambda: configured.on_request(["a"]))
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

        words = self._refused(lambda: _configured(Below).on_request(["a"]))
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
            (NoPhase, "subscribes to no phase: set one of request, fetched, missing, response"),
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

        self.assertIsNone(_configured(Sometimes).subscription().response)
        asked = _configured(Sometimes, '{"responses": true}').subscription()
        self.assertIsNotNone(asked.response)

    def test_phases_and_values_hold_what_they_can(self):
        phase = janua.Phase({"path": janua.PATH}, {"client": janua.CLIENT_IP})
        table = [
            (lambda: phase["clinet"], LookupError, "did you mean `client`?"),
            (lambda: janua.Phase({"a": janua.header}), TypeError, "`a` is not an input"),
            (lambda: janua.Phase({"key": janua.PATH}, sensitive=["kee"]), LookupError, "`key`?"),
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
