"""The verdict of a policy."""

import json as _json

from wit_world.imports import effects, values, verdicts

from janua import _effects
from janua._values import parts


class Verdict:
    """The decision of a policy. It is reused only after ``until_reload``, ``for_seconds`` or
    ``until``."""

    def __init__(self, outcome):
        self.contract = verdicts.Verdict(outcome, [], [], [], verdicts.Reuse_Never(), [])

    # Changes of the head of this phase.

    def set_header(self, name, *value):
        """Replaces all lines of the field by one. An absent value removes the field."""
        return self.edit(_set(name, value))

    def append_header(self, name, *value):
        """Adds a line of the field."""
        return self.edit(_append(name, value))

    def default_header(self, name, *value):
        """Adds the field if there is no line of it."""
        return self.edit(_default(name, value))

    def remove_header(self, name):
        """Removes all lines of the field."""
        return self.edit(verdicts.Edit_RemoveHeader(name))

    def set_path(self, *value):
        """Replaces the path. Phase ``request`` only."""
        return self.edit(verdicts.Edit_SetPath(parts(value)))

    def set_query(self, *value):
        """Replaces the query, without ``?``. Phase ``request`` only."""
        return self.edit(verdicts.Edit_SetQuery(parts(value)))

    def set_status(self, status):
        """Replaces the status. Not in the phase ``request``."""
        return self.edit(verdicts.Edit_SetStatus(status))

    def set_variable(self, name, *value):
        """Sets a variable of this policy. An absent value removes it."""
        return self.edit(verdicts.Edit_SetVariable(verdicts.Variable(name, parts(value))))

    def edit(self, edit):
        """Adds any edit of the contract; a younger one is ``named(…)``."""
        self.contract.edits.append(_younger(edit, verdicts.Edit_Named))
        return self

    # Changes of the response that is finally delivered, whatever its source. Phases ``request``
    # and ``missing``. Their values are computed now.

    def set_response_header(self, name, *value):
        """Replaces all lines of the response's field by one."""
        return self.response_edit(_set(name, value))

    def append_response_header(self, name, *value):
        """Adds a line of the response's field, for example of ``Set-Cookie``."""
        return self.response_edit(_append(name, value))

    def default_response_header(self, name, *value):
        """Adds the response's field if there is no line of it."""
        return self.response_edit(_default(name, value))

    def remove_response_header(self, name):
        """Removes all lines of the response's field."""
        return self.response_edit(verdicts.Edit_RemoveHeader(name))

    def set_response_status(self, status):
        """Replaces the status of the response."""
        return self.response_edit(verdicts.Edit_SetStatus(status))

    def response_edit(self, edit):
        """Adds any edit of the contract to those of the response."""
        self.contract.response_edits.append(_younger(edit, verdicts.Edit_Named))
        return self

    # Actions of the gateway. Each must be declared: ``may.effect("take")``.

    def take(
        self,
        tokens,
        period_ms,
        key=(),
        absent="share",
        burst=0,
        cost=1,
        bucket="",
        otherwise=None,
    ):
        """Takes tokens from a token bucket of the gateway. ``absent`` says what an absent key
        means: ``"share"``, ``"refuse"`` or ``"skip"``. ``cost`` is a number or ``measured(…)``.
        ``otherwise`` is the response if there are not enough, as a ``respond(…)``; by default a
        429. Phase ``request`` only."""
        place = _effects.bucket(tokens, period_ms, key, absent, burst, bucket)
        refusal = _reply(otherwise, 429)
        return self.effect(effects.Effect_Take(effects.Take(place, _effects.cost(cost), refusal)))

    def charge(
        self, tokens, period_ms, key=(), absent="share", burst=0, cost=1, bucket="", debt=0
    ):
        """Takes tokens even if there are not enough, down to ``debt`` below empty: what was used is
        known only afterwards. The bucket is that of the ``take`` with the same arguments."""
        place = _effects.bucket(tokens, period_ms, key, absent, burst, bucket)
        return self.effect(effects.Effect_Charge(effects.Charge(place, _effects.cost(cost), debt)))

    def concurrency(self, most, key=(), absent="share", name="", otherwise=None):
        """Takes one of ``most`` places for each key, until the exchange has ended. ``otherwise`` is
        the response if none is free; by default a 429. Phase ``request`` only."""
        refusal = _reply(otherwise, 429)
        return self.effect(_effects.concurrency(most, key, absent, name, refusal))

    def verify(
        self, secret, algorithm, message, signature, encoding="hex", prefix="", otherwise=None
    ):
        """Requires that the signature is valid for the message under a secret. ``encoding`` is
        ``"hex"``, ``"base64"`` or ``"base64url"``. ``otherwise`` is the response if it is not; by
        default a 401. Phase ``request`` only."""
        refusal = _reply(otherwise, 401)
        return self.effect(
            _effects.verify(secret, algorithm, message, signature, encoding, prefix, refusal)
        )

    def choose_upstream(self, name):
        """Chooses the upstream by its name, which ``uses`` must declare. Phase ``request``
        only."""
        return self.effect(effects.Effect_ChooseUpstream(name))

    def split(self, weights, sticky=None):
        """Divides requests among upstreams: ``split({"stable": 95, "canary": 5})``. Requests with
        the same value of ``sticky`` go to the same upstream. Phase ``request`` only."""
        return self.effect(_effects.split(weights, sticky))

    def cache_lookup(self, query="whole", only=None, without=None, vary_on=(), bypass=None):
        """Sets the cache key of the request. Phase ``request`` only.

        The part of the query in the key is ``query``: ``"whole"``, ``"sorted"`` or
        ``"ignored"``; or only the parameters in ``only``; or all without those in
        ``without``. A name may end in ``*``. The values of ``vary_on`` are added to the
        key. ``bypass`` is a reason to neither look up nor store.
        """
        return self.effect(_effects.cache_lookup(query, only, without, vary_on, bypass))

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
        return self.effect(
            _effects.cache_rule(
                name, store, browser, cdn, stale_while_revalidate, stale_if_error, shared
            )
        )

    def cache_tag(self, *value):
        """Adds the cache tags in this value, separated by commas or spaces. Phase
        ``fetched`` only."""
        return self.effect(effects.Effect_CacheTag(parts(value)))

    def purge(self, url=None, prefix=None, tag=None, soft=False):
        """Purges the stored responses of a URL, a prefix of paths or a tag, or by default
        all of this site. With ``soft`` they become stale instead of being removed. Phases
        ``request``, ``response`` and ``finished``."""
        return self.effect(_effects.purge(url, prefix, tag, soft))

    def ban(self, subject, for_seconds, reason, after=1, within_seconds=60):
        """Bans the subject once there were ``after`` such verdicts within ``within_seconds``.
        Phases ``request``, ``response`` and ``finished``."""
        return self.effect(_effects.ban(subject, for_seconds, reason, after, within_seconds))

    def effect(self, effect):
        """Adds any effect of the contract; a younger one is ``named(…)``."""
        self.contract.effects.append(_younger(effect, effects.Effect_Named))
        return self

    # Reuse, and the access log.

    def until_reload(self):
        """Allows reuse for the same inputs until the configuration changes."""
        return self.reuse(verdicts.Reuse_UntilReload())

    def for_seconds(self, seconds):
        """Allows reuse for the same inputs for this many seconds."""
        return self.reuse(verdicts.Reuse_Seconds(seconds))

    def until(self, unix_seconds):
        """Allows reuse for the same inputs until this moment, in Unix seconds."""
        return self.reuse(verdicts.Reuse_Until(int(unix_seconds)))

    def reuse(self, reuse):
        """Sets any rule of the contract; a younger one is ``named_constant(…)``."""
        is_younger = isinstance(reuse, values.NamedConstant)
        self.contract.reuse = verdicts.Reuse_Named(reuse) if is_younger else reuse
        return self

    def annotate(self, name, *value):
        """Adds a word to the access log, also when the verdict is reused."""
        self.contract.annotations.append(verdicts.Annotation(name, parts(value)))
        return self

    def note(self, note):
        """An annotation with the name ``note``."""
        return self.annotate("note", note)

    @property
    def reply(self):
        """The reply of a ``respond(…)``, or None."""
        is_reply = isinstance(self.contract.outcome, verdicts.Outcome_Respond)
        return self.contract.outcome.value if is_reply else None


