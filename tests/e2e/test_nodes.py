"""What the testbed's nodes are: real ones, of the size that they say, with a network."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.utils.quantity import parse_quantity

from testbed.nodes.cluster import Cluster
from testbed.nodes.files import PAUSE_IMAGE
from testbed.nodes.sample import NODES
from testbed.process import wait_for

pytestmark = pytest.mark.timeout(600)

LIMITS = {"cpu": "100m", "memory": "64Mi"}


def web(name: str, node: str | None = None) -> dict[str, Any]:
    """A pod that serves a page; on a node, or by a Deployment wherever there is room."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "nodeName": node,
            "containers": [
                {
                    "name": "web",
                    "image": PAUSE_IMAGE,
                    "command": ["sh", "-c", "cd /tmp && echo $HOSTNAME > page && httpd -f -p 8080"],
                    "resources": {"limits": LIMITS},
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


@pytest.fixture
def pod(cluster: Cluster) -> Iterator[str]:
    """A pod that serves on server-0, behind a Service of its name."""
    kubectl = cluster.control_plane.kubectl
    kubectl("create", "-f", "-", input=json.dumps(web("page", "server-0")))
    kubectl("expose", "pod/page", "--port=80", "--target-port=8080")
    kubectl("wait", "pod/page", "--for=condition=Ready", "--timeout=60s")
    yield "page"
    kubectl("delete", "pod/page", "service/page", "--now")


def test_nodes_are_as_large_as_they_say(cluster: Cluster) -> None:
    told = json.loads(cluster.control_plane.kubectl("get", "nodes", "-o", "json").stdout)
    allocatable = {
        each["metadata"]["name"]: each["status"]["allocatable"] for each in told["items"]
    }
    for spec in NODES:
        assert allocatable[spec.name]["cpu"] == f"{spec.size.millicores}m"
        memory = float(parse_quantity(allocatable[spec.name]["memory"]))
        assert memory == pytest.approx(spec.size.memory, rel=1e-3)


def test_limits_are_those_of_the_containers_group(cluster: Cluster, pod: str) -> None:
    got = cluster.control_plane.kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.uid}").stdout
    group = cluster.nodes["server-0"].network.namespace
    (cpu,) = Path("/sys/fs/cgroup/cpu").glob(f"{group}/kubepods/pod{got}")
    quota = int((cpu / "cpu.cfs_quota_us").read_text())
    assert quota / int((cpu / "cpu.cfs_period_us").read_text()) == pytest.approx(0.1)
    (memory,) = Path("/sys/fs/cgroup/memory").glob(f"{group}/kubepods/pod{got}")
    assert int((memory / "memory.limit_in_bytes").read_text()) == 64 << 20


def test_services_and_names_work_from_other_nodes(cluster: Cluster, pod: str) -> None:
    kubectl = cluster.control_plane.kubectl
    kubectl("create", "-f", "-", input=json.dumps(web("asking", "camera-0")))
    kubectl("wait", "pod/asking", "--for=condition=Ready", "--timeout=60s")
    try:
        url = f"http://{pod}.default.svc.cluster.local/page"
        answer = kubectl("exec", "asking", "--", "wget", "-q", "-O", "-", url)
        assert answer.stdout.strip() == pod
    finally:
        kubectl("delete", "pod/asking", "--now")


def test_a_power_cut_is_noticed_and_its_end_too(cluster: Cluster) -> None:
    kubectl = cluster.control_plane.kubectl
    node = cluster.nodes["gateway-0"]
    node.power_cut()
    cluster.await_ready("gateway-0", ready=False)
    node.power_on()
    cluster.await_ready("gateway-0")
    kubectl("create", "-f", "-", input=json.dumps(web("after", "gateway-0")))
    kubectl("wait", "pod/after", "--for=condition=Ready", "--timeout=60s")
    kubectl("delete", "pod/after", "--now")


def test_a_cut_cable_is_noticed_and_its_mending_too(cluster: Cluster) -> None:
    node = cluster.nodes["gateway-0"]
    node.cut_cable()
    cluster.await_ready("gateway-0", ready=False)
    node.mend_cable()
    cluster.await_ready("gateway-0")
    wait_for(lambda: "NoExecute" not in _taints(cluster, "gateway-0"), 60, "its taints to go")


def _taints(cluster: Cluster, node: str) -> str:
    told = cluster.control_plane.kubectl("get", "node", node, "-o", "jsonpath={.spec.taints}")
    return told.stdout
