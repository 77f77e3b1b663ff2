"""A snapshot in the planner's terms: the problem, and what is wrong with the rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fin.api.dnnmodel import DNNModel
from fin.api.inferenceapp import InferenceApp
from fin.api.networktopology import NetworkTopology
from fin.api.parsing import InvalidObject, parse
from fin.api.resource import Resource
from fin.cluster import reading
from fin.cluster.apps import Surroundings, planning_app
from fin.cluster.capacity import Demand, demands
from fin.cluster.findings import Finding, Rejection
from fin.cluster.lost import lost_nodes
from fin.cluster.models import planning_model
from fin.cluster.nodes import node_state, planning_node, takes_part
from fin.cluster.snapshot import Object, Snapshot
from fin.cluster.state import NodeState
from fin.cluster.taints import of_model, takes_no_segment
from fin.cluster.telemetry.adapting import DECLARED, Adapted, planned_with, still_valid
from fin.cluster.topology import network
from fin.planning.problem import App, AppKey, Node, Problem

ModelKey = tuple[str, str]
"""Namespace and name of a model."""
R = TypeVar("R", bound=Resource)


@dataclass(frozen=True)
class World:
    """What a round of planning knows.

    Attributes
    ----------
    problem
        Only what can be planned: accepted apps with a model and a source, nodes that are Ready
        and fully labelled, links between them.
    apps, models
        The resources whose spec is valid.
    nodes
        Every node of the snapshot, by name.
    rejected
        Apps that are not in the problem, and why.
    findings
        What is wrong with nodes, topologies and models.
    lost_nodes
        Nodes on which a running segment is lost, by app.
    adapted
        Apps of the problem that ask for it (``spec.adapt``), and the values that they are planned
        with in place of declared ones.
    """

    problem: Problem
    apps: Mapping[AppKey, InferenceApp]
    models: Mapping[ModelKey, DNNModel]
    nodes: Mapping[str, NodeState]
    rejected: Mapping[AppKey, Rejection]
    findings: tuple[Finding, ...]
    lost_nodes: Mapping[AppKey, frozenset[str]] = field(default_factory=dict)
    adapted: Mapping[AppKey, Adapted] = field(default_factory=dict)

    def lost(self, app: AppKey) -> frozenset[str]:
        """Nodes on which a running segment of ``app`` is lost (see ``fin.cluster.lost``)."""
        return self.lost_nodes.get(app, frozenset())


def build_world(
    snapshot: Snapshot,
    utilisation: float = 0.8,
    adapted: Mapping[AppKey, Adapted] | None = None,
) -> World:
    """Turn a snapshot into the planner's terms; what is wrong is left out, and nothing else.

    Parameters
    ----------
    snapshot
        Objects in any order; anything at all may be in them.
    utilisation
        Share of a reservation, and of a link, that load may fill (rho).
    adapted
        Values in place of declared ones; what does not hold any more is passed over.
    """
    objects = {name: node for node in snapshot.nodes if (name := reading.name(node))}
    taken = demands(snapshot.pods)
    states = {
        name: node_state(objects[name], taken.get(name, Demand())) for name in sorted(objects)
    }
    models, bad_models = _parsed(DNNModel, snapshot.models)
    topologies, bad_topologies = _parsed(NetworkTopology, snapshot.topologies)
    apps, bad_apps = _parsed(InferenceApp, snapshot.apps)
    nodes, absent, findings = _nodes(objects, states)
    net = network(topologies.values(), {node.name: node.tier for node in nodes})
    around = Surroundings(
        models={key: planning_model(model) for key, model in models.items()},
        invalid_models=bad_models,
        nodes=states,
        tiers={node.name: node.tier for node in nodes},
        absent=absent,
        utilisation=utilisation,
    )
    planned, rejected = _apps(apps, models, around, snapshot.apps)
    rejected |= {
        key: Rejection("InvalidSpec", "; ".join(map(str, error.errors)), "Accepted")
        for key, error in bad_apps.items()
    }
    valid = _still_valid(planned, apps, models, adapted or {})
    return World(
        problem=Problem(
            nodes=tuple(map(net.limited, nodes)),
            links=net.links,
            apps=tuple(planned_with(app, valid.get(app.key, DECLARED)) for app in planned),
            utilisation=utilisation,
        ),
        apps=apps,
        models=models,
        nodes=states,
        rejected=dict(sorted(rejected.items())),
        findings=(
            *findings,
            *_invalid(bad_models, snapshot.models),
            *_invalid(bad_topologies, snapshot.topologies),
            *net.findings,
        ),
        lost_nodes=lost_nodes(snapshot.deployments, states),
        adapted=valid,
    )


def _still_valid(
    planned: Iterable[App],
    apps: Mapping[AppKey, InferenceApp],
    models: Mapping[ModelKey, DNNModel],
    adapted: Mapping[AppKey, Adapted],
) -> dict[AppKey, Adapted]:
    return {
        app.key: still_valid(
            adapted.get(app.key, DECLARED), app.rate, models[app.namespace, app.model.name]
        )
        for app in planned
        if apps[app.key].spec.adapt
    }


def _parsed(
    model: type[R], objects: Iterable[Object]
) -> tuple[dict[tuple[str, str], R], dict[tuple[str, str], InvalidObject]]:
    """Validate objects: the valid ones, and what is wrong with the others, by namespace and name.

    An object without a name can't exist; it is passed over.
    """
    named = {(reading.namespace(each), reading.name(each)): each for each in objects}
    valid: dict[tuple[str, str], R] = {}
    invalid: dict[tuple[str, str], InvalidObject] = {}
    for key, each in sorted(named.items(), key=lambda item: item[0]):
        if not key[1]:
            continue
        try:
            valid[key] = parse(model, each)
        except InvalidObject as error:
            invalid[key] = error
    return valid, invalid


def _nodes(
    objects: Mapping[str, Object], states: Mapping[str, NodeState]
) -> tuple[tuple[Node, ...], dict[str, str], list[Finding]]:
    """Return nodes that take part, why others that mean to do not, and what to tell of these."""
    nodes: list[Node] = []
    absent: dict[str, str] = {}
    findings: list[Finding] = []
    for name, state in states.items():
        if not takes_part(objects[name]):
            continue
        found = planning_node(objects[name], state)
        if isinstance(found, Finding):
            absent[name] = found.message
            findings.append(found)
        elif not state.ready:
            absent[name] = "it is not Ready"
        else:
            nodes.append(found)
    return tuple(nodes), absent, findings


def _apps(
    apps: Mapping[AppKey, InferenceApp],
    models: Mapping[ModelKey, DNNModel],
    around: Surroundings,
    objects: Iterable[Object],
) -> tuple[tuple[App, ...], dict[AppKey, Rejection]]:
    planned: list[App] = []
    rejected: dict[AppKey, Rejection] = {}
    going = {
        (reading.namespace(each), reading.name(each))
        for each in objects
        if reading.being_deleted(each)
    }
    barred = {key: _barred(model, around) for key, model in models.items()}
    for key, app in apps.items():
        if key in going:
            rejected[key] = Rejection("BeingDeleted", "The app is being deleted")
            continue
        found = planning_app(app, barred.get((key[0], app.spec.model), frozenset()), around)
        if isinstance(found, App):
            planned.append(found)
        else:
            rejected[key] = found
    return tuple(planned), rejected


def _barred(model: DNNModel, around: Surroundings) -> frozenset[str]:
    """Nodes that take no new segment of a model."""
    tolerations = of_model(model.spec.segment.tolerations)
    return frozenset(
        name for name in around.tiers if takes_no_segment(around.nodes[name], tolerations)
    )


def _invalid(
    errors: Mapping[tuple[str, str], InvalidObject], objects: Iterable[Object]
) -> Iterable[Finding]:
    uids = {(reading.namespace(each), reading.name(each)): reading.uid(each) for each in objects}
    for key, error in errors.items():
        yield Finding(
            kind=error.kind,
            namespace=error.namespace,
            name=key[1],
            uid=uids[key],
            reason="InvalidSpec",
            message="; ".join(map(str, error.errors)),
        )
