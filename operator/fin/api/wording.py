"""Validation errors in the words of those who write YAML."""

import difflib
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from fin.api.text import WORDS_OF_PATTERN

_EXPECTED: Final = {
    "string_type": "a string",
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
}
_GIVEN: Final[dict[type, str]] = {
    str: "a string",
    int: "an integer",
    float: "a number with a fraction",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    type(None): "null",
}


def path(location: tuple[str | int, ...]) -> str:
    """Write a location as YAML users do: ``spec.blocks[2].exit.accuracy``."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{printable(step, 64)}" if text else printable(step, 64)
    return text


def printable(text: str, length: int) -> str:
    """Cut a text from the input, and replace what a terminal or UTF-8 can't take."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:length])


def reason(model: type[BaseModel], error: ErrorDetails) -> str:
    """Say what is wrong with a field, and what to do.

    Parameters
    ----------
    model
        The model that was to be validated, for the names of its fields.
    error
        One of pydantic's errors.
    """
    kind = error["type"]
    if kind in _EXPECTED:
        given = _GIVEN.get(type(error["input"]))
        return f"must be {_EXPECTED[kind]}" + (f", not {given}" if given else "")
    bounds = error.get("ctx", {})
    match kind:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return _unknown(model, error["loc"])
        case "invalid_key":
            return "is not a field: names are strings"
        case "string_pattern_mismatch":
            pattern = bounds["pattern"]
            return f"must be {WORDS_OF_PATTERN.get(pattern, f'of the form {pattern}')}"
        case "string_too_long":
            return f"must have at most {bounds['max_length']} characters"
        case "string_unicode":
            return "must be valid Unicode"
        case "too_short":
            return f"must have at least {bounds['min_length']} item"
        case "too_long":
            return f"must have at most {bounds['max_length']} items"
        case "greater_than_equal":
            return f"must be at least {bounds['ge']:g}"
        case "less_than_equal":
            return f"must be at most {bounds['le']:g}"
        case "finite_number":
            return "must be finite"
        case "literal_error":
            return f"must be {bounds['expected']}"
        case _ if kind.startswith("datetime"):
            return "must be a time such as 2026-01-31T12:00:00Z"
        case _:
            return error["msg"]


def _unknown(model: type[BaseModel], location: tuple[str | int, ...]) -> str:
    fields = _fields(model, location[:-1])
    close = difflib.get_close_matches(str(location[-1])[:64], fields, n=1)
    if close:
        return f"is not a field; did you mean {close[0]}?"
    return f"is not a field; the fields here are {', '.join(fields)}"


def _fields(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Return the names that YAML may use at a location."""
    by_alias = {info.alias or name: info for name, info in model.model_fields.items()}
    steps = [step for step in location if isinstance(step, str)]
    if not steps:
        return list(by_alias)
    inner = _inner_model(by_alias[steps[0]].annotation)
    return _fields(inner, tuple(steps[1:])) if inner else []


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """Find the model in an annotation such as ``tuple[Block, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _inner_model(arg))), None)
