"""Calls of the gateway."""

from componentize_py_types import Err


class CallError(Exception):
    """A call that the gateway refused. ``code`` is the word of the contract, for example
    ``unknown-secret``. It may be left to fail the policy."""

    def __init__(self, what, error):
        self.code = _word(type(error).__name__)
        reason = getattr(error, "value", None)
        super().__init__(f"{what}: {self.code}" + (f": {reason}" if reason else ""))


def call(what, run, *arguments):
    """Runs a call, and makes an exception with a message of the contract's error."""
    try:
        return run(*arguments)
    except Err as error:
        raise CallError(what, error.value) from None


def _word(name):
    """``unknown-secret`` for ``Error_UnknownSecret``."""
    letters = name.removeprefix("Error_")
    return "".join(f"-{a.lower()}" if a.isupper() else a for a in letters).removeprefix("-")


def encoded(text):
    """The bytes of a text in UTF-8. Bytes are returned as they are."""
    return text.encode() if isinstance(text, str) else text
