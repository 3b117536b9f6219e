"""The effects of the contract, with defaults. They are documented at the methods of ``Verdict``."""

from wit_world.imports import effects

from janua._values import several
from janua._words import word

_ABSENT = {
    "share": effects.AbsentKey.SHARE,
    "refuse": effects.AbsentKey.REFUSE,
    "skip": effects.AbsentKey.SKIP,
}
_ENCODINGS = {
    "hex": effects.Encoding.HEX,
    "base64": effects.Encoding.BASE64,
    "base64url": effects.Encoding.BASE64URL,
}
_QUERIES = {
    "whole": effects.QueryKey_Whole,
    "sorted": effects.QueryKey_Sorted,
    "ignored": effects.QueryKey_Ignored,
}
_STORAGES = {
    "by-fields": effects.Storage_ByFields,
    "by-fields-or-heuristic": effects.Storage_ByFieldsOrHeuristic,
    "never": effects.Storage_Never,
}


def measured(amount, most, otherwise=1):
    """A cost that the request states: ``amount`` is a value, ``most`` the largest that counts, and
    ``otherwise`` the cost if it is absent or no number."""
    return effects.Cost_Measured(effects.Measure(several(amount), otherwise, most))


def bucket(tokens, period_ms, key, absent, burst, name):
    absence = word("absent", absent, _ABSENT)
    return effects.Bucket(name, several(key), absence, tokens, period_ms, burst)


def cost(given):
    return effects.Cost_Tokens(given) if isinstance(given, int) else given


def concurrency(most, key, absent, name, otherwise):
    absence = word("absent", absent, _ABSENT)
    limit = effects.Concurrency(name, several(key), absence, most, otherwise)
    return effects.Effect_Concurrency(limit)


def verify(secret, algorithm, message, signature, encoding, prefix, otherwise):
    written = word("encoding", encoding, _ENCODINGS)
    check = effects.Verify(
        secret, algorithm, several(message), several(signature), written, prefix, otherwise
    )
    return effects.Effect_Verify(check)


def split(weights, sticky):
    shares = [effects.Weighted(upstream, weight) for upstream, weight in weights.items()]
    return effects.Effect_Split(effects.Split(shares, None if sticky is None else several(sticky)))


def cache_lookup(query, only, without, vary_on, bypass):
    if only is not None and without is not None:
        raise ValueError("cache_lookup takes one of only and without")
    if only is not None:
        part = effects.QueryKey_Only(list(only))
    elif without is not None:
        part = effects.QueryKey_Without(list(without))
    else:
        part = word("query", query, _QUERIES)()
    lookup = effects.CacheLookup(part, [several(value) for value in vary_on], bypass)
    return effects.Effect_CacheLookup(lookup)


def cache_rule(name, store, browser, cdn, stale_while_revalidate, stale_if_error, shared):
    if isinstance(store, int):
        span = effects.Storage_Seconds(store)
    else:
        span = word("store", store, _STORAGES)()
    rule = effects.CacheRule(
        name, span, browser, cdn, stale_while_revalidate, stale_if_error, shared
    )
    return effects.Effect_CacheRule(rule)


def purge(url, prefix, tag, soft):
    kinds = (effects.PurgeScope_Url, effects.PurgeScope_Prefix, effects.PurgeScope_Tagged)
    given = [
        kind(several(value)) for kind, value in zip(kinds, (url, prefix, tag)) if value is not None
    ]
    if len(given) > 1:
        raise ValueError("purge takes one of url, prefix and tag")
    scope = given[0] if given else effects.PurgeScope_Site()
    return effects.Effect_Purge(effects.Purge(scope, soft))


def ban(subject, for_seconds, reason, after, within_seconds):
    banned = effects.Ban(several(subject), after, within_seconds, for_seconds, reason)
    return effects.Effect_Ban(banned)
