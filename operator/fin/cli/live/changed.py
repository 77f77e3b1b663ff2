"""A snapshot with a change in it, as if someone had applied files and deleted objects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from fin.cli import core
from fin.cli.inputs import Identity, read_objects
from fin.cli.problems import BadInput, Fault, subject
from fin.cluster import reading
from fin.cluster.snapshot import Object, Snapshot

_FIELDS: Final[Mapping[str, str]] = {
    "Node": "nodes",
    "Pod": "pods",
    "NetworkTopology": "topologies",
    "DNNModel": "models",
    "InferenceApp": "apps",
}
_KINDS: Final = {kind.lower(): kind for kind in _FIELDS}
_CLUSTER_SCOPED: Final = ("Node", "NetworkTopology")


def changed(
    snapshot: Snapshot, names: Sequence[str], deleted: Iterable[str], namespace: str
) -> Snapshot:
    """Return the snapshot as it would be.

    Parameters
    ----------
    snapshot
        The cluster as it is.
    names
        Files, directories, or ``-`` for standard input.
    deleted
        Objects that would be gone: ``KIND/NAME`` or ``KIND/NAMESPACE/NAME``.
    namespace
        Where objects are of which that is not said.

    Raises
    ------
    BadInput
        A file or an object in it is wrong, or what is to be deleted is not there.
    """
    live = {
        _identity(kind, each): each
        for kind, field in _FIELDS.items()
        for each in getattr(snapshot, field)
    }
    gone, faults = _gone(live, deleted, namespace)
    if faults:
        raise BadInput(faults)
    for identity in gone:
        del live[identity]
    for (kind, _, name), each in read_objects(names).items() if names else ():
        there = reading.text(each, "metadata", "namespace") or namespace
        identity = kind, "" if kind in _CLUSTER_SCOPED else there, name
        live[identity] = _applied(live.get(identity), each, identity)
    return replace(
        snapshot,
        **{
            field: tuple(each for (found, _, _), each in live.items() if found == kind)
            for kind, field in _FIELDS.items()
        },
    )


def _identity(kind: str, each: Object) -> Identity:
    return kind, "" if kind in _CLUSTER_SCOPED else reading.namespace(each), reading.name(each)


def _gone(
    live: Mapping[Identity, Object], deleted: Iterable[str], namespace: str
) -> tuple[list[Identity], list[Fault]]:
    found: list[Identity] = []
    faults = []
    for text in deleted:
        kind, *path = text.split("/")
        named = _KINDS.get(kind.lower())
        if named is None or not 1 <= len(path) <= 2:
            reason = f"must be KIND/NAME with a kind of {', '.join(_KINDS)}"
            faults.append(Fault("--delete", repr(text), "", reason))
            continue
        there = "" if named in _CLUSTER_SCOPED else path[0] if len(path) == 2 else namespace
        identity = named, there, path[-1]
        if identity in live:
            found.append(identity)
        else:
            faults.append(Fault("--delete", subject(*identity), "", "the cluster has none"))
    return found, faults


def _applied(live: Object | None, each: Object, identity: Identity) -> Object:
    """Lay what a file says over the live object."""
    given = reading.mapping(each, "metadata")
    known = reading.mapping(live, "metadata")
    metadata: dict[str, Any] = {
        "uid": f"whatif-{'-'.join(identity)}",
        "generation": 1,
        **known,
        "name": identity[2],
    }
    if identity[1]:
        metadata["namespace"] = identity[1]
    for field in ("labels", "annotations"):
        metadata[field] = {**reading.mapping(known, field), **reading.mapping(given, field)}
    status = {**reading.mapping(live, "status"), **reading.mapping(each, "status")}
    made = {**(live or {}), **each, "metadata": metadata, "status": status}
    return core.with_readiness(made) if identity[0] == "Node" else made
