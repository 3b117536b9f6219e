"""For ``may`` of a ``Phase``: what its verdicts may do, in the words of the operator's grants. The
name of a field may end in ``*``."""

RESPOND = "respond"
SERVE = "serve"
SET_PATH = "edit:set-path"
SET_QUERY = "edit:set-query"
SET_STATUS = "edit:set-status"


def edit_header(name):
    """To change this request field."""
    return f"edit:header:{name.lower()}"


def edit_response_header(name):
    """To change this response field."""
    return f"edit:response-header:{name.lower()}"


def effect(name):
    """An effect by its name in the contract: ``effect("cache-rule")``."""
    return f"effect:{name}"
