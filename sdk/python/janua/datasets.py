"""Look-ups of keys in datasets of the operator. For the worlds ``policy-with-datasets`` and
``policy-with-secrets``.

Each dataset must be declared: ``uses = [uses.dataset("countries")]``. If the key is an input,
``lookup`` is cheaper. What the gateway refuses is a ``CallError``.
"""

from wit_world.imports import datasets as _datasets

from janua._calls import CallError, call  # noqa: F401: for authors


def find(dataset, key, member=""):
    """The value of a key, or None if the dataset does not contain it."""
    return call("find", _datasets.find, dataset, key, member)
