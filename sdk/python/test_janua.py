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


if __name__ == "__main__":
    unittest.main()
