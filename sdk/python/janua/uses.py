"""For ``uses`` of a ``Policy``: what it calls by name, in the words of the operator's grants."""


def secret(name):
    """A secret."""
    return f"secret:{name}"


def dataset(name):
    """A dataset."""
    return f"dataset:{name}"


def outbound(upstream):
    """An upstream, to send requests to it."""
    return f"outbound:{upstream}"


def upstream(name):
    """An upstream, to choose it."""
    return f"upstream:{name}"
