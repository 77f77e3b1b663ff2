"""What the API server tells of apps and of what runs for them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fin.api import Duration, PlanStatus, Quantity
from fin.api.names import CONDITION_PLANNED, CONDITION_READY, FIELD_MANAGER
from testbed.controlplane import ControlPlane

Key = tuple[str, str]
"""Namespace and name of an app."""
Object = Mapping[str, Any]


@dataclass(frozen=True)
class AppView:
    """An app as its resource tells: what it asks for, its conditions and its plan."""

    key: Key
    generation: int
    target: Duration
    min_accuracy: float
    conditions: Mapping[str, Object]
    plan: PlanStatus | None

    @property
    def name(self) -> str:
        """The app's name."""
        return self.key[1]

    @property
    def ready(self) -> bool:
        """Whether it serves as its present spec asks."""
        return self._is(CONDITION_READY, "True")

    @property
    def refused(self) -> bool:
        """Whether it has no plan."""
        return self._is(CONDITION_PLANNED, "False")

    @property
    def why_refused(self) -> str:
        """Reason and message of its condition Planned."""
        planned = self.conditions[CONDITION_PLANNED]
        return f"{planned['reason']}: {planned['message']}"

    @property
    def told(self) -> str:
        """Reason and message of its condition Ready."""
        ready = self.conditions.get(CONDITION_READY)
        return f"{ready['reason']}: {ready['message']}" if ready else "no condition Ready yet"

    @property
    def nodes(self) -> tuple[str, ...]:
        """Nodes that run its blocks, in the order in which data enters them."""
        return tuple(each.node_name for each in self.plan.segments) if self.plan else ()

    def _is(self, kind: str, status: str) -> bool:
        """Whether a condition that speaks of the present spec has a status."""
        found = self.conditions.get(kind, {})
        return found.get("status") == status and found.get("observedGeneration") == self.generation


@dataclass(frozen=True)
class Workload:
    """A Deployment of the operator's, with the node of its pod."""

    name: str
    node: str
    ready: bool
    requests: Mapping[str, Quantity]
    limits: Mapping[str, Quantity]


@dataclass(frozen=True)
class AppEvent:
    """An Event about an app; ``version`` differs each time it is told."""

    version: str
    app: str
    reason: str
    message: str


def read_apps(cluster: ControlPlane) -> dict[Key, AppView]:
    """Read every InferenceApp."""
    return {each.key: each for each in map(_app, get(cluster, "inferenceapps"))}


def read_workloads(cluster: ControlPlane) -> dict[tuple[str, str], Workload]:
    """Read the operator's Deployments, by namespace and name."""
    pods = get(cluster, "pods", _OURS)
    return {
        (each["metadata"]["namespace"], each["metadata"]["name"]): _workload(each, pods)
        for each in get(cluster, "deployments", _OURS)
    }


def read_events(cluster: ControlPlane) -> list[AppEvent]:
    """Read what the operator has told of apps: of each in the order in which it did."""
    selector = "--field-selector=involvedObject.kind=InferenceApp"
    events = [
        AppEvent(
            version=each["metadata"]["resourceVersion"],
            app=each["involvedObject"]["name"],
            reason=each["reason"],
            message=each["message"],
        )
        for each in get(cluster, "events", selector)
    ]
    return sorted(events, key=lambda each: (each.app, int(each.version)))


_OURS = f"--selector=app.kubernetes.io/managed-by={FIELD_MANAGER}"


def get(cluster: ControlPlane, kind: str, *args: str) -> list[Object]:
    """Read the objects of a kind, in all namespaces."""
    found = cluster.kubectl("get", kind, "--all-namespaces", "-o", "json", *args)
    items: list[Object] = json.loads(found.stdout)["items"]
    return items


def _app(obj: Object) -> AppView:
    metadata, spec, status = obj["metadata"], obj["spec"], obj.get("status", {})
    plan = status.get("plan")
    return AppView(
        key=(metadata["namespace"], metadata["name"]),
        generation=metadata["generation"],
        target=Duration.parse(spec["latency"]["target"]),
        min_accuracy=spec["minAccuracy"],
        conditions={each["type"]: each for each in status.get("conditions", ())},
        plan=PlanStatus.model_validate(plan) if plan else None,
    )


def _workload(obj: Object, pods: Iterable[Object]) -> Workload:
    labels = obj["spec"]["selector"]["matchLabels"]
    namespace = obj["metadata"]["namespace"]
    nodes = [
        pod["spec"].get("nodeName", "")
        for pod in pods
        if pod["metadata"]["namespace"] == namespace
        and labels.items() <= pod["metadata"]["labels"].items()
        and "deletionTimestamp" not in pod["metadata"]
    ]
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    return Workload(
        name=obj["metadata"]["name"],
        node=", ".join(nodes),
        ready=obj.get("status", {}).get("readyReplicas") == 1,
        requests=_quantities(container["resources"]["requests"]),
        limits=_quantities(container["resources"]["limits"]),
    )


def _quantities(raw: Mapping[str, str]) -> dict[str, Quantity]:
    return {name: Quantity.parse(value) for name, value in raw.items()}
