"""Ways to break an app that runs on real nodes, and what mends them."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fin.api import Quantity
from fin.api.names import LABEL_FLOPS
from fin.controller import kinds
from testbed.nodes.cluster import Cluster
from testbed.process import wait_for
from tests.e2e.conftest import NAMESPACE, RELEASE
from tests.e2e.faults import Steady
from tests.e2e.promised import group
from tests.e2e.sites import Site
from tests.helpers.api import Object, condition

_TOPOLOGY = "digit-reader"
_DIRECT = {
    "from": {"nodeName": "camera-0"},
    "to": {"nodeName": "server-0"},
    "bandwidth": "100M",
    "rtt": "6ms",
    "energyPerBit": "45n",
}


@contextmanager
def bypass(site: Site) -> Iterator[None]:
    """Declare a way from the camera to the server that leaves the gateway out."""
    topology = {
        "apiVersion": "finoperator.io/v1alpha1",
        "kind": "NetworkTopology",
        "metadata": {"name": "bypass"},
        "spec": {"links": [_DIRECT]},
    }
    site.kubectl("apply", "-f", "-", input=site.named(json.dumps(topology)))
    try:
        yield
    finally:
        site.kubectl("delete", "networktopology/bypass")


def find(cluster: Cluster, steady: Steady, node: str) -> None:
    """Switch a node on, and wait until it takes pods."""
    cluster.nodes[node].power_on()
    cluster.await_ready(node)

    def is_clean() -> bool:
        return not steady.api.get(kinds.NODE, "", node)["spec"].get("taints")

    wait_for(is_clean, 60, f"{node} to have no taints")


def label(steady: Steady, node: str, flops: str | None) -> None:
    """Set what a node computes, or take it away."""
    labels = {LABEL_FLOPS: flops}
    steady.api.patch(kinds.NODE, "", steady.site.nodes[node], {"metadata": {"labels": labels}})


def flops(steady: Steady, node: str) -> str:
    """Return what a node computes by its label."""
    labels = steady.api.get(kinds.NODE, "", steady.site.nodes[node])["metadata"]["labels"]
    return str(labels[LABEL_FLOPS])


def target(steady: Steady, value: str) -> None:
    """Ask for another latency."""
    patch = {"spec": {"latency": {"target": value}}}
    steady.api.patch(kinds.APP, "default", steady.app, patch)


def declare(steady: Steady, rtt: str) -> None:
    """Say of the camera's link to the gateway how slow it is."""
    links = steady.api.get(kinds.TOPOLOGY, "", _TOPOLOGY)["spec"]["links"]
    links[0]["rtt"] = rtt
    steady.api.patch(kinds.TOPOLOGY, "", _TOPOLOGY, {"spec": {"links": links}})


def drifted(steady: Steady) -> str:
    """Return the status of the app's condition Drifted."""
    return str(condition(steady.get(), "Drifted").get("status"))


def crash(cluster: Cluster, steady: Steady, segment: str) -> None:
    """Kill all that runs in a segment's pod, but for what holds its namespaces."""
    for process in _processes(group(cluster, steady.pods()[segment])):
        if b"pause" not in Path("/proc", str(process), "cmdline").read_bytes():
            os.kill(process, signal.SIGKILL)


def _processes(place: Path) -> Iterator[int]:
    for directory, _, _ in os.walk(place):
        yield from map(int, Path(directory, "cgroup.procs").read_text().split())


def delete_pod(steady: Steady, segment: str) -> None:
    """Delete a segment's pod: its Deployment makes another."""
    pod = steady.pods()[segment]["metadata"]["name"]
    steady.api.delete(kinds.POD, "default", pod)


def kill_operator(steady: Steady) -> None:
    """Let the operator's pod vanish, and wait for another."""
    kubectl = steady.site.kubectl
    there = f"--namespace={NAMESPACE}"
    kubectl(
        "delete", "pods", f"--selector=app.kubernetes.io/instance={RELEASE}", there, "--force",
        "--grace-period=0",
    )  # fmt: skip
    kubectl("rollout", "status", f"deployment/{RELEASE}", there, "--timeout=90s", timeout=120)


@contextmanager
def watch_cut(cluster: Cluster, steady: Steady) -> Iterator[None]:
    """Reset all connections of the operator to the API server, as long as it lasts."""
    selector = f"app.kubernetes.io/instance={RELEASE}"
    (pod,) = steady.api.list(kinds.POD, NAMESPACE, selector)
    node = cluster.nodes[pod["spec"]["nodeName"]].network.namespace
    port = cluster.control_plane.url.rpartition(":")[2]
    rule = [
        *("FORWARD", "--source", pod["status"]["podIP"], "--protocol", "tcp"),
        *("--dport", port, "--jump", "REJECT", "--reject-with", "tcp-reset"),
    ]

    def iptables(what: str) -> None:
        subprocess.run(["ip", "netns", "exec", node, "iptables", what, *rule], check=True)

    iptables("-I")
    try:
        yield
    finally:
        iptables("-D")


def cut_for_a_moment(cluster: Cluster, steady: Steady) -> None:
    """Cut the operator's watches while the app changes."""
    with watch_cut(cluster, steady):
        target(steady, "40ms")


@contextmanager
def filled(steady: Steady, node: str, left: int) -> Iterator[None]:
    """Let a pod take all of a node's CPU but for so many millicores."""
    name, node = f"filler-{node}", steady.site.nodes[node]
    pods = steady.api.list(kinds.POD)
    image = next(iter(steady.pods().values()))["spec"]["containers"][0]["image"]
    taken = sum(
        float(Quantity.parse(container["resources"].get("requests", {}).get("cpu", "0")))
        for pod in pods
        if pod["spec"].get("nodeName") == node and pod["status"]["phase"] in ("Pending", "Running")
        for container in pod["spec"]["containers"]
    )
    offered = steady.api.get(kinds.NODE, "", node)["status"]["allocatable"]["cpu"]
    rest = round(1000 * (float(Quantity.parse(offered)) - taken)) - left
    resources = {"requests": {"cpu": f"{rest}m"}, "limits": {"cpu": f"{rest}m", "memory": "16Mi"}}
    container = {
        "name": "filler",
        "image": image,
        "command": ["sleep", "infinity"],
        "resources": resources,
    }
    metadata = {"name": name, "namespace": "default"}
    spec = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    steady.api.create(
        kinds.POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    )
    try:
        yield
    finally:
        steady.api.delete(kinds.POD, "default", name)


def copied(app: Object, name: str, **spec: Any) -> Object:
    """Return an app like another, but for some fields."""
    metadata = {"name": name, "namespace": app["metadata"]["namespace"]}
    return {
        "apiVersion": app["apiVersion"],
        "kind": app["kind"],
        "metadata": metadata,
        "spec": {**app["spec"], **spec},
    }


def deployments(steady: Steady, app: str) -> list[Object]:
    """Return an app's Deployments."""
    return steady.api.list(kinds.DEPLOYMENT, "default", f"finoperator.io/app={app}")


def ready(pod: Object | None) -> str:
    """Return the uid of a pod that is Ready, or nothing."""
    told = (pod or {}).get("status", {}).get("conditions", ())
    is_ready = any(each["type"] == "Ready" and each["status"] == "True" for each in told)
    return str(pod["metadata"]["uid"]) if pod and is_ready else ""


def uids(pods: dict[str, dict[str, Any]]) -> set[str]:
    """Return the identities of pods."""
    return {each["metadata"]["uid"] for each in pods.values()}
