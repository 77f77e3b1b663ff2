"""The input of ``fin plan``: objects of files, checked, as a snapshot and a world."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fin.api import RESOURCES, InvalidObject, Resource, parse
from fin.api.base import Model
from fin.api.names import API_VERSION, GROUP
from fin.api.parsing import FieldError
from fin.cli import core
from fin.cli.files import Entry, kinds, read_all, shown
from fin.cli.problems import BadInput, Fault, Place, subject
from fin.cluster import reading
from fin.cluster.snapshot import Object, Snapshot
from fin.cluster.world import World, build_world

Identity = tuple[str, str, str]
"""Kind, namespace (empty where it has none) and name."""

_OURS: Mapping[str, type[Resource]] = {resource.KIND: resource for resource in RESOURCES}
_CORE: Mapping[str, type[Model]] = {"Node": core.Node, "Pod": core.Pod}
_CLUSTER_SCOPED = {"Node", *(kind for kind, each in _OURS.items() if not each.NAMESPACED)}


@dataclass(frozen=True)
class Input:
    """What ``fin plan`` plans, and where each object was read."""

    world: World
    places: Mapping[Identity, Place]

    def place(self, kind: str, namespace: str, name: str) -> str:
        """Tell where an object was read."""
        return str(self.places.get((kind, namespace, name), ""))


def load(names: Sequence[str], utilisation: float) -> Input:
    """Read and check the objects of files, directories and standard input.

    Parameters
    ----------
    names
        Files, directories, or ``-`` for standard input.
    utilisation
        Share of a reservation, and of a link, that load may fill (rho).

    Raises
    ------
    BadInput
        With everything that is wrong, not only the first.
    """
    entries, objects, faults = _read(names)
    world = build_world(_snapshot(objects), utilisation)
    faults += _invalid(world, objects)
    if not faults and not any(kind == "InferenceApp" for kind, _, _ in objects):
        found = f"only {', '.join(kinds(entries))}" if entries else "no object at all"
        faults.append(
            Fault(", ".join(map(shown, names)), "", "", f"no InferenceApp to plan; {found}")
        )
    if faults:
        raise BadInput(faults)
    return Input(world, {identity: place for identity, (place, _) in objects.items()})


def read_objects(names: Sequence[str]) -> dict[Identity, Object]:
    """Read the objects of files, directories and standard input that planning reads.

    Each is checked by itself.

    Raises
    ------
    BadInput
        With everything that is wrong, not only the first.
    """
    _, objects, faults = _read(names)
    for identity, (place, each) in objects.items():
        if identity[0] in _OURS:
            faults += [
                _fault(place, identity[0], each, e) for e in _errors(_OURS[identity[0]], each)
            ]
    if faults:
        raise BadInput(faults)
    return {identity: each for identity, (_, each) in objects.items()}


def _read(
    names: Sequence[str],
) -> tuple[list[Entry], dict[Identity, tuple[Place, Object]], list[Fault]]:
    entries, faults = read_all(names)
    objects: dict[Identity, tuple[Place, Object]] = {}
    for place, each in entries:
        faults += _add(objects, place, each)
    return entries, objects, faults


def _add(
    objects: dict[Identity, tuple[Place, Object]], place: Place, each: Mapping[str, Any]
) -> list[Fault]:
    """Add an object that planning reads; pass over others; tell what is wrong with it."""
    kind, version = each.get("kind"), each.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        field = "apiVersion" if isinstance(kind, str) else "kind"
        return [Fault(str(place), "", field, "must be a string: every object has one")]
    model = _CORE.get(kind) if version == "v1" else None
    if version.partition("/")[0] == GROUP:
        wrong = _wrong_kind(kind, version)
        if wrong:
            return [_fault(place, kind, each, wrong)]
    elif model is None:
        return []
    errors = list(core.faults(model, each)) if model else []
    if not errors and not reading.name(each):
        errors = _errors(_OURS[kind], each)
    if errors:
        return [_fault(place, kind, each, error) for error in errors]
    identity = _identity(kind, each)
    if identity in objects:
        other = objects[identity][0]
        twice = FieldError("metadata.name", f"the same object is in {other} too: keep one of them")
        return [_fault(place, kind, each, twice)]
    objects[identity] = place, each
    return []


def _wrong_kind(kind: str, version: str) -> FieldError | None:
    if version != API_VERSION:
        return FieldError("apiVersion", f"must be {API_VERSION}, the only version there is")
    if kind in _OURS:
        return None
    near = difflib.get_close_matches(kind[:64], _OURS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"its kinds are {', '.join(_OURS)}"
    return FieldError("kind", f"{GROUP} has no such kind; {hint}")


def _identity(kind: str, each: Object) -> Identity:
    namespace = "" if kind in _CLUSTER_SCOPED else reading.namespace(each)
    return kind, namespace, reading.name(each)


def _fault(place: Place, kind: str, each: Object, error: FieldError) -> Fault:
    return Fault(str(place), subject(*_identity(kind, each)), error.field, error.reason)


def _errors(resource: type[Resource], each: Object) -> list[FieldError]:
    try:
        parse(resource, each)
    except InvalidObject as error:
        return list(error.errors)
    return []


def _snapshot(objects: Mapping[Identity, tuple[Place, Object]]) -> Snapshot:
    def of(wanted: str) -> tuple[Object, ...]:
        return tuple(each for (kind, _, _), (_, each) in objects.items() if kind == wanted)

    return Snapshot(
        nodes=tuple(map(core.with_readiness, of("Node"))),
        pods=of("Pod"),
        topologies=of("NetworkTopology"),
        models=of("DNNModel"),
        apps=of("InferenceApp"),
    )


def _invalid(world: World, objects: Mapping[Identity, tuple[Place, Object]]) -> list[Fault]:
    """Tell, field by field, what is wrong with the resources that the world left out."""
    left_out = [
        (finding.kind, finding.namespace, finding.name)
        for finding in world.findings
        if finding.kind in _OURS and not finding.accepted
    ]
    left_out += [
        ("InferenceApp", *key)
        for key, rejection in world.rejected.items()
        if rejection.condition == "Accepted"
    ]
    faults = []
    for identity, (place, each) in objects.items():
        if identity in left_out:
            kind = identity[0]
            faults += [_fault(place, kind, each, error) for error in _errors(_OURS[kind], each)]
    return faults
