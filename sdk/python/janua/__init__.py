"""Write a Janua policy in Python.

The contract requires all lists, and ``Err`` for an error: any other exception would
end the instance. This package does both, and passes inputs by name.

A misspelt phase or hook is refused, as is a policy without a phase, because it would
silently do nothing.

The types of the contract are in ``effects``, ``subscriptions``, ``values`` and ``verdicts``.
Calls of the gateway have modules of their own, which only some worlds can import: ``janua.log``,
``janua.secrets``, ``janua.datasets``.
"""

from componentize_py_types import Err
from wit_world.imports import effects, subscriptions, values, verdicts

from janua import may, uses
from janua._effects import measured
from janua._inputs import *  # noqa: F403: its `__all__` are the inputs of the contract
from janua._phase import Phase
from janua._policy import ConfigError, Policy, export
from janua._values import named, named_constant
from janua._verdict import Verdict, outcome, proceed, respond, serve
