"""Write a Janua policy in Python.

The contract wants every list filled in, and takes only ``Err`` for an error:
any other exception would end the instance. This module does both, and hands
inputs over by name.
"""

import json

from componentize_py_types import Err
from wit_world.imports import types


def header(name):
    """A request field."""
    return types.Input_Header(name.lower())


def header_present(name):
    """Whether the request has this field."""
    return types.Input_HeaderPresent(name.lower())


def cookie(name):
    """The first cookie of this name."""
    return types.Input_Cookie(name)


def query_parameter(name):
    """The first query parameter of this name, percent-decoded."""
    return types.Input_QueryParameter(name)


def cookie_present(name):
    """Whether the request has a cookie of this name."""
    return types.Input_CookiePresent(name)


def response_header(name):
    """A response field."""
    return types.Input_ResponseHeader(name.lower())


def response_header_present(name):
    """Whether the response has this field."""
    return types.Input_ResponseHeaderPresent(name.lower())


METHOD = types.Input_Method()
SCHEME = types.Input_Scheme()
HOST = types.Input_Host()
PATH = types.Input_Path()
EXTENSION = types.Input_Extension()
QUERY = types.Input_Query()
CLIENT_IP = types.Input_ClientIp()
REQUEST_ID = types.Input_RequestId()
NOW = types.Input_Now()
STATUS = types.Input_Status()
ANSWERED_BY = types.Input_AnsweredBy()


class Phase:
    """What a policy asks for in one phase.

    ``inputs`` are handed over by name and are the key under which a verdict
    may be reused. ``references`` are only pointed at. ``sensitive`` names the
    inputs that are secrets. Other inputs of the contract are in ``types``.
    """

    def __init__(self, inputs=None, references=None, sensitive=()):
        self._inputs = inputs or {}
        self._references = references or {}
        self._names = list(self._inputs)
        self._sensitive = [self._names.index(name) for name in sensitive]

    def __getitem__(self, name):
        """What a value points at: ``self.request["client"]``."""
        if name in self._inputs:
            return types.Part_Input(self._names.index(name))
        return types.Part_Reference(list(self._references).index(name))

    def _contract(self):
        inputs = list(self._inputs.values())
        references = list(self._references.values())
        return types.Phase(inputs, references, self._sensitive)

    def _named(self, values):
        return dict(zip(self._names, values))


class Verdict:
    """What a policy decides, built up step by step. Not reused unless it says so."""

    def __init__(self, outcome):
        self._verdict = types.Verdict(outcome, [], [], types.Reuse_Never(), None)

    def set_header(self, name, *value):
        """Replaces every line of this name by one. An absent value removes the field."""
        return self.edit(types.Edit_SetHeader(types.Header(name, _parts(value))))

    def append_header(self, name, *value):
        """Adds a line."""
        return self.edit(types.Edit_AppendHeader(types.Header(name, _parts(value))))

    def default_header(self, name, *value):
        """Adds a line if there is no such field yet."""
        return self.edit(types.Edit_DefaultHeader(types.Header(name, _parts(value))))

    def remove_header(self, name):
        """Removes every line of this name."""
        return self.edit(types.Edit_RemoveHeader(name))

    def set_path(self, *value):
        """Request only. Replaces the path."""
        return self.edit(types.Edit_SetPath(_parts(value)))

    def set_query(self, *value):
        """Request only. Replaces the query, without ``?``."""
        return self.edit(types.Edit_SetQuery(_parts(value)))

    def set_status(self, status):
        """Response phases only. Replaces the status."""
        return self.edit(types.Edit_SetStatus(status))

    def edit(self, edit):
        """Any edit of the contract."""
        self._verdict.edits.append(edit)
        return self

    def take(
        self,
        tokens,
        period_ms,
        key=(),
        absent=types.AbsentKey.SHARE,
        burst=0,
        cost=1,
        bucket="",
        otherwise=None,
    ):
        """Takes tokens from a bucket of the gateway. Request only. ``otherwise``
        is a ``respond(…)``; without it, 429."""
        refusal = (otherwise or respond(429))._verdict.outcome.value
        parts = _parts(_several(key))
        take = types.Take(bucket, parts, absent, tokens, period_ms, burst, cost, refusal)
        return self.effect(types.Effect_Take(take))

    def cache_lookup(self, query="whole", only=None, without=None, vary_on=(), bypass=None):
        """Says how the response is found in the cache. Request only.

        ``query`` is ``"whole"``, ``"sorted"`` or ``"ignored"``; or give the
        parameters that count by ``only``, or those that do not by ``without``;
        a name may end in ``*``. The values of ``vary_on`` join the key.
        ``bypass`` is a reason to neither look up nor store.
        """
        if only is not None:
            part = types.QueryKey_Only(list(only))
        elif without is not None:
            part = types.QueryKey_Without(list(without))
        else:
            part = _QUERIES[query]()
        values = [_parts(_several(value)) for value in vary_on]
        return self.effect(types.Effect_CacheLookup(types.CacheLookup(part, values, bypass)))

    def cache_rule(
        self,
        name,
        store="by-fields",
        browser=None,
        cdn=None,
        stale_while_revalidate=None,
        stale_if_error=None,
        shared=False,
    ):
        """Says what the cache does with the response. Phase ``fetched`` only.

        ``store`` is ``"by-fields"``, ``"by-fields-or-heuristic"``, ``"never"``
        or a number of seconds.
        """
        span = types.Storage_Seconds(store) if isinstance(store, int) else _STORAGES[store]()
        rule = types.CacheRule(
            name, span, browser, cdn, stale_while_revalidate, stale_if_error, shared
        )
        return self.effect(types.Effect_CacheRule(rule))

    def tag(self, *value):
        """Adds a cache tag; a value with commas or spaces adds several. Phase
        ``fetched`` only."""
        return self.effect(types.Effect_Tag(_parts(value)))

    def purge(self, url=None, prefix=None, tag=None, soft=False):
        """Purges one of these or, with none of them, all of this site; softly
        it becomes stale instead of going away. Phases ``request`` and
        ``response``."""
        kinds = (types.PurgeScope_Url, types.PurgeScope_Prefix, types.PurgeScope_Tag)
        given = [
            kind(_parts(_several(value)))
            for kind, value in zip(kinds, (url, prefix, tag))
            if value is not None
        ]
        if len(given) > 1:
            raise ValueError("purge takes one of url, prefix and tag")
        scope = given[0] if given else types.PurgeScope_Site()
        return self.effect(types.Effect_Purge(types.Purge(scope, soft)))

    def effect(self, effect):
        """Any effect of the contract."""
        self._verdict.effects.append(effect)
        return self

    def until_reload(self):
        """The same inputs give this verdict until the configuration changes."""
        self._verdict.reuse = types.Reuse_UntilReload()
        return self

    def for_seconds(self, seconds):
        """The same inputs give this verdict for so many seconds."""
        self._verdict.reuse = types.Reuse_Seconds(seconds)
        return self

    def note(self, note):
        """A short word for the access log, said each time."""
        self._verdict.note = note
        return self


