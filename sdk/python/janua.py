"""Write a Janua policy in Python.

The contract requires all lists, and ``Err`` for an error: any other exception would
end the instance. This module does both, and passes inputs by name.

A misspelt phase or hook is refused, as is a policy without a phase, because it would
silently do nothing.
"""

import difflib
import json
import os
import traceback

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


class ConfigError(Exception):
    """Raised to refuse a configuration. The operator gets only the message, whereas for
    other exceptions the type and the line in the policy's code are added."""


class Phase:
    """The inputs and references of a policy in one phase.

    ``inputs`` are passed by name and form the key under which a verdict is cached.
    ``references`` are only used in values. ``sensitive`` names the inputs that are
    secrets. Other inputs of the contract are in ``types``.
    """

    def __init__(self, inputs=None, references=None, sensitive=()):
        self._inputs = inputs or {}
        self._references = references or {}
        self._names = list(self._inputs)
        for name, asked in [*self._inputs.items(), *self._references.items()]:
            if not type(asked).__name__.startswith("Input_"):
                raise TypeError(f"`{name}` is not an input: write header(…), PATH and the like")
        for name in sensitive:
            if name not in self._inputs:
                raise LookupError(f"sensitive: no input `{name}`; {_instead(name, self._names)}")
        self._sensitive = [self._names.index(name) for name in sensitive]

    def __getitem__(self, name):
        """An input or reference as part of a value: ``self.request["client"]``."""
        if name in self._inputs:
            return types.Part_Input(self._names.index(name))
        references = list(self._references)
        if name not in references:
            raise LookupError(f"no input `{name}`; {_instead(name, self._names + references)}")
        return types.Part_Reference(references.index(name))

    def _contract(self):
        inputs = list(self._inputs.values())
        references = list(self._references.values())
        return types.Phase(inputs, references, self._sensitive)

    def _named(self, values):
        return dict(zip(self._names, values))


class Verdict:
    """The decision of a policy. It is reused only after ``until_reload`` or
    ``for_seconds``."""

    def __init__(self, outcome):
        self._verdict = types.Verdict(outcome, [], [], types.Reuse_Never(), None)

    def set_header(self, name, *value):
        """Replaces all lines of the field by one. An absent value removes the field."""
        return self.edit(types.Edit_SetHeader(types.Header(name, _parts(value))))

    def append_header(self, name, *value):
        """Adds a line of the field."""
        return self.edit(types.Edit_AppendHeader(types.Header(name, _parts(value))))

    def default_header(self, name, *value):
        """Adds the field if there is no line of it."""
        return self.edit(types.Edit_DefaultHeader(types.Header(name, _parts(value))))

    def remove_header(self, name):
        """Removes all lines of the field."""
        return self.edit(types.Edit_RemoveHeader(name))

    def set_path(self, *value):
        """Replaces the path. Phase ``request`` only.

        The inputs ``path`` and ``original-path`` go in as they are, others as a part of one
        segment: ``/`` as ``%2F``. Text that the policy makes itself is not encoded.
        """
        return self.edit(types.Edit_SetPath(_parts(value)))

    def set_query(self, *value):
        """Replaces the query, without ``?``. Phase ``request`` only.

        The inputs ``query``, ``original-query`` and ``raw-query-parameter`` go in as they
        are, others as the value of one parameter: ``&`` as ``%26``.
        """
        return self.edit(types.Edit_SetQuery(_parts(value)))

    def set_status(self, status):
        """Replaces the status. Not in the phase ``request``."""
        return self.edit(types.Edit_SetStatus(status))

    def edit(self, edit):
        """Adds any edit of the contract."""
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
        """Takes tokens from a token bucket of the gateway. ``otherwise`` is the response
        if there are not enough, as a ``respond(…)``; by default a 429. Phase ``request``
        only."""
        refusal = (otherwise or respond(429))._verdict.outcome.value
        parts = _parts(_several(key))
        take = types.Take(bucket, parts, absent, tokens, period_ms, burst, cost, refusal)
        return self.effect(types.Effect_Take(take))

    def cache_lookup(self, query="whole", only=None, without=None, vary_on=(), bypass=None):
        """Sets the cache key of the request. Phase ``request`` only.

        The part of the query in the key is ``query``: ``"whole"``, ``"sorted"`` or
        ``"ignored"``; or only the parameters in ``only``; or all without those in
        ``without``. A name may end in ``*``. The values of ``vary_on`` are added to the
        key. ``bypass`` is a reason to neither look up nor store.
        """
        if only is not None and without is not None:
            raise ValueError("cache_lookup takes one of only and without")
        if only is not None:
            part = types.QueryKey_Only(list(only))
        elif without is not None:
            part = types.QueryKey_Without(list(without))
        else:
            part = _word("query", query, _QUERIES)()
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
        """Sets whether and for how long the response is stored. Phase ``fetched`` only.

        ``store`` is ``"by-fields"``, ``"by-fields-or-heuristic"``, ``"never"``
        or a number of seconds.
        """
        span = types.Storage_Seconds(store) if isinstance(store, int) else _word("store", store, _STORAGES)()
        rule = types.CacheRule(
            name, span, browser, cdn, stale_while_revalidate, stale_if_error, shared
        )
        return self.effect(types.Effect_CacheRule(rule))

    def tag(self, *value):
        """Adds the cache tags in this value, separated by commas or spaces. Phase
        ``fetched`` only."""
        return self.effect(types.Effect_Tag(_parts(value)))

    def purge(self, url=None, prefix=None, tag=None, soft=False):
        """Purges the stored responses of a URL, a prefix of paths or a tag, or by default
        all of this site. With ``soft`` they become stale instead of being removed. Phases
        ``request`` and ``response``."""
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
        """Adds any effect of the contract."""
        self._verdict.effects.append(effect)
        return self

    def until_reload(self):
        """Allows reuse for the same inputs until the configuration changes."""
        self._verdict.reuse = types.Reuse_UntilReload()
        return self

    def for_seconds(self, seconds):
        """Allows reuse for the same inputs for this many seconds."""
        self._verdict.reuse = types.Reuse_Seconds(seconds)
        return self

    def note(self, note):
        """Sets a short text for the access log, written also when the verdict is reused."""
        self._verdict.note = note
        return self


