"""A case, and what is done about it now, as writes of objects."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fin.api.names import ANNOTATION_ADAPTED, ANNOTATION_PLAN
from fin.cluster import annotation, reading
from fin.cluster.actions import Action, Apply, Delete
from fin.cluster.cases import Case
from fin.cluster.drift import foreign_fields, matches
from fin.cluster.naming import config_name
from fin.cluster.nudging import nudges
from fin.cluster.observed import Observed, controller
from fin.cluster.render import templates
from fin.cluster.revision import Revision
from fin.cluster.running import revision_of
from fin.cluster.snapshot import Object
from fin.cluster.telemetry import adapting
from fin.cluster.telemetry.adapting import Adapted
from fin.cluster.workloads import (
    ANNOTATION_LEFT_BEHIND,
    BUDGET,
    CONFIG_MAP,
    DEPLOYMENT,
    SERVICE,
    Json,
    app_service,
    budget,
    config_map,
    deployment,
    identity,
    left_behind,
    segment_service,
)


@dataclass(frozen=True)
class Step:
    """What is done about a case in this round.

    Attributes
    ----------
    create
        Names of the wanted segments to create.
    turn
        The app's Service is to lead to what is wanted from now on.
    remove
        Names of the Deployments to delete.
    unprotected
        Nodes whose segments have no budget, so that a drain may go on.
    spared
        Deployments that are not replaced now, whatever others add to them.
    """

    create: frozenset[str] = frozenset()
    turn: bool = False
    remove: tuple[str, ...] = ()
    unprotected: frozenset[str] = frozenset()
    spared: frozenset[str] = frozenset()


class Writer:
    """Finds what has to be written for one case, compared with what is there.

    The order is such that requests find their way at every moment, wherever the round breaks
    off. Budgets first: a segment that has one may have served, and is drained before it goes.
    The entry's annotation before the ConfigMap, since it tells which revision serves where two
    share the entry. The ConfigMap before new pods, which mount it. Then the app's Service, which
    turns the traffic. Then deletions, and last what is only a help.

    ``adapted`` are the values that the app is planned with in place of declared ones; None where
    it is not planned now: those that are written down stay.
    """

    def __init__(self, seen: Observed, case: Case, step: Step, adapted: Adapted | None) -> None:
        self._seen = seen
        self._adapted = adapted
        self._case = case
        self._step = step
        self._present = frozenset(case.owned.deployments.keys() - set(step.remove)) | step.create
        self._turned = step.turn or case.phase != "moving"
        self._leads_to = case.wanted if self._turned else case.old
        self._segments = {
            segment.name: segment
            for revision in (case.old, case.wanted)
            if revision
            for segment in revision.segments
            if segment.name in self._present
        }

    def actions(self) -> Iterator[Action]:
        """Writes, in order."""
        if self._case.phase in ("settled", "moving") or self._present:
            yield from self._budgets()
            yield from self._deployments(self._segments.keys() - self._step.create)
            if self._leads_to:
                yield from self._write(self._config(self._leads_to))
            for segment in self._segments.values():
                yield from self._write(segment_service(self._case.owner, segment))
            yield from self._deployments(self._step.create)
            if self._leads_to:
                digest = self._leads_to.entry.digest
                yield from self._write(app_service(self._case.owner, digest))
        yield from self._deletions()
        yield from self._nudges()

    def config_is_current(self) -> bool:
        """Whether the ConfigMap in the snapshot is the one that this round wants."""
        live = self._case.owned.config_maps.get(config_name(self._case.key[1]))
        if live is None or self._leads_to is None:
            return False
        return matches(_written_part(live), _written_part(self._config(self._leads_to)))

    def _nudges(self) -> Iterator[Action]:
        if self._leads_to is not None and self._case.phase in ("settled", "moving"):
            live = self._case.owned.config_maps.get(config_name(self._case.key[1]))
            wanted = self._config(self._leads_to)
            yield from nudges(self._seen, self._case, self._leads_to.entry, live, wanted)

    def _budgets(self) -> Iterator[Action]:
        """What serves has a budget, and what will serve from now on."""
        serving = {
            name
            for revision in (self._case.old, self._leads_to)
            if revision
            for name in revision.names
        }
        for name, segment in self._segments.items():
            if name in serving and segment.node not in self._step.unprotected:
                yield from self._write(budget(self._case.owner, segment))

    def _deployments(self, names: Iterable[str]) -> Iterator[Action]:
        """Deployments, but for those that another version made, or whose plan is not known."""
        app = self._case.key[1]
        names = set(names)
        made: dict[str, Json] = {}
        for revision in (self._case.old, self._case.wanted):
            made.update(templates(app, revision) if revision else {})
        follows = self._follows()
        for name, segment in self._segments.items():
            is_entry = 0 in segment.blocks
            if name in names and name in made and (not is_entry or name in follows):
                plan = self._text(follows[name]) if is_entry else None
                yield from self._write(deployment(self._case.owner, segment, made[name], plan))

    def _follows(self) -> dict[str, Revision]:
        """Return the revision that each entry that is there follows, idle ones included."""
        case = self._case
        found = {
            name: revision
            for name, live in case.owned.deployments.items()
            if name in self._present and (revision := revision_of(live))
        }
        if case.wanted and case.wanted.entry.name in self._present:
            found[case.wanted.entry.name] = case.wanted
        if not self._turned and case.serving:
            found.pop(case.serving.entry, None)
            if case.old:
                found[case.old.entry.name] = case.old
        return found

    def _config(self, serving: Revision) -> Json:
        """Return the ConfigMap, with a copy of the annotation of what serves."""
        made = config_map(self._case.owner, dict(sorted(self._follows().items())))
        annotations = {ANNOTATION_PLAN: self._text(serving)}
        annotations |= self._adapted_annotation()
        left_behind = self._left_behind(serving)
        if left_behind:
            annotations[ANNOTATION_LEFT_BEHIND] = " ".join(sorted(left_behind))
        made["metadata"]["annotations"] = annotations
        return made

    def _adapted_annotation(self) -> dict[str, str]:
        """Return the annotation; an empty one where the live one names values: they would stay."""
        live = self._case.owned.config_maps.get(config_name(self._case.key[1]))
        said = reading.text(live, "metadata", "annotations", ANNOTATION_ADAPTED)
        text = said if self._adapted is None else adapting.written(self._adapted)
        return {ANNOTATION_ADAPTED: text} if text or said else {}

    def _left_behind(self, serving: Revision) -> frozenset[str]:
        """Segments that the entry may call until it has read its new hops: its earlier ones.

        The ConfigMap tells which revision the same entry followed before. Without it, it could
        have been any.
        """
        live = self._case.owned.config_maps.get(config_name(self._case.key[1]))
        before = revision_of(live)
        if before is None:
            earlier = self._present
        elif before.entry.name != serving.entry.name:
            earlier = frozenset()
        else:
            earlier = before.names | left_behind(live)
        return (earlier & self._present) - serving.names

    def _text(self, revision: Revision) -> str:
        """Return a revision's annotation; as it stands there, where it tells of the same.

        What it was planned to do may have changed a little since: not worth a write.
        """
        owned = self._case.owned
        for live in (
            owned.deployments.get(revision.entry.name),
            owned.config_maps.get(config_name(self._case.key[1])),
        ):
            found = revision_of(live)
            if found and _identity(found) == _identity(revision):
                return reading.text(live, "metadata", "annotations", ANNOTATION_PLAN)
        return annotation.written(revision)

    def _write(self, obj: Json) -> Iterator[Action]:
        """Create, mend or leave an object; one that others control is never written."""
        case = self._case
        live = self._seen.objects.get(identity(obj))
        if live is None:
            yield Apply(case.key, obj)
        elif controller(live) != case.owner.uid or reading.being_deleted(live):
            return
        elif self._may_replace(obj) and foreign_fields(live, obj):
            yield _delete(case, DEPLOYMENT, live)
        elif not matches(_written_part(live), _written_part(obj)):
            yield Apply(case.key, obj, reading.uid(live))

    def _may_replace(self, obj: Json) -> bool:
        name, wanted = obj["metadata"]["name"], self._case.wanted
        return (
            obj["kind"] == DEPLOYMENT
            and wanted is not None
            and name in wanted.names
            and name not in self._step.spared
        )

    def _deletions(self) -> Iterator[Action]:
        """A segment with all that belongs to it, the budget last; then what is left over."""
        owned = self._case.owned
        for name in self._step.remove:
            yield from self._remove(DEPLOYMENT, owned.deployments, name)
        if self._case.phase == "kept":
            return
        stay = self._present | (self._case.needed - set(self._step.remove))
        keeps_service = self._case.phase != "gone"
        for name in owned.services:
            if name not in stay and not (name == self._case.key[1] and keeps_service):
                yield from self._remove(SERVICE, owned.services, name)
        for name in owned.budgets:
            if name not in stay or self._is_unprotected(name):
                yield from self._remove(BUDGET, owned.budgets, name)
        for name in owned.config_maps:
            if not (name == config_name(self._case.key[1]) and keeps_service):
                yield from self._remove(CONFIG_MAP, owned.config_maps, name)

    def _is_unprotected(self, name: str) -> bool:
        segment = self._segments.get(name)
        return segment is not None and segment.node in self._step.unprotected

    def _remove(self, kind: str, objects: Mapping[str, Object], name: str) -> Iterator[Action]:
        live = objects.get(name)
        if live is not None and not reading.being_deleted(live):
            yield _delete(self._case, kind, live)


def replaced_by(case: Case, step: Step, writes: Iterable[Action]) -> list[str]:
    """Wanted Deployments that are deleted only since someone added to them."""
    wanted: frozenset[str] = case.wanted.names if case.wanted else frozenset()
    return [
        action.name
        for action in writes
        if isinstance(action, Delete)
        and action.kind == DEPLOYMENT
        and action.name in wanted
        and action.name not in step.remove
    ]


def _identity(revision: Revision) -> tuple[str, int]:
    return revision.digest, revision.generation


def _written_part(obj: Object) -> dict[str, object]:
    """What of an object is the operator's to write."""
    metadata = reading.mapping(obj, "metadata")
    parts = {key: obj[key] for key in ("spec", "data") if key in obj}
    kept = ("labels", "annotations", "ownerReferences")
    return parts | {"metadata": {key: metadata[key] for key in kept if key in metadata}}


def _delete(case: Case, kind: str, live: Object) -> Delete:
    return Delete(case.key, kind, case.key[0], reading.name(live), reading.uid(live))
