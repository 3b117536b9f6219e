"""The base class of a policy, and its export."""

import difflib
import json
import os
import sys
import traceback

from componentize_py_types import Err
from wit_world.imports import subscriptions

from janua._phase import Phase
from janua._values import named_constant
from janua._verdict import Verdict
from janua._words import instead, texts


class ConfigError(Exception):
    """Raised to refuse a configuration. The operator gets only the message, whereas for
    other exceptions the type and the line in the policy's code are added."""


class Policy:
    """The base class of a policy.

    ``__init__`` reads the configuration, and raises ``ConfigError`` to refuse it. It
    subscribes to a phase by setting ``request``, ``fetched``, ``missing``, ``response`` or
    ``finished`` to a ``Phase``. The hooks get the inputs by name; an absent one is
    ``None``.

    ``owns`` are the request fields that only this policy may state, ``variables`` the names of
    those that it sets, and ``uses`` what it calls by name: see ``janua.uses``. Declarations that
    are younger than this SDK are in ``more``: ``{"name": {"argument": "…"}}``.
    """

    name = "policy"
    version = "0.0.0"
    summary = ""
    config_schema = None

    request = None
    fetched = None
    missing = None
    response = None
    finished = None

    owns = ()
    variables = ()
    uses = ()
    more = {}

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

    def on_finished(self, inputs):
        """The verdict after the last byte: effects and annotations."""
        raise NotImplementedError("on_finished")


_PHASES = ("request", "fetched", "missing", "response", "finished")


def export(policy_type):
    """Returns the two classes that the module ``policies`` of a component must define:
    ``Policies, Policy = export(MyPolicy)``."""

    class Exported:
        def __init__(self, policy):
            self._policy = policy
            self._phases = [name for name in _PHASES if getattr(policy, name) is not None]
            self._declared = _declared(policy, self._phases)

        @classmethod
        def configure(cls, config):
            def configure():
                document = json.loads(config.strip() or "{}")
                policy = policy_type({} if document is None else document)
                _check(policy)
                return cls(policy)

            return _safely(policy_type, configure)

        def subscription(self):
            return self._declared

        def decide(self, phase, inputs):
            def decide():
                name = self._phases[phase]
                given = getattr(self._policy, name).named(inputs)
                verdict = getattr(self._policy, f"on_{name}")(given)
                if not isinstance(verdict, Verdict):
                    raise TypeError(f"the hook of the phase {name} returned no verdict")
                return verdict.contract

            return _safely(policy_type, decide)

    class Policies:
        def describe(self):
            return subscriptions.Description(
                policy_type.name,
                policy_type.version,
                policy_type.summary,
                policy_type.config_schema,
                [],
            )

    return Policies, Exported


def _declared(policy, phases):
    """The declaration as the contract has it."""
    return subscriptions.Subscription(
        [getattr(policy, name).contract(name) for name in phases],
        texts("owns", policy.owns),
        texts("variables", policy.variables),
        texts("uses", policy.uses),
        [named_constant(name, **arguments) for name, arguments in policy.more.items()],
    )


def _check(policy):
    """Refuses a policy without a phase, or with a misspelt phase or hook.

    A hook without its phase is allowed, because the phases may depend on the
    configuration. Other methods are allowed unless their name is similar to that of a
    hook.
    """
    hooks = [f"on_{name}" for name in _PHASES]
    for name, value in vars(policy).items():
        if isinstance(value, Phase) and name not in _PHASES:
            raise AttributeError(f"there is no phase `{name}`; {instead(name, _PHASES)}")
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


def _safely(policy_type, run):
    try:
        return run()
    except ConfigError as refusal:
        raise Err(str(refusal)) from refusal
    except Err as error:
        if isinstance(error.value, str):
            raise
        # Of a call of the gateway that the policy made by itself: no text, and would trap.
        raise Err(_described(policy_type, error)) from error
    except Exception as error:
        raise Err(_described(policy_type, error)) from error


def _described(policy_type, error):
    """An exception's type and message, and its line in the policy's code."""
    words = type(error).__name__
    if str(error):
        words += f": {error}"
    home = os.path.dirname(getattr(sys.modules.get(policy_type.__module__), "__file__", None) or "")
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_below(home, frame.filename)]
    if own:
        words += f" ({os.path.basename(own[-1].filename)}, line {own[-1].lineno})"
    return words


def _is_below(home, filename):
    """Whether a file belongs to the policy: it is in the folder of the policy's module or below
    it, and not here. Python's library and the generated types have folders of their own."""
    here = os.path.dirname(__file__)
    return filename.startswith(home + os.sep) and os.path.dirname(filename) != here