def proceed():
    """The exchange continues."""
    return Verdict(types.Outcome_Proceed())


def respond(status, text=None, headers=None):
    """Ends the request with this response. In the phases ``fetched`` and ``response`` it
    replaces the response."""
    fields = [types.Header(name, _parts([value])) for name, value in (headers or {}).items()]
    body = types.Content_Empty()
    if text is not None:
        body = types.Content_Text(text)
        if not any(field.name.lower() == "content-type" for field in fields):
            plain = _parts(["text/plain; charset=utf-8"])
            fields.append(types.Header("content-type", plain))
    return Verdict(types.Outcome_Respond(types.Reply(status, fields, body)))


def serve(*path):
    """Serves this path of the same target instead. Phase ``missing`` only."""
    return Verdict(types.Outcome_Serve(_parts(path)))


def _parts(value):
    return [_part(part) for part in value]


def _part(part):
    if isinstance(part, str):
        return types.Part_Literal(part)
    if type(part).__name__.startswith("Part_"):
        return part
    kind = type(part).__name__
    raise TypeError(f"a value consists of texts, inputs and references, not {kind}")


def _word(what, word, words):
    if word not in words:
        raise ValueError(f"{what}: unknown word `{word}`; {_instead(word, words)}")
    return words[word]


def _instead(given, names):
    """Suggests the most similar name, or lists all if none is similar."""
    near = difflib.get_close_matches(str(given), names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names) or 'none'}"


def _several(value):
    """The parts of a value, which is a list or tuple if it has several."""
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
    """The base class of a policy.

    ``__init__`` reads the configuration, and raises ``ConfigError`` to refuse it. It
    subscribes to a phase by setting ``request``, ``fetched``, ``missing`` or
    ``response`` to a ``Phase``. The hooks get the inputs by name; an absent one is
    ``None``.
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
        """The verdict on a request."""
        raise NotImplementedError("on_request")

    def on_fetched(self, inputs):
        """The verdict on a response of the target, before the cache stores it."""
        raise NotImplementedError("on_fetched")

    def on_missing(self, inputs):
        """The verdict when the target does not have the resource."""
        raise NotImplementedError("on_missing")

    def on_response(self, inputs):
        """The verdict on a response before it is delivered."""
        raise NotImplementedError("on_response")


def export(policy_type):
    """Returns the two classes that the module ``policies`` of a component must define:
    ``Policies, Policy = export(MyPolicy)``."""

    class Exported:
        def __init__(self, policy):
            self._policy = policy

        @classmethod
        def configure(cls, config):
            def configure():
                document = json.loads(config.strip() or "{}")
                policy = policy_type({} if document is None else document)
                _check(policy)
                return cls(policy)

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
                    raise TypeError(f"the hook of the phase {phase} returned no verdict")
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


def _check(policy):
    """Refuses a policy without a phase, or with a misspelt phase or hook.

    A hook without its phase is allowed, because the phases may depend on the
    configuration. Other methods are allowed unless their name is similar to that of a
    hook.
    """
    hooks = [f"on_{name}" for name in _PHASES]
    for name, value in vars(policy).items():
        if isinstance(value, Phase) and name not in _PHASES:
            raise AttributeError(f"there is no phase `{name}`; {_instead(name, _PHASES)}")
    for name in dir(policy):
        if name in hooks or not name.startswith("on_"):
            continue
        near = difflib.get_close_matches(name, hooks, n=1, cutoff=0.85)
        if near and callable(getattr(policy, name, None)):
            raise AttributeError(f"there is no hook `{name}`; did you mean `{near[0]}`?")
    for name, hook in zip(_PHASES, hooks):
        phase = getattr(policy, name)
        if phase is not None and not isinstance(phase, Phase):
            raise TypeError(f"`{name}` is not a Phase")
        if phase is not None and not _implements(policy, hook):
            raise AttributeError(f"the phase `{name}` is set and `{hook}` is missing")
    if all(getattr(policy, name) is None for name in _PHASES):
        raise AttributeError(
            f"the policy subscribes to no phase: set one of {', '.join(_PHASES)} to a Phase"
        )


def _implements(policy, hook):
    """Whether the policy implements a hook."""
    return getattr(type(policy), hook) is not getattr(Policy, hook)


def _safely(run):
    try:
        return run()
    except Err:
        raise
    except ConfigError as refusal:
        raise Err(str(refusal)) from refusal
    except Exception as error:
        raise Err(_described(error)) from error


def _described(error):
    """An exception's type and message, and its line in the policy's code."""
    words = type(error).__name__
    if str(error):
        words += f": {error}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_of_policy(frame.filename)]
    if own:
        words += f" ({os.path.basename(own[-1].filename)}, line {own[-1].lineno})"
    return words


def _is_of_policy(filename):
    """Whether a file belongs to the policy: it is neither this one nor in Python's library."""
    return filename != __file__ and os.path.dirname(os.__file__) not in filename and filename[:1] != "<"
