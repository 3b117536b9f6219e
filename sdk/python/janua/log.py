"""Lines for the operator. They are not repeated when a verdict is reused: what must be logged each
time is for ``Verdict.annotate``."""

from wit_world.imports import log as _log


def debug(message):
    """Details for the author of the policy."""
    _log.log(_log.Level.DEBUG, str(message))


def info(message):
    """An important event."""
    _log.log(_log.Level.INFO, str(message))


def warn(message):
    """An unexpected condition."""
    _log.log(_log.Level.WARN, str(message))


def error(message):
    """A failure."""
    _log.log(_log.Level.ERROR, str(message))
