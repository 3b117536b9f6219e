"""Values, which the gateway computes for each request."""

from wit_world.imports import values


def parts(value):
    """The parts of a value."""
    return [_part(part) for part in value]


def several(value):
    """The parts of a value, which is a list or tuple if it has several."""
    return parts(value if isinstance(value, (list, tuple)) else [value])


def _part(part):
    if isinstance(part, str):
        return values.Part_Literal(part)
    if _is_part(part):
        return part
    kind = type(part).__name__
    raise TypeError(f"a value consists of texts, inputs and references, not {kind}")


def _is_part(part):
    return type(part).__name__.startswith("Part_")


def named_constant(name, **arguments):
    """A case that is younger than this SDK, by its name. Arguments are texts, numbers, booleans
    and lists of texts."""
    given = [values.ConstantArgument(key, _constant(key, value)) for key, value in arguments.items()]
    return values.NamedConstant(name, given)


def named(name, **arguments):
    """The same, with arguments that may also be a value, which is a tuple or a single input or
    reference; a list of values; or a ``respond(…)``."""
    given = [values.NamedArgument(key, _argument(key, value)) for key, value in arguments.items()]
    return values.Named(name, given)


def _constant(name, value, kind="Constant"):
    of = lambda case: getattr(values, f"{kind}_{case}")
    if isinstance(value, str):
        return of("Text")(value)
    # Before the numbers, because a bool is one.
    if isinstance(value, bool):
        return of("Flag")(value)
    if isinstance(value, int):
        return of("Number")(value)
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return of("Texts")(value)
    raise TypeError(f"the argument `{name}` is not of the contract: {type(value).__name__}")


def _argument(name, value):
    if isinstance(value, tuple) or _is_part(value):
        return values.Argument_Value(several(value))
    if isinstance(value, list) and not all(isinstance(text, str) for text in value):
        return values.Argument_Values([several(one) for one in value])
    reply = getattr(value, "reply", None)
    if reply is not None:
        return values.Argument_Reply(reply)
    return _constant(name, value, "Argument")
