import json
from functools import partial

import pytest

from testbed import ControlPlane, TestbedTimeoutError
from testbed.kwok import ANNOTATION_READY, ANNOTATION_READY_AFTER, ANNOTATION_STOP_AFTER
from testbed.process import wait_for

HOUR = "1h"


def create_pod(
    cluster: ControlPlane, namespace: str, name: str, annotations: dict[str, str] | None = None
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {
            "initContainers": [
                {"name": "init", "image": "init"},
                {"name": "sidecar", "image": "sidecar", "restartPolicy": "Always"},
            ],
            "containers": [{"name": "main", "image": "main"}],
            "readinessGates": [{"conditionType": "example.org/gate"}],
        },
    }
    cluster.kubectl("apply", "-f", "-", input=json.dumps(pod))


def wait_for_pod(cluster: ControlPlane, namespace: str, name: str, condition: str) -> None:
    cluster.kubectl("wait", f"pod/{name}", "-n", namespace, f"--for={condition}", "--timeout=60s")


def test_a_node_has_what_it_was_created_with(cluster: ControlPlane) -> None:
    cluster.kwok.create_node(
        "edge-0",
        labels={"finoperator.io/tier": "edge"},
        cpu="2",
        memory="4Gi",
        pods=20,
        allocatable={"cpu": "1500m"},
    )
    cluster.kwok.wait_until_ready("edge-0")
    node = cluster.core.read_node("edge-0")
    assert node.metadata
    assert node.metadata.labels
    assert node.status
    assert node.metadata.labels["finoperator.io/tier"] == "edge"
    assert node.metadata.labels["kubernetes.io/hostname"] == "edge-0"
    assert node.status.capacity == {"cpu": "2", "memory": "4Gi", "pods": "20"}
    assert node.status.allocatable == {"cpu": "1500m", "memory": "4Gi", "pods": "20"}


def test_a_failed_node_is_lost_loses_its_pods_and_comes_back(
    cluster: ControlPlane, namespace: str
) -> None:
    cluster.kwok.create_node("first")
    cluster.kubectl("create", "deployment", "app", "--image=app", "-n", namespace)
    available = ("deployment/app", "-n", namespace, "--for=condition=Available")
    cluster.kubectl("wait", *available, "--timeout=60s")

    cluster.kwok.fail_node("first")
    cluster.kwok.wait_until_lost("first")
    cluster.kwok.create_node("second")
    wait_for(partial(has_ready_pod_on, cluster, namespace, "second"), 60, "the pod to move")

    cluster.kwok.restore_node("first")
    cluster.kwok.wait_until_ready("first")
    # Its kubelet ends the pod that was evicted meanwhile.
    wait_for(lambda: len(pods_of(cluster, namespace)) == 1, 60, "the evicted pod to be gone")


def pods_of(cluster: ControlPlane, namespace: str) -> list[dict[str, dict[str, object]]]:
    text = cluster.kubectl("get", "pods", "-n", namespace, "-o", "json").stdout
    items: list[dict[str, dict[str, object]]] = json.loads(text)["items"]
    return items


def has_ready_pod_on(cluster: ControlPlane, namespace: str, node: str) -> bool:
    return any(
        pod["spec"].get("nodeName") == node and pod["status"]["phase"] == "Running"
        for pod in pods_of(cluster, namespace)
    )


def test_a_node_that_does_not_fail_stays_ready(cluster: ControlPlane) -> None:
    cluster.kwok.create_node("node-0")
    cluster.kwok.wait_until_ready("node-0")
    with pytest.raises(TestbedTimeoutError, match="node node-0 to be NotReady in vain"):
        # Longer than the grace period: the lease is being renewed.
        cluster.kwok.wait_until_lost("node-0", timeout=12)


def test_pods_become_ready_by_themselves(cluster: ControlPlane, namespace: str) -> None:
    cluster.kwok.create_node("node-0")
    create_pod(cluster, namespace, "plain")
    wait_for_pod(cluster, namespace, "plain", "condition=Ready")
    status = cluster.core.read_namespaced_pod("plain", namespace).status
    assert status
    assert status.pod_ip
    assert status.pod_ip.startswith("198.18.")
    assert status.container_statuses
    assert [one.ready for one in status.container_statuses] == [True]
    assert status.init_container_statuses
    init, sidecar = (one.state for one in status.init_container_statuses)
    assert init
    assert init.terminated
    assert sidecar
    assert sidecar.running