def proceed():
    """Goes on."""
    return Verdict(types.Outcome_Proceed())


def respond(status, text=None, headers=None):
    """Ends here with this response."""
    fields = [types.Header(name, _parts([value])) for name, value in (headers or {}).items()]
    body = types.Content_Empty()
    if text is not None:
        body = types.Content_Text(text)
        if not any(field.name.lower() == "content-type" for field in fields):
            plain = _parts(["text/plain; charset=utf-8"])
            fields.append(types.Header("content-type", plain))
    return Verdict(types.Outcome_Respond(types.Reply(status, fields, body)))


def serve(*path):
    """Phase ``missing`` only: serves this path of the same target instead."""
    return Verdict(types.Outcome_Serve(_parts(path)))


def _parts(value):
    return [types.Part_Literal(part) if isinstance(part, str) else part for part in value]


def _several(value):
    """A value of several parts is given as a list or tuple."""
    return value if isinstance(value, (list, tuple)) else [value]


_QUERIES = {
    "whole": types.QueryKey_Whole,
    "sorted": types.QueryKey_Sorted,
    "ignored": types.QueryKey_Ignored,
}
_STORAGES = {
    "by-fields": types.Storage_ByFields,
    "by-fields-or-heuristic": types.Storage_ByFieldsOrHeuristic,
    "never": types.Storage_Never,
}


class Policy:
    """What an author derives from.

    ``__init__`` reads the configuration, refuses it by raising, and sets
    ``request``, ``fetched``, ``missing`` or ``response`` to a ``Phase`` to take
    part in it. The hooks get the inputs by name, ``None`` where one is absent.
    """

    name = "policy"
    version = "0.0.0"
    summary = ""
    config_schema = None

    request = None
    fetched = None
    missing = None
    response = None

    def on_request(self, inputs):
        """A verdict on a request."""
        raise NotImplementedError("on_request")

    def on_fetched(self, inputs):
        """A verdict on an answer of the target, before the cache stores it."""
        raise NotImplementedError("on_fetched")

    def on_missing(self, inputs):
        """A verdict when the target has no such thing."""
        raise NotImplementedError("on_missing")

    def on_response(self, inputs):
        """A verdict on a delivery."""
        raise NotImplementedError("on_response")


def export(policy_type):
    """The two classes that a component must have in its module ``policies``:
    ``Policies, Policy = export(MyPolicy)``."""

    class Exported:
        def __init__(self, policy):
            self._policy = policy

        @classmethod
        def configure(cls, config):
            def configure():
                document = json.loads(config.strip() or "{}")
                return cls(policy_type({} if document is None else document))

            return _safely(configure)

        def subscription(self):
            phases = (getattr(self._policy, name) for name in _PHASES)
            return types.Subscription(*(phase and phase._contract() for phase in phases))

        def on_request(self, inputs):
            return self._decide("request", self._policy.on_request, inputs)

        def on_fetched(self, inputs):
            return self._decide("fetched", self._policy.on_fetched, inputs)

        def on_missing(self, inputs):
            return self._decide("missing", self._policy.on_missing, inputs)

        def on_response(self, inputs):
            return self._decide("response", self._policy.on_response, inputs)

        def _decide(self, phase, hook, inputs):
            def decide():
                verdict = hook(getattr(self._policy, phase)._named(inputs))
                if not isinstance(verdict, Verdict):
                    raise TypeError(f"the phase {phase} gave no verdict")
                return verdict._verdict

            return _safely(decide)

    class Policies:
        def describe(self):
            return types.Description(
                policy_type.name,
                policy_type.version,
                policy_type.summary,
                policy_type.config_schema,
            )

    return Policies, Exported


_PHASES = ("request", "fetched", "missing", "response")


def _safely(run):
    try:
        return run()
    except Err:
        raise
    except Exception as error:
        raise Err(str(error) or type(error).__name__) from error
