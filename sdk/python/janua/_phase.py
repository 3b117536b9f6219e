"""What a policy is told in one phase, and what its verdicts may do there."""

from wit_world.imports import subscriptions, values

from janua._inputs import is_input
from janua._words import instead, texts


class Phase:
    """The inputs and references of a policy in one phase.

    ``inputs`` are passed by name and form the key under which a verdict is cached.
    ``references`` are only used in values. ``sensitive`` names the inputs that are
    secrets. ``may`` lists all that the verdicts may do: see ``janua.may``. Other inputs of the
    contract are in ``subscriptions``.
    """

    def __init__(self, inputs=None, references=None, sensitive=(), may=()):
        self._inputs = inputs or {}
        self._references = references or {}
        self._names = list(self._inputs)
        for name, asked in [*self._inputs.items(), *self._references.items()]:
            if not is_input(asked):
                raise TypeError(f"`{name}` is not an input: write header(…), PATH and the like")
        for name in sensitive:
            if name not in self._inputs:
                raise LookupError(f"sensitive: no input `{name}`; {instead(name, self._names)}")
        self._sensitive = [self._names.index(name) for name in sensitive]
        self._may = texts("may", may)

    def __getitem__(self, name):
        """An input or reference as part of a value: ``self.request["client"]``."""
        if name in self._inputs:
            return values.Part_Input(self._names.index(name))
        references = list(self._references)
        if name not in references:
            raise LookupError(f"no input `{name}`; {instead(name, self._names + references)}")
        return values.Part_Reference(references.index(name))

    def contract(self, name):
        """The phase as the contract has it."""
        references = list(self._references.values())
        # Look-ups among the references add their keys to the end of the list.
        inputs = [_placed(asked, references) for asked in self._inputs.values()]
        for place in range(len(self._references)):
            references[place] = _placed(references[place], references)
        return subscriptions.Phase(name, inputs, references, self._sensitive, self._may)

    def named(self, given):
        """The values of the inputs by name."""
        return dict(zip(self._names, given))


def _placed(asked, references):
    """An input whose key, if it is a look-up, is the position of a reference, which is added if
    need be."""
    if not isinstance(asked, subscriptions.Input_Lookup):
        return asked
    lookup = asked.value
    if not is_input(lookup.key):
        raise TypeError("the key of a lookup is not an input: write CLIENT_IP and the like")
    if lookup.key not in references:
        references.append(lookup.key)
    position = references.index(lookup.key)
    return subscriptions.Input_Lookup(subscriptions.Lookup(lookup.dataset, position, lookup.member))
