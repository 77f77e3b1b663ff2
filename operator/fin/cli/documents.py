"""Text to plain documents: YAML with any number of documents, or JSON."""

from collections.abc import Hashable
from typing import Any

import orjson
import yaml

MAX_DEPTH = 100
"""Deeper nesting is refused: no object needs it, and it would exhaust the parser's stack."""


class Unreadable(ValueError):  # noqa: N818 - it names a state of the input
    """Text that is no YAML or JSON; the message tells where and why."""


class _Loader(yaml.CSafeLoader):
    """Reads what kubectl reads: time stamps stay text, and no key may be there twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            key = key_node.tag, key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key[1][:64]!r} is there twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: bytes, *, json: bool) -> list[Any]:
    """Read all documents of a text; empty ones are None.

    Parameters
    ----------
    text
        As read from the file: UTF-8, or UTF-16 with a byte-order mark.
    json
        The file calls itself JSON. Other text is read as YAML, unless it begins as a JSON
        object does and can be read as one.

    Raises
    ------
    Unreadable
        If it can't be read.
    """
    if json or text.lstrip()[:1] == b"{":
        try:
            return [orjson.loads(text)]
        except orjson.JSONDecodeError as error:
            if json:
                raise Unreadable(f"no JSON: {error}") from None
    try:
        _check_depth(text)
        return list(yaml.load_all(text, _Loader))
    except yaml.YAMLError as error:
        raise Unreadable(f"no YAML: {_told(error)}") from None
    except Unreadable:
        raise
    except ValueError as error:  # such as a number with thousands of digits
        raise Unreadable(f"no YAML: {error}") from None


def _check_depth(text: bytes) -> None:
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Unreadable(f"no YAML of use: nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _told(error: yaml.YAMLError) -> str:
    """Put the parser's words on one line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    said = " ".join(str(problem).split())[:200]
    if mark is None:
        return said
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}"
