"""Free room as it is counted here is exactly the room that the real scheduler still gives."""

import json
from typing import Any

from fin.cluster.snapshot import Snapshot
from fin.cluster.world import build_world
from testbed import ControlPlane
from testbed.process import wait_for
from tests.helpers.objects import container

ALWAYS = {"restartPolicy": "Always"}
OVERHEAD = {"cpu": "70m", "memory": "11Mi"}

# What is on each node beforehand.
CASES: dict[str, dict[str, Any]] = {
    "containers": {"containers": [container("a", cpu="0.1"), container("b", memory="64Mi")]},
    "limits": {
        "containers": [{"name": "a", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]
    },
    "init": {
        "containers": [container("a", cpu="300m", memory="10Mi")],
        "initContainers": [container("i", cpu="1", memory="5Mi"), container("j", cpu="200m")],
    },
    "sidecar": {
        "containers": [container("a", cpu="300m", memory="10Mi")],
        "initContainers": [
            container("before", cpu="550m"),
            {**container("proxy", cpu="250m", memory="20Mi"), **ALWAYS},
            container("after", cpu="350m", memory="30Mi"),
        ],
    },
    "overhead": {"containers": [container("a", cpu="300m")], "runtimeClassName": "heavy"},
    "whole-pod": {
        "containers": [container("a", cpu="300m", memory="10Mi"), container("b", cpu="100m")],
        "resources": {"requests": {"cpu": "900m"}, "limits": {"memory": "200Mi"}},
    },
    "whole-pod-limits": {
        "containers": [{"name": "a"}],
        "resources": {"limits": {"cpu": "800m", "memory": "200Mi"}},
    },
    "fractions": {"containers": [container("a", cpu="0.0015", memory="1500m")]},
}


def manifest(name: str, node: str, spec: dict[str, Any]) -> dict[str, Any]:
    containers = [{"image": "any", **each} for each in spec["containers"]]
    starters = [{"image": "any", **each} for each in spec.get("initContainers", ())]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            **spec,
            "containers": containers,
            "initContainers": starters,
            "nodeSelector": {"kubernetes.io/hostname": node},
        },
    }


def apply(cluster: ControlPlane, namespace: str, *objects: dict[str, Any]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(listed))


def items(cluster: ControlPlane, kind: str) -> tuple[dict[str, Any], ...]:
    found = json.loads(cluster.kubectl("get", kind, "-A", "-o", "json").stdout)
    return tuple(found["items"])


def scheduled(cluster: ControlPlane, namespace: str) -> dict[str, str]:
    """Return the status of each pod's PodScheduled condition."""
    return {
        pod["metadata"]["name"]: condition["status"]
        for pod in items(cluster, "pods")
        if pod["metadata"]["namespace"] == namespace
        for condition in pod.get("status", {}).get("conditions", ())
        if condition["type"] == "PodScheduled"
    }


def test_the_scheduler_gives_exactly_what_is_free(cluster: ControlPlane, namespace: str) -> None:
    heavy = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "heavy"},
        "handler": "heavy",
        "overhead": {"podFixed": OVERHEAD},
    }
    apply(cluster, namespace, heavy)
    for case in CASES:
        cluster.kwok.create_node(f"node-{case}", cpu="4", memory="4Gi")
    cluster.kwok.wait_until_ready(*(f"node-{case}" for case in CASES))
    apply(
        cluster, namespace, *(manifest(case, f"node-{case}", spec) for case, spec in CASES.items())
    )
    wait_for(
        lambda: scheduled(cluster, namespace) == dict.fromkeys(CASES, "True"),
        60,
        "the first pods to be scheduled",
    )

    world = build_world(Snapshot(nodes=items(cluster, "nodes"), pods=items(cluster, "pods")))

    probes, expected = [], dict.fromkeys(CASES, "True")
    for case in CASES:
        state = world.nodes[f"node-{case}"]
        cpu, memory = state.free_millicores, state.free_memory
        assert cpu < 4000
        for name, asked, status in (
            # Those that don't fit come first: none of them may take the place of one that does.
            ("cpu", {"cpu": f"{cpu + 1}m"}, "False"),
            ("memory", {"memory": str(memory + 1)}, "False"),
            ("fits", {"cpu": f"{cpu}m", "memory": str(memory)}, "True"),
        ):
            spec = {"containers": [container("probe", **asked)]}
            probes.append(manifest(f"{case}-{name}", f"node-{case}", spec))
            expected[f"{case}-{name}"] = status
    apply(cluster, namespace, *probes)
    wait_for(
        lambda: scheduled(cluster, namespace).keys() == expected.keys(),
        60,
        "the scheduler to have tried all pods",
    )
    wait_for(
        lambda: scheduled(cluster, namespace) == expected,
        30,
        "the scheduler to agree",
    )