def test_readiness_is_slowed_by_an_annotation(cluster: ControlPlane, namespace: str) -> None:
    cluster.kwok.create_node("node-0")
    create_pod(cluster, namespace, "slow", {ANNOTATION_READY_AFTER: "2s"})
    create_pod(cluster, namespace, "slower", {ANNOTATION_READY_AFTER: HOUR})
    wait_for_pod(cluster, namespace, "slow", "condition=Ready")
    wait_for_pod(cluster, namespace, "slower", "jsonpath={.status.phase}=Running")
    wait_for_pod(cluster, namespace, "slower", "condition=Ready=False")
    slow = cluster.core.read_namespaced_pod("slow", namespace)
    assert slow.status
    assert slow.status.conditions
    ready = next(one for one in slow.status.conditions if one.type == "Ready")
    assert slow.status.start_time
    assert ready.last_transition_time
    assert (ready.last_transition_time - slow.status.start_time).total_seconds() >= 1


def test_readiness_fails_and_returns_by_an_annotation(
    cluster: ControlPlane, namespace: str
) -> None:
    cluster.kwok.create_node("node-0")
    create_pod(cluster, namespace, "failing", {ANNOTATION_READY: "false"})
    create_pod(cluster, namespace, "working")
    wait_for_pod(cluster, namespace, "failing", "jsonpath={.status.phase}=Running")
    wait_for_pod(cluster, namespace, "working", "condition=Ready")

    cluster.kubectl("annotate", "pod", "failing", "-n", namespace, f"{ANNOTATION_READY}-")
    cluster.kubectl("annotate", "pod", "working", "-n", namespace, f"{ANNOTATION_READY}=false")

    wait_for_pod(cluster, namespace, "failing", "condition=Ready")
    wait_for_pod(cluster, namespace, "working", "condition=Ready=False")


def test_the_end_is_slowed_by_an_annotation(cluster: ControlPlane, namespace: str) -> None:
    cluster.kwok.create_node("node-0")
    create_pod(cluster, namespace, "plain")
    create_pod(cluster, namespace, "lingering", {ANNOTATION_STOP_AFTER: HOUR})
    wait_for_pod(cluster, namespace, "plain", "condition=Ready")
    wait_for_pod(cluster, namespace, "lingering", "condition=Ready")
    cluster.kubectl("delete", "pod", "lingering", "-n", namespace, "--wait=false")
    cluster.kubectl("delete", "pod", "plain", "-n", namespace, "--timeout=60s")
    metadata = cluster.core.read_namespaced_pod("lingering", namespace).metadata
    assert metadata
    assert metadata.deletion_timestamp


def test_pods_of_a_job_complete(cluster: ControlPlane, namespace: str) -> None:
    cluster.kwok.create_node("node-0")
    cluster.kubectl("create", "job", "work", "--image=work", "-n", namespace)
    cluster.kubectl(
        "wait", "job/work", "-n", namespace, "--for=condition=Complete", "--timeout=60s"
    )


def test_pods_that_a_controller_makes_are_annotated_while_asked_for(
    cluster: ControlPlane, namespace: str
) -> None:
    cluster.kwok.create_node("node-0")
    with cluster.kwok.annotate_new_pods({ANNOTATION_READY: "false"}, namespace=namespace):
        cluster.kubectl("create", "deployment", "failing", "--image=app", "-n", namespace)
        wait_for(lambda: len(pods_of(cluster, namespace)) == 1, 60, "the pod")
    cluster.kubectl("create", "deployment", "working", "--image=app", "-n", namespace)
    available = ("deployment/working", "-n", namespace, "--for=condition=Available")
    cluster.kubectl("wait", *available, "--timeout=60s")
    marked = {
        pod["metadata"]["labels"]["app"]: ANNOTATION_READY in pod["metadata"].get("annotations", {})  # type: ignore[index, operator]
        for pod in pods_of(cluster, namespace)
    }
    assert marked == {"failing": True, "working": False}


def test_only_pods_pinned_to_a_node_are_annotated(cluster: ControlPlane, namespace: str) -> None:
    def pinned(name: str, node: str) -> str:
        field = {"key": "metadata.name", "operator": "In", "values": [node]}
        selector = {"nodeSelectorTerms": [{"matchFields": [field]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": selector}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "containers": [{"name": "main", "image": "main"}],
                    "affinity": {"nodeAffinity": required},
                },
            }
        )

    cluster.kwok.create_node("good")
    cluster.kwok.create_node("bad")
    annotations = {ANNOTATION_READY: "false"}
    with cluster.kwok.annotate_new_pods(annotations, namespace=namespace, node="bad"):
        cluster.kubectl("apply", "-f", "-", input=pinned("on-good", "good"))
        cluster.kubectl("apply", "-f", "-", input=pinned("on-bad", "bad"))
        create_pod(cluster, namespace, "anywhere")
    wait_for_pod(cluster, namespace, "on-good", "condition=Ready")
    wait_for_pod(cluster, namespace, "anywhere", "condition=Ready")
    wait_for_pod(cluster, namespace, "on-bad", "condition=Ready=False")
