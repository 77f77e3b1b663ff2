"""Reading plain objects of which nothing is certain: what is not as it should be is empty."""

from collections.abc import Mapping
from typing import Any


def at(value: object, *path: str) -> object:
    """Return what stands at ``path`` below ``value``, or None."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def mapping(value: object, *path: str) -> Mapping[str, Any]:
    """Return the mapping at ``path``, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def mappings(value: object, *path: str) -> list[Mapping[str, Any]]:
    """Return the mappings of the list at ``path``; what is none in it is passed over."""
    found = at(value, *path)
    if not isinstance(found, list | tuple):
        return []
    return [item for item in found if isinstance(item, Mapping)]


def text(value: object, *path: str) -> str:
    """Return the string at ``path``, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def name(value: object) -> str:
    """Return the object's name."""
    return text(value, "metadata", "name")


def namespace(value: object) -> str:
    """Return the object's namespace; ``default`` where it names none."""
    return text(value, "metadata", "namespace") or "default"


def uid(value: object) -> str:
    """Return the object's uid."""
    return text(value, "metadata", "uid")


def labels(value: object) -> Mapping[str, Any]:
    """Return the object's labels."""
    return mapping(value, "metadata", "labels")


def being_deleted(value: object) -> bool:
    """Whether its deletion was asked for, and something still holds it."""
    return at(value, "metadata", "deletionTimestamp") is not None
