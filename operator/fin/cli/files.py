"""Files, directories and standard input to the objects in them."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fin.cli.documents import Unreadable, documents
from fin.cli.problems import Fault, Place

SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = "-"

Entry = tuple[Place, Mapping[str, Any]]
"""An object, and where it was read."""


def read_all(names: Sequence[str]) -> tuple[list[Entry], list[Fault]]:
    """Read all objects of files, directories (not those below them) and ``-``, standard input.

    Returns
    -------
    The objects in the order of the input, and everything that could not be read. What is
    named twice is read once.
    """
    entries: list[Entry] = []
    faults: list[Fault] = []
    files: dict[Path | str, str] = {}
    for name in names:
        try:
            for file in _expand(name):
                files.setdefault(file if file == STANDARD_INPUT else Path(file).resolve(), file)
        except (OSError, ValueError) as error:
            faults.append(_cannot_read(name, error))
    for file in files.values():
        for found in _read(file):
            if isinstance(found, Fault):
                faults.append(found)
            else:
                entries.append(found)
    return entries, faults


def _expand(name: str) -> Sequence[str]:
    """Return the files that a name stands for."""
    path = Path(name)
    if name == STANDARD_INPUT or not path.is_dir():
        return [name]
    inside = sorted(
        str(each)
        for each in path.iterdir()
        if each.suffix in SUFFIXES and not each.name.startswith(".") and not each.is_dir()
    )
    if not inside:
        raise ValueError(f"no file in this directory ends in {', '.join(SUFFIXES)}")
    return inside


def _read(name: str) -> Iterator[Entry | Fault]:
    try:
        text = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
        found = documents(text, json=name.endswith(".json"))
    except Unreadable as error:
        yield Fault(shown(name), "", "", str(error))
        return
    except (OSError, ValueError) as error:
        yield _cannot_read(shown(name), error)
        return
    for number, document in enumerate(found, start=1):
        position = f"document {number}" if len(found) > 1 else ""
        if document is not None:
            yield from _objects(Place(shown(name), position), document, set())


def _objects(place: Place, document: object, above: set[int]) -> Iterator[Entry | Fault]:
    """Yield a document, or the items of a list of objects.

    Lists are ``v1 List`` or of one kind (``NodeList``), whose items need not say their kind.
    """
    if not isinstance(document, Mapping):
        yield Fault(str(place), "", "", "must be a Kubernetes object, with apiVersion and kind")
        return
    kind, items = document.get("kind"), document.get("items")
    if not isinstance(kind, str) or not kind.endswith("List") or "items" not in document:
        yield place, document
        return
    if (items is not None and not isinstance(items, list)) or id(document) in above:
        yield Fault(str(place), kind, "items", "must be a list of objects")
        return
    implied = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")}
    for index, item in enumerate(items or ()):
        where = ", ".join(part for part in (place.position, f"items[{index}]") if part)
        if isinstance(item, Mapping) and kind != "List":
            item = {**implied, **item}
        yield from _objects(Place(place.file, where), item, above | {id(document)})


def _cannot_read(name: str, error: Exception) -> Fault:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Fault(name, "", "", f"can't be read: {reason}")


def shown(name: str) -> str:
    """Name a file as messages do."""
    return "standard input" if name == STANDARD_INPUT else name


def kinds(entries: Iterable[Entry]) -> list[str]:
    """Kinds of objects, each once, in alphabetical order."""
    return sorted({kind for _, each in entries if isinstance(kind := each.get("kind"), str)})
