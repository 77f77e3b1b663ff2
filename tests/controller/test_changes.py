"""What wakes the planner, and what is noise."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from fin.controller import kinds
from fin.controller.changes import Changes
from fin.controller.kinds import Kind
from fin.controller.selectors import WATCHED
from tests.helpers import objects

Object = dict[str, Any]
Edit = Callable[[Object], object]

OURS = {"app.kubernetes.io/managed-by": "fin-operator", "finoperator.io/segment": "abcd1234"}


def seen(kind: Kind, obj: Object) -> Changes:
    changes = Changes()
    assert changes.matters(kind, "ADDED", obj)
    return changes


def matters(kind: Kind, obj: Object, edit: Edit) -> bool:
    changes = seen(kind, obj)
    after = copy.deepcopy(obj)
    edit(after)
    return changes.matters(kind, "MODIFIED", after)


def node() -> Object:
    obj = objects.node("edge-0")
    obj["status"]["conditions"].append({"type": "MemoryPressure", "status": "False"})
    obj["status"]["capacity"] = dict(obj["status"]["allocatable"])
    return obj


def pod() -> Object:
    obj = objects.pod("p", "edge-0", objects.container(cpu="1", memory="1Gi"), labels={"a": "b"})
    return obj | {"metadata": obj["metadata"] | {"uid": "uid-p"}}


def deployment() -> Object:
    obj = objects.segment_deployment("camera", "edge-0")
    obj["metadata"] |= {"uid": "uid-d", "annotations": {"finoperator.io/plan": "{}"}}
    return obj | {"status": {"readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 1}}


def owned(kind: str, **body: Any) -> Object:
    metadata = {"name": "camera", "namespace": "default", "uid": "uid-o", "labels": dict(OURS)}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}


def of(obj: Object, *path: str) -> Any:
    found: Any = obj
    for key in path:
        found = found[key]
    return found


NODE_CHANGES: dict[str, Edit] = {
    "another tier": lambda o: of(o, "metadata", "labels").update({"finoperator.io/tier": "x"}),
    "a label gone": lambda o: of(o, "metadata", "labels").pop("finoperator.io/flops"),
    "less to allocate": lambda o: of(o, "status", "allocatable").update(cpu="3"),
    "cordoned": lambda o: o["spec"].update(unschedulable=True),
    "tainted": lambda o: o["spec"].update(taints=[{"key": "k", "effect": "NoSchedule"}]),
    "not Ready": lambda o: of(o, "status", "conditions")[0].update(status="Unknown"),
    "being deleted": lambda o: o["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"),
}
NODE_NOISE: dict[str, Edit] = {
    "a heartbeat": lambda o: of(o, "status", "conditions")[0].update(
        lastHeartbeatTime="2026-01-01T00:00:00Z"
    ),
    "pressure": lambda o: of(o, "status", "conditions")[1].update(status="True"),
    "another label": lambda o: of(o, "metadata", "labels").update(rack="7"),
    "an annotation": lambda o: o["metadata"].update(annotations={"a": "b"}),
    "images": lambda o: o["status"].update(images=[{"names": ["x"]}]),
    "another version": lambda o: o["metadata"].update(resourceVersion="99"),
}


@pytest.mark.parametrize("change", NODE_CHANGES)
def test_a_change_of_a_node_matters(change: str) -> None:
    assert matters(kinds.NODE, node(), NODE_CHANGES[change])


@pytest.mark.parametrize("noise", NODE_NOISE)
def test_noise_on_a_node_does_not(noise: str) -> None:
    assert not matters(kinds.NODE, node(), NODE_NOISE[noise])


POD_CHANGES: dict[str, Edit] = {
    "bound": lambda o: o["spec"].update(nodeName="edge-1"),
    "finished": lambda o: o["status"].update(phase="Succeeded"),
    "resized": lambda o: of(o, "spec", "containers")[0].update(
        resources={"requests": {"cpu": "2", "memory": "1Gi"}}
    ),
    "made a segment": lambda o: of(o, "metadata", "labels").update(OURS),
}
POD_NOISE: dict[str, Edit] = {
    "started": lambda o: o["status"].update(phase="Pending"),
    "its conditions": lambda o: o["status"].update(conditions=[{"type": "Ready"}]),
    "an address": lambda o: o["status"].update(podIP="10.0.0.1"),
    "a label": lambda o: of(o, "metadata", "labels").update(x="y"),
    "the same amount in other words": lambda o: of(o, "spec", "containers")[0].update(
        resources={"requests": {"cpu": "1000m", "memory": "1024Mi"}}
    ),
}


@pytest.mark.parametrize("change", POD_CHANGES)
def test_a_change_of_a_pod_matters(change: str) -> None:
    assert matters(kinds.POD, pod(), POD_CHANGES[change])


def test_where_a_segment_answers_matters() -> None:
    ours = pod()
    ours["metadata"]["labels"] = dict(OURS)
    ready = [{"type": "Ready", "status": "True"}]
    ours["status"] |= {"podIP": "10.0.0.1", "conditions": ready}
    assert matters(kinds.POD, ours, lambda o: o["status"].update(podIP="10.0.0.2"))
    assert matters(kinds.POD, ours, lambda o: o["status"].pop("conditions"))


@pytest.mark.parametrize("noise", POD_NOISE)
def test_noise_on_a_pod_does_not(noise: str) -> None:
    assert not matters(kinds.POD, pod(), POD_NOISE[noise])


@pytest.mark.parametrize(
    ("kind", "obj"),
    [
        (kinds.APP, objects.app()),
        (kinds.MODEL, objects.model()),
        (kinds.TOPOLOGY, objects.topology("t", objects.link("mobile", "edge"))),
    ],
)
def test_of_the_resources_spec_and_hold_matter_and_status_does_not(kind: Kind, obj: Object) -> None:
    hold = {"finoperator.io/hold": "true"}
    assert matters(kind, obj, lambda o: o["spec"].update(new="field"))
    assert matters(kind, obj, lambda o: o["metadata"].update(annotations=hold))
    assert not matters(kind, obj, lambda o: o.update(status={"conditions": []}))
    assert not matters(kind, obj, lambda o: o["metadata"].update(annotations={"a": "b"}))


DEPLOYMENT_CHANGES: dict[str, Edit] = {
    "an edit": lambda o: o["spec"].update(replicas=0),
    "its plan": lambda o: of(o, "metadata", "annotations").update({"finoperator.io/plan": "{1}"}),
    "a label": lambda o: of(o, "metadata", "labels").update(x="y"),
    "Ready": lambda o: o["status"].update(readyReplicas=0),
    "its owner": lambda o: o["metadata"].update(ownerReferences=[]),
}


@pytest.mark.parametrize("change", DEPLOYMENT_CHANGES)
def test_a_change_of_a_segment_matters(change: str) -> None:
    assert matters(kinds.DEPLOYMENT, deployment(), DEPLOYMENT_CHANGES[change])


def test_progress_of_a_rollout_does_not() -> None:
    assert not matters(
        kinds.DEPLOYMENT, deployment(), lambda o: o["status"].update(conditions=[{"type": "P"}])
    )


@pytest.mark.parametrize(
    ("kind", "obj"),
    [
        (kinds.SERVICE, owned("Service", spec={"ports": []})),
        (kinds.CONFIG_MAP, owned("ConfigMap", data={})),
        (kinds.BUDGET, owned("PodDisruptionBudget", spec={"maxUnavailable": 0})),
    ],
)
def test_edits_of_our_objects_matter_and_those_of_others_do_not(kind: Kind, obj: Object) -> None:
    body = "data" if "data" in obj else "spec"
    assert matters(kind, obj, lambda o: o[body].update(new="field"))
    assert not matters(kind, obj, lambda o: o.update(status={"a": "b"}))
    others = copy.deepcopy(obj)
    del others["metadata"]["labels"]
    assert not matters(kind, others, lambda o: o[body].update(new="field"))
    assert matters(kind, others, lambda o: o["metadata"].update(labels=OURS))


def test_an_object_is_ours_by_its_owner_too() -> None:
    service = owned("Service", spec={"ports": []})
    service["metadata"] |= {
        "labels": {},
        "ownerReferences": [{"apiVersion": "finoperator.io/v1alpha1", "kind": "InferenceApp"}],
    }
    assert matters(kinds.SERVICE, service, lambda o: o["spec"].update(new="field"))


def test_endpoints_matter() -> None:
    obj = owned("EndpointSlice", endpoints=[{"conditions": {"ready": True}}], ports=[])
    assert matters(kinds.ENDPOINT_SLICE, obj, lambda o: o.update(endpoints=[]))


@pytest.mark.parametrize("kind", WATCHED, ids=lambda kind: kind.name)
def test_coming_and_going_matter_of_every_kind(kind: Kind) -> None:
    obj = {"metadata": {"uid": "1", "name": "x"}}
    changes = seen(kind, obj)
    assert not changes.matters(kind, "MODIFIED", obj)
    assert changes.matters(kind, "DELETED", obj)
    assert changes.matters(kind, "ADDED", obj)


def test_a_listed_object_always_matters() -> None:
    """After an expired watch the list is all that tells of deletions."""
    changes = seen(kinds.NODE, node())
    assert changes.matters(kinds.NODE, None, node())


def test_two_objects_do_not_meet() -> None:
    changes = seen(kinds.NODE, node())
    other = node() | {"metadata": node()["metadata"] | {"uid": "another"}}
    assert changes.matters(kinds.NODE, "MODIFIED", other)


@pytest.mark.parametrize("kind", WATCHED, ids=lambda kind: kind.name)
@pytest.mark.parametrize("garbage", [None, 7, "text", [], {}, [None], {"a": None}])
def test_garbage_in_any_field_is_borne(kind: Kind, garbage: Any) -> None:
    fields = ("spec", "status", "endpoints", "data")
    obj = {"metadata": {"uid": "1", "name": "x", "labels": garbage, "annotations": garbage}}
    seen(kind, obj | dict.fromkeys(fields, garbage))
    labels = {"app.kubernetes.io/managed-by": "fin-operator"}
    seen(kind, {"metadata": {"uid": "1", "labels": labels}} | dict.fromkeys(fields, garbage))
