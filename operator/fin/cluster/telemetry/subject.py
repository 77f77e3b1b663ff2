"""Which apps are observed, where, and what is planned for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from fin.api.dnnmodel import DNNModel
from fin.cluster.answering import Pod, ready_pods
from fin.cluster.decision import Decision
from fin.cluster.observed import Observed
from fin.cluster.revision import Revision
from fin.cluster.snapshot import Snapshot
from fin.cluster.telemetry.adapting import DECLARED, Adapted, describes
from fin.cluster.telemetry.offplan import Promise
from fin.cluster.world import World
from fin.planning.problem import App, AppKey, Problem


@dataclass(frozen=True, slots=True)
class Terms:
    """What an app that runs as planned is planned with.

    Attributes
    ----------
    app
        The app as it is planned.
    declared_rate
        What its spec asks for, inferences/s.
    model
        Its model as it is declared.
    adapted
        Values in force in place of declared ones.
    adapt
        Whether the app asks for such.
    promise
        What the plan promises.
    """

    app: App
    declared_rate: float
    model: DNNModel
    adapted: Adapted
    adapt: bool
    promise: Promise


@dataclass(frozen=True, slots=True)
class Subject:
    """An app that serves.

    Attributes
    ----------
    revision
        Digest of what serves.
    entry
        Name of its entry segment.
    exits
        Names of its exits, in order.
    pods
        A Ready pod of each of its segments, by the segment's name; None where there is none.
    terms
        None where what runs is not of what is planned today.
    """

    revision: str
    entry: str
    exits: tuple[str, ...]
    pods: Mapping[str, Pod | None]
    terms: Terms | None


def subjects(snapshot: Snapshot, world: World, decision: Decision) -> dict[AppKey, Subject]:
    """Return every app that serves."""
    seen = Observed(snapshot)
    return {
        key: Subject(
            revision=state.serving.digest,
            entry=state.serving.entry.name,
            exits=tuple(name for _, name in state.serving.exits),
            pods={
                each.name: next(iter(ready_pods(seen, key, each.digest)), None)
                for each in state.serving.segments
            },
            terms=_terms(world, key, state.serving),
        )
        for key, state in decision.states.items()
        if state.serving is not None
    }


def _terms(world: World, key: AppKey, revision: Revision) -> Terms | None:
    app, spec = world.problem.app.get(key), world.apps.get(key)
    model = world.models.get((key[0], revision.model))
    if app is None or spec is None or model is None or spec.spec.model != revision.model:
        return None
    if not describes(revision, model):
        return None
    promise = promised(world.problem, app, revision)
    if promise is None:
        return None
    return Terms(
        app=app,
        declared_rate=float(spec.spec.rate),
        model=model,
        adapted=world.adapted.get(key, DECLARED),
        adapt=spec.spec.adapt,
        promise=promise,
    )


def promised(problem: Problem, app: App, revision: Revision) -> Promise | None:
    """Return what a revision promises its app; None where a link of it is gone."""
    route = revision.placement.routes[0]
    if any(ends not in problem.link for ends in pairwise(route)):
        return None
    bits = 8 * app.model.transfer_bytes(0)
    links = [problem.link[ends] for ends in pairwise(route)]
    return Promise(
        rate=app.rate,
        shares=dict(planned_shares(app, revision)),
        target=app.latency,
        statistic=app.statistic,
        from_source=sum(bits / link.bandwidth + link.rtt for link in links),
    )


def planned_shares(app: App, revision: Revision) -> Iterator[tuple[str, float]]:
    """Share of the samples that leave at each exit of a revision: at the last all that get there.

    The app's model must have the revision's blocks.
    """
    *early, (last, final) = revision.exits
    for index, name in early:
        leaving = app.model.blocks[index].exit
        yield name, leaving.rate if leaving else 0.0
    yield final, app.reach(last)
