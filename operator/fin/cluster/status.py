"""Status of the three kinds, as it is to be written."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fin.api.dnnmodel import DNNModelStatus
from fin.api.duration import Duration
from fin.api.inferenceapp import (
    InferenceAppStatus,
    PlanStatus,
    SegmentStatus,
)
from fin.api.names import (
    CONDITION_ACCEPTED,
    CONDITION_DRIFTED,
    CONDITION_PLANNED,
    CONDITION_READY,
    DNN_MODEL,
    INFERENCE_APP,
    NETWORK_TOPOLOGY,
)
from fin.api.networktopology import NetworkTopologyStatus
from fin.api.quantity import Quantity
from fin.cluster import reading
from fin.cluster.conditions import Verdict, conditions
from fin.cluster.decision import AppState, Decision
from fin.cluster.findings import Finding
from fin.cluster.render import CannotRenderError, template_of
from fin.cluster.revision import Revision
from fin.cluster.running import plan_of
from fin.cluster.settings import MoveSettings
from fin.cluster.snapshot import Object, Snapshot
from fin.cluster.telemetry.showing import beside_the_plan, exit_statuses
from fin.cluster.telemetry.subject import planned_shares
from fin.cluster.telemetry.track import Told
from fin.cluster.verdicts import accepted, planned, ready
from fin.cluster.world import World
from fin.planning.plan import Plan
from fin.planning.problem import AppKey


@dataclass(frozen=True, slots=True)
class StatusPatch:
    """The whole status of an object; ``namespace`` is empty where it has none."""

    kind: str
    namespace: str
    name: str
    uid: str
    status: Mapping[str, Any]


def status_patches(
    snapshot: Snapshot,
    world: World,
    plan: Plan,
    decision: Decision,
    settings: MoveSettings,
    now: float,
    told: Mapping[AppKey, Told],
) -> tuple[StatusPatch, ...]:
    """Return every status that is not yet as it should be; ``now`` as in ``decide``.

    ``told`` is what is said of what was observed; of an app that is missing in it, what was said
    last stays.
    """
    models = _models(snapshot.models, world, settings)
    return (
        *_changed(INFERENCE_APP, _apps(snapshot.apps, world, plan, decision, now, told)),
        *_changed(DNN_MODEL, _accepted(models, DNNModelStatus, now)),
        *_changed(
            NETWORK_TOPOLOGY,
            _accepted(_topologies(snapshot.topologies, world), NetworkTopologyStatus, now),
        ),
    )


def app_patch(
    app: Object,
    world: World,
    plan: Plan,
    decision: Decision,
    now: float,
    told: Mapping[AppKey, Told],
) -> StatusPatch | None:
    """Return the status of one app, where it is not yet as it should be."""
    statuses = _apps([app], world, plan, decision, now, told)
    return next(_changed(INFERENCE_APP, statuses), None)


def app_status(
    app: Object, state: AppState, world: World, plan: Plan, now: float, told: Told | None
) -> dict[str, Any]:
    """Return the status of an InferenceApp."""
    key = reading.namespace(app), reading.name(app)
    rejection, spec = world.rejected.get(key), world.apps.get(key)
    target = str(spec.spec.latency.target) if spec else ""
    has_plan = planned(state, rejection, plan.refusal.get(key), target)
    drifted, observed = beside_the_plan(app, state.serving, told)
    verdicts = {
        CONDITION_ACCEPTED: accepted(rejection),
        CONDITION_PLANNED: has_plan,
        CONDITION_READY: ready(state, has_plan),
        CONDITION_DRIFTED: drifted,
    }
    shown = state.serving or state.wanted
    return InferenceAppStatus(
        observed_generation=state.generation,
        conditions=conditions(app, verdicts, now),
        plan=_plan(key, shown, world) if shown else None,
        observed=observed,
    ).to_object()


def _apps(
    apps: Iterable[Object],
    world: World,
    plan: Plan,
    decision: Decision,
    now: float,
    told: Mapping[AppKey, Told],
) -> Iterator[tuple[Object, dict[str, Any]]]:
    for app in apps:
        key = reading.namespace(app), reading.name(app)
        state = decision.states.get(key)
        if state is not None:
            yield app, app_status(app, state, world, plan, now, told.get(key))


def _plan(key: AppKey, revision: Revision, world: World) -> PlanStatus:
    facts = revision.facts
    app = world.problem.app.get(key) if plan_of(world.problem, key, revision) else None
    return PlanStatus(
        revision=revision.digest,
        exit=revision.exit,
        accuracy=facts.accuracy,
        latency=Duration.of(facts.latency),
        energy_per_inference=Quantity.of(facts.energy),
        power=Quantity.of(facts.power),
        rate=Quantity.of(app.rate) if app else None,
        exits=exit_statuses(dict(planned_shares(app, revision))) if app else None,
        gap=round(facts.gap, 6),
        segments=tuple(
            SegmentStatus(
                name=segment.name,
                node_name=segment.node,
                tier=_tier(segment.node, world),
                blocks=tuple(revision.blocks[index] for index in segment.blocks),
                cpu=Quantity.of_millicores(segment.millicores),
                memory=Quantity.of_bytes(segment.memory),
            )
            for segment in revision.segments
        ),
    )


def _tier(node: str, world: World) -> str:
    state = world.nodes.get(node)
    return state.tier if state and state.tier else "unknown"


def _models(
    models: Iterable[Object], world: World, settings: MoveSettings
) -> Iterator[tuple[Object, Verdict]]:
    findings = _by_object(world.findings, DNN_MODEL)
    for each in models:
        key = reading.namespace(each), reading.name(each)
        verdict = _verdict(findings.get(key, ()))
        model = world.models.get(key)
        if model is not None and verdict.status == "True":
            try:
                template_of(model, settings.segments)
            except CannotRenderError as error:
                verdict = Verdict("False", error.reason, error.message)
        yield each, verdict


def _topologies(topologies: Iterable[Object], world: World) -> Iterator[tuple[Object, Verdict]]:
    findings = _by_object(world.findings, NETWORK_TOPOLOGY)
    for each in topologies:
        yield each, _verdict(findings.get(("", reading.name(each)), ()))


def _by_object(
    findings: Iterable[Finding], kind: str
) -> dict[tuple[str, str], tuple[Finding, ...]]:
    found: dict[tuple[str, str], tuple[Finding, ...]] = {}
    for finding in findings:
        if finding.kind == kind:
            key = finding.namespace, finding.name
            found[key] = (*found.get(key, ()), finding)
    return found


def _verdict(findings: tuple[Finding, ...]) -> Verdict:
    if not findings:
        return Verdict("True", "Accepted", "The spec is valid")
    first = min(findings, key=lambda finding: finding.accepted)
    message = "; ".join(finding.message for finding in findings)
    return Verdict("True" if first.accepted else "False", first.reason, message)


def _accepted(
    objects: Iterable[tuple[Object, Verdict]],
    model: type[DNNModelStatus] | type[NetworkTopologyStatus],
    now: float,
) -> Iterator[tuple[Object, dict[str, Any]]]:
    for obj, verdict in objects:
        found = conditions(obj, {CONDITION_ACCEPTED: verdict}, now)
        yield obj, model(conditions=found).to_object()


def _changed(kind: str, statuses: Iterable[tuple[Object, dict[str, Any]]]) -> Iterator[StatusPatch]:
    for obj, status in statuses:
        if not reading.being_deleted(obj) and reading.mapping(obj, "status") != status:
            namespace = reading.namespace(obj) if kind != NETWORK_TOPOLOGY else ""
            yield StatusPatch(kind, namespace, reading.name(obj), reading.uid(obj), status)
