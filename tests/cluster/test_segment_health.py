"""Whether a segment is Ready, and the words for why it is not."""

from typing import Any

import pytest

from fin.cluster.health import is_ready, unready_since, why_not_ready

Json = dict[str, Any]


def deployment(generation: int = 2, conditions: list[Json] | None = None, **status: int) -> Json:
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    return {
        "metadata": {"generation": generation, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"observedGeneration": 2, **counts, **status, "conditions": conditions or []},
    }


def condition(type_: str, status: str, **fields: str) -> Json:
    return {"type": type_, "status": status, **fields}


def test_a_segment_is_ready_when_its_pod_of_today_is() -> None:
    assert is_ready(deployment())


@pytest.mark.parametrize(
    "live",
    [
        deployment(generation=3),
        deployment(updatedReplicas=0),
        deployment(replicas=2),
        deployment(readyReplicas=0, availableReplicas=0),
        deployment(replicas=0, updatedReplicas=0, readyReplicas=0, availableReplicas=0),
        {"metadata": {"generation": 1}},
        {"metadata": {"generation": "one"}, "status": {"replicas": "many"}},
        {**deployment(), "metadata": {"generation": 2, "deletionTimestamp": "now"}},
    ],
)
def test_a_segment_is_not_ready(live: Json) -> None:
    assert not is_ready(live)


def test_since_when_it_is_not_ready() -> None:
    at = {"lastTransitionTime": "2026-01-01T00:10:00Z"}
    live = deployment(conditions=[condition("Available", "True", **at)])
    assert unready_since(live, [pod(conditions=[condition("Ready", "False", **at)])]) == 1767226200
    assert unready_since(live, [pod(conditions=[condition("Ready", "True", **at)])]) is None
    created = {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}
    assert unready_since(live, [created]) == 1767225600
    assert unready_since(live, [{"metadata": {"creationTimestamp": "yesterday"}}]) is None
    ends = {"metadata": {**created["metadata"], "deletionTimestamp": "now"}}
    assert unready_since(live, [ends]) is None


def test_a_segment_whose_pod_is_refused_is_not_ready_since_then() -> None:
    refused = condition("ReplicaFailure", "True", lastTransitionTime="2026-01-01T00:10:00Z")
    assert unready_since(deployment(conditions=[refused]), []) == 1767226200
    assert unready_since(deployment(), []) is None


def pod(*, states: list[Json] | None = None, conditions: list[Json] | None = None) -> Json:
    return {
        "metadata": {"name": "pod"},
        "status": {"containerStatuses": states or [], "conditions": conditions or []},
    }


def state(reason: str, message: str = "", **last: Any) -> Json:
    waiting = {"reason": reason, "message": message}
    return {"name": "segment", "state": {"waiting": waiting}, "lastState": last}


@pytest.mark.parametrize(
    ("live", "pods", "words"),
    [
        (None, [], "its Deployment does not exist yet"),
        (deployment(), [], "its pod does not exist yet"),
        (deployment(), [pod()], "its pod is starting"),
        (deployment(), [pod(states=[state("ContainerCreating")])], "its pod is starting"),
        (
            deployment(),
            [pod(states=[state("ImagePullBackOff", 'Back-off pulling image "x"')])],
            'container segment: ImagePullBackOff: Back-off pulling image "x"',
        ),
        (
            deployment(),
            [
                pod(
                    states=[
                        state(
                            "CrashLoopBackOff", terminated={"reason": "OOMKilled", "exitCode": 137}
                        )
                    ]
                )
            ],
            "container segment: CrashLoopBackOff (OOMKilled, exit code 137)",
        ),
        (
            deployment(),
            [pod(conditions=[condition("PodScheduled", "False", message="0/3 nodes")])],
            "its pod can't be scheduled: 0/3 nodes",
        ),
        (
            deployment(conditions=[condition("ReplicaFailure", "True", message="quota")]),
            [],
            "its pod is refused: quota",
        ),
        ({"metadata": {"deletionTimestamp": "now"}}, [], "its Deployment is being deleted"),
    ],
)
def test_why_it_is_not_ready(live: Json | None, pods: list[Json], words: str) -> None:
    assert why_not_ready(live, pods) == words


def test_a_pod_that_is_ending_tells_nothing() -> None:
    ending = pod(states=[state("CrashLoopBackOff")])
    ending["metadata"]["deletionTimestamp"] = "now"
    assert why_not_ready(deployment(), [ending]) == "its pod does not exist yet"