def proceed():
    """The exchange continues."""
    return Verdict(verdicts.Outcome_Proceed())


def respond(status, text=None, headers=None, body=None, json=None):
    """Ends the request with this response. In the phases ``fetched`` and ``response`` it
    replaces the response. Its body is ``text``; or ``body``, which are bytes; or ``json``, which
    is what ``json.dumps`` accepts, but for None."""
    given = [name for name, value in (("text", text), ("body", body), ("json", json)) if value is not None]
    if len(given) > 1:
        raise ValueError(f"a response takes one body, not {' and '.join(given)}")
    fields = [values.Header(name, parts([value])) for name, value in (headers or {}).items()]
    content, kind = values.Content_Empty(), None
    if text is not None:
        content, kind = values.Content_Text(text), "text/plain; charset=utf-8"
    if json is not None:
        content, kind = values.Content_Text(_json.dumps(json)), "application/json"
    if body is not None:
        content = values.Content_Bytes(body)
    if kind and not any(field.name.lower() == "content-type" for field in fields):
        fields.append(values.Header("content-type", parts([kind])))
    return Verdict(verdicts.Outcome_Respond(values.Reply(status, fields, content)))


def serve(*path):
    """Serves this path of the same target instead. Phase ``missing`` only."""
    return Verdict(verdicts.Outcome_Serve(parts(path)))


def outcome(outcome):
    """Any outcome of the contract; a younger one is ``named(…)``."""
    return Verdict(_younger(outcome, verdicts.Outcome_Named))


def _set(name, value):
    return verdicts.Edit_SetHeader(values.Header(name, parts(value)))


def _append(name, value):
    return verdicts.Edit_AppendHeader(values.Header(name, parts(value)))


def _default(name, value):
    return verdicts.Edit_DefaultHeader(values.Header(name, parts(value)))


def _younger(case, named_case):
    return named_case(case) if isinstance(case, values.Named) else case


def _reply(answer, status):
    """The reply of a ``respond(…)``."""
    if answer is None:
        answer = respond(status)
    if not isinstance(answer, Verdict) or answer.reply is None:
        raise TypeError("otherwise: expected a respond(…)")
    return answer.reply
