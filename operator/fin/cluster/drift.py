"""Whether a live object is still what was applied, whatever the API server filled in."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from fin.api.names import FIELD_MANAGER
from fin.cluster import reading
from fin.cluster.snapshot import Object

Path = tuple[str, ...]

# Lists that the API server keeps as maps, by a key of their items; all other lists, and
# selectors, are one value each (`x-kubernetes-list-type`, `x-kubernetes-map-type`).
_LIST_MAPS: Final = frozenset(
    {"containers", "imagePullSecrets", "ownerReferences", "ports", "volumeMounts", "volumes"}
)
_ONE_VALUE: Final = "selector"

# `kubectl rollout restart` leaves it behind: it has done its work, and changes nothing.
_HARMLESS: Final = frozenset(
    {
        (
            "f:template",
            "f:metadata",
            "f:annotations",
            "f:kubectl.kubernetes.io/restartedAt",
        )
    }
)


def matches(live: object, wanted: object) -> bool:
    """Whether ``live`` has all that is ``wanted``; what it has besides is not ours."""
    if not isinstance(wanted, Mapping):
        return _same(live, wanted)
    return isinstance(live, Mapping) and all(
        _field_matches(key, live.get(key), value) for key, value in wanted.items()
    )


def _field_matches(key: str, live: object, wanted: object) -> bool:
    if not wanted:
        return not live or (isinstance(wanted, Mapping) and isinstance(live, Mapping))
    if key == _ONE_VALUE:
        return _same(live, wanted)
    if key in _LIST_MAPS and isinstance(wanted, list):
        return isinstance(live, list) and all(
            any(matches(item, each) for item in live) for each in wanted
        )
    return matches(live, wanted)


def _same(live: object, wanted: object) -> bool:
    """Whether two values are equal, where the API server leaves out what is empty."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return all(_same(live.get(key), wanted.get(key)) for key in {*live, *wanted})
    if isinstance(wanted, list) and isinstance(live, list):
        return len(live) == len(wanted) and all(map(_same, live, wanted))
    return live == wanted or (not live and not wanted)


def foreign_fields(live: Object, wanted: Object) -> list[str]:
    """Fields of the spec that others set and that ``wanted`` lacks, as dotted paths.

    Server-side apply never takes such fields away. Read from ``managedFields``, where what the
    API server filled in has no owner: nothing here depends on its version's defaults. What
    admission changes on our own write counts as ours, and stays.
    """
    found: set[Path] = set()
    for entry in reading.mappings(live, "metadata", "managedFields"):
        if entry.get("manager") != FIELD_MANAGER:
            found.update(_leaves(reading.mapping(entry, "fieldsV1", "f:spec")))
    spec = reading.mapping(wanted, "spec")
    return sorted(
        ".".join(("spec", *map(_plain, path))) for path in found - _HARMLESS if not _has(spec, path)
    )


def _leaves(fields: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    for key, below in fields.items():
        if key == ".":
            yield path
        elif isinstance(below, Mapping) and below:
            yield from _leaves(below, (*path, key))
        else:
            yield (*path, key)


def _has(wanted: object, path: Path) -> bool:
    """Whether something stands at a path of ``managedFields`` (``f:``, ``k:``, ``v:``)."""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f" and isinstance(wanted, Mapping) and name in wanted:
            wanted = wanted[name]
            continue
        items = wanted if isinstance(wanted, list) else []
        keys = _json(name)
        found = [
            item
            for item in items
            if (kind == "k" and isinstance(keys, Mapping) and matches(item, keys))
            or (kind == "v" and item == keys)
        ]
        if not found:
            return False
        wanted = found[0]
    return True


def _json(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _plain(step: str) -> str:
    return step.partition(":")[2]
