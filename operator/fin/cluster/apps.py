"""InferenceApp to the planner's application, or the reason why it can't be planned."""

import difflib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime

from fin.api.inferenceapp import InferenceApp
from fin.api.names import ANNOTATION_HOLD
from fin.api.parsing import InvalidObject
from fin.cluster.findings import Rejection
from fin.cluster.state import NodeState
from fin.planning.plan import Reason
from fin.planning.problem import App, Model
from fin.planning.waiting import poisson_waiting

_NO_LIMIT = (
    "with arrivals: Poisson inputs wait without limit where reservations may be filled; set the "
    "operator's utilisation below 1, or spec.arrivals: Periodic"
)
_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_NOT_YET_CREATED = "9" * 18
"""Sorts behind every time stamp: what the API server does not have yet is the newest."""


@dataclass(frozen=True)
class Surroundings:
    """What an application is looked up in.

    Attributes
    ----------
    models
        The planner's models, by namespace and name.
    invalid_models
        Why a model that exists can't be used.
    nodes
        Every node of the snapshot.
    tiers
        Tier of each node that takes part.
    absent
        Why a node that means to take part does not.
    utilisation
        Share of a reservation that load may fill.
    """

    models: Mapping[tuple[str, str], Model]
    invalid_models: Mapping[tuple[str, str], InvalidObject]
    nodes: Mapping[str, NodeState]
    tiers: Mapping[str, str]
    absent: Mapping[str, str]
    utilisation: float = 0.8


def planning_app(app: InferenceApp, barred: Set[str], around: Surroundings) -> App | Rejection:
    """Turn a valid app into the planner's, or tell why it has no plan.

    Parameters
    ----------
    app
        The application.
    barred
        Nodes that take no new segment of its model.
    around
        What it is looked up in.
    """
    spec, meta = app.spec, app.metadata
    model = around.models.get((meta.namespace, spec.model))
    if model is None:
        return _no_model(app, around)
    if spec.source.node_name not in around.tiers:
        return Rejection("SourceUnavailable", _no_source(spec.source.node_name, around))
    fault = _placement_fault(app, model, around.tiers.values())
    if fault:
        return Rejection(Reason.PLACEMENT_UNSATISFIABLE.value, fault)
    if spec.arrivals == "Poisson" and around.utilisation >= 1:
        return Rejection(Reason.LATENCY_UNREACHABLE.value, _NO_LIMIT)
    tiers = spec.placement.tiers
    return App(
        namespace=meta.namespace,
        name=meta.name,
        model=model,
        source=spec.source.node_name,
        rate=float(spec.rate),
        latency=float(spec.latency.target),
        min_accuracy=spec.min_accuracy,
        statistic=spec.latency.statistic,
        waiting=poisson_waiting(around.utilisation) if spec.arrivals == "Poisson" else 1.0,
        priority=spec.priority,
        local_blocks=spec.placement.local_blocks,
        tiers=None if tiers is None else frozenset(tiers),
        barred=frozenset(barred),
        created=_created(app),
        hold=meta.annotations.get(ANNOTATION_HOLD) == "true",
    )


def _no_model(app: InferenceApp, around: Surroundings) -> Rejection:
    key = app.metadata.namespace, app.spec.model
    invalid = around.invalid_models.get(key)
    if invalid is not None:
        return Rejection("ModelInvalid", f"spec.model: {invalid}")
    there = sorted(name for namespace, name in around.models if namespace == key[0])
    message = f"spec.model: there is no DNNModel {key[1]} in namespace {key[0]}"
    elsewhere = sorted(namespace for namespace, name in around.models if name == key[1])
    if elsewhere:
        message += f"; one of that name is in namespace {elsewhere[0]}: apply it here too"
    elif there:
        message += f"; {_nearest(key[1], there)}"
    else:
        message += "; apply it"
    return Rejection("ModelNotFound", message)


def _no_source(name: str, around: Surroundings) -> str:
    node = around.nodes.get(name)
    if node is None:
        why = "there is no such node"
        if around.tiers:
            why += f"; {_nearest(name, around.tiers)}"
    elif name in around.absent:
        why = around.absent[name]
    else:
        why = "it has none of the labels finoperator.io/tier, flops and gflops-per-watt: set them"
    return f"spec.source.nodeName: node {name} can't be a source: {why}"


def _placement_fault(app: InferenceApp, model: Model, tiers: Iterable[str]) -> str | None:
    """What no node and no link could mend."""
    placement = app.spec.placement
    if placement.local_blocks > len(model.blocks):
        return (
            f"spec.placement.localBlocks: {placement.local_blocks} blocks can't stay on the "
            f"source: model {model.name} has {len(model.blocks)}"
        )
    if placement.tiers is not None and not set(placement.tiers) & set(tiers):
        asked = ", ".join(placement.tiers)
        there = ", ".join(sorted(set(tiers)))
        return f"spec.placement.tiers: no node of tier {asked} takes part; there are: {there}"
    return None


def _nearest(word: str, words: Iterable[str]) -> str:
    words = sorted(words)
    near = difflib.get_close_matches(word[:64], words, n=1)
    return f"is {near[0]} meant?" if near else f"there are: {', '.join(words[:8])}"


def _created(app: InferenceApp) -> str:
    """Seconds since the year 1, in a form that sorts."""
    created = app.metadata.creation_timestamp
    if created is None:
        return _NOT_YET_CREATED
    if created.tzinfo is None:
        created = created.replace(tzinfo=UTC)
    return f"{max((created - _YEAR_ONE).total_seconds(), 0.0):018.3f}"
