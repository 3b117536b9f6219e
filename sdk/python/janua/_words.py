"""Words that an author may misspell."""

import difflib


def word(what, given, words):
    """The entry of ``words`` with this name."""
    if given not in words:
        raise ValueError(f"{what}: unknown word `{given}`; {instead(given, words)}")
    return words[given]


def instead(given, names):
    """Suggests the most similar name, or lists all if none is similar."""
    near = difflib.get_close_matches(str(given), names, n=1)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names) or 'none'}"


def texts(what, given):
    """Checks that these are several texts, and returns a list of them."""
    if isinstance(given, str) or not all(isinstance(text, str) for text in given):
        raise TypeError(f"{what}: expected a list of texts")
    return list(given)
