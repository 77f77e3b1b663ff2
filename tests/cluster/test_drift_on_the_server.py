"""What the API server makes of our objects, and what others then do to them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fin.cluster.drift import foreign_fields, matches
from fin.cluster.render import objects_for_plan
from fin.cluster.settings import SegmentSettings
from fin.cluster.snapshot import Snapshot
from fin.cluster.world import build_world
from fin.planning.solvers import make_plan
from testbed import ControlPlane
from tests.helpers.objects import app, link, model, node, topology

Json = dict[str, Any]

TOLERATIONS = [
    {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "team", "value": "vision"},
    {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30},
]
ARTIFACTS: list[Json] = [
    {"configMap": {"name": "weights"}},
    {"secret": {"secretName": "weights"}},
    {"persistentVolumeClaim": {"claimName": "weights"}},
    {"persistentVolumeClaim": {"claimName": "weights", "readOnly": False}},
    {"image": {"reference": "registry.example/weights:1"}},
    {"csi": {"driver": "csi.example", "volumeAttributes": {"share": "weights"}}},
    {"hostPath": {"path": "/srv/weights"}},
    {"url": "https://models.example/weights.onnx", "sha256": "0" * 64},
]


def objects(namespace: str, models: dict[str, Json]) -> list[Json]:
    """Return the objects of one app for each model, given with its ``spec.segment``."""
    snapshot = Snapshot(
        nodes=(node("mobile-0", "mobile", cpu="8", flops="16G"), node("edge-0")),
        topologies=(topology("net", link("mobile", "edge")),),
        models=tuple(model(name, namespace, **segment) for name, segment in models.items()),
        apps=tuple(
            app(name, namespace, model=name, placement={"localBlocks": 1}) for name in models
        ),
    )
    world = build_world(snapshot)
    settings = SegmentSettings("registry.example/fin-segment:1", allow_host_path=True)
    made = objects_for_plan(world, make_plan(world.problem), settings)
    for obj in made:  # there is no InferenceApp on this server, and what names one would go
        del obj["metadata"]["ownerReferences"]
    return made


def live_objects(cluster: ControlPlane, made: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Return what the server has of each object, and the object."""
    kinds = ",".join(sorted({obj["kind"] for obj in made}))
    namespace = made[0]["metadata"]["namespace"]
    found = cluster.kubectl("get", kinds, "-n", namespace, "-o", "json", "--show-managed-fields")
    there = {_key(obj): obj for obj in json.loads(found.stdout)["items"]}
    for obj in made:
        yield there[_key(obj)], obj


def _key(obj: Json) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


def create(cluster: ControlPlane, made: list[Json]) -> None:
    cluster.kubectl("create", "-f", "-", "--field-manager=fin-operator", input=_listed(made))


def apply(cluster: ControlPlane, made: list[Json]) -> None:
    manager = ("--server-side", "--force-conflicts", "--field-manager=fin-operator")
    cluster.kubectl("apply", *manager, "-f", "-", input=_listed(made))


def _listed(made: list[Json]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": made})


def patch(cluster: ControlPlane, obj: Json, spec: Json) -> None:
    name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
    text = json.dumps({"spec": spec})
    cluster.kubectl("patch", f"{obj['kind']}/{name}", "-n", namespace, "-p", text)


def test_what_the_server_fills_in_is_no_drift(cluster: ControlPlane, namespace: str) -> None:
    common = {
        "tolerations": TOLERATIONS,
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccountName": "runner",
    }
    models = {f"model-{i}": {"artifact": each, **common} for i, each in enumerate(ARTIFACTS)}
    made = objects(namespace, {**models, "plain": {}})
    for write in (create, apply):
        write(cluster, made)
        for live, obj in live_objects(cluster, made):
            assert matches(live, obj), obj
            assert foreign_fields(live, obj) == []


@pytest.fixture
def deployments(cluster: ControlPlane, namespace: str) -> dict[str, Json]:
    """A Deployment on the server for each edit."""
    made = objects(namespace, {"net": {"tolerations": TOLERATIONS}})
    one = next(obj for obj in made if obj["kind"] == "Deployment")
    copies = {
        what: {**one, "metadata": {**one["metadata"], "name": f"edit-{number}"}}
        for number, what in enumerate((*ADDED, *CHANGED, "restarted"))
    }
    create(cluster, list(copies.values()))
    return copies


def in_pod(**fields: Any) -> Json:
    return {"template": {"spec": fields}}


def in_container(**fields: Any) -> Json:
    return in_pod(containers=[{"name": "segment", **fields}])


ADDED = {
    "sidecar": in_pod(containers=[{"name": "sidecar", "image": "other:1"}]),
    "environment": in_container(env=[{"name": "DEBUG", "value": "1"}]),
    "volume": in_pod(volumes=[{"name": "extra", "emptyDir": {}}]),
    "host network": in_pod(hostNetwork=True),
    "grace period": in_pod(terminationGracePeriodSeconds=5),
    "label": {"template": {"metadata": {"labels": {"team": "vision"}}}},
    "preferred node": in_pod(
        affinity={
            "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "preference": {"matchExpressions": [{"key": "fast", "operator": "Exists"}]},
                    }
                ]
            }
        }
    ),
    "paused": {"paused": True},
    "capability": in_container(securityContext={"capabilities": {"add": ["NET_ADMIN"]}}),
}

CHANGED = {
    "replicas": {"replicas": 3},
    "image": in_container(image="other:1"),
    "limit": in_container(resources={"limits": {"cpu": "3"}}),
    "arguments": in_container(args=["other"]),
    "toleration": in_pod(tolerations=[*TOLERATIONS, {"key": "more", "operator": "Exists"}]),
    "privilege": in_container(securityContext={"readOnlyRootFilesystem": False}),
    "surge": {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
    "routes": in_pod(
        volumes=[{"name": "config", "projected": {"sources": [{"secret": {"name": "mine"}}]}}]
    ),
}


def test_edits_of_deployments_are_told_from_additions(
    cluster: ControlPlane, deployments: dict[str, Json]
) -> None:
    for what, spec in (ADDED | CHANGED).items():
        patch(cluster, deployments[what], spec)
    restarted = deployments["restarted"]["metadata"]
    name = f"deployment/{restarted['name']}"
    cluster.kubectl("rollout", "restart", name, "-n", restarted["namespace"])

    made = list(deployments.values())
    edited = dict(zip(deployments, live_objects(cluster, made), strict=True))
    assert {what for what, pair in edited.items() if foreign_fields(*pair)} == set(ADDED)
    unlike = {what for what, pair in edited.items() if not matches(*pair)}
    assert unlike - set(ADDED) == set(CHANGED)

    apply(cluster, made)
    mended = dict(zip(deployments, live_objects(cluster, made), strict=True))
    assert all(matches(*pair) for pair in mended.values())
    assert {what for what, pair in mended.items() if foreign_fields(*pair)} == set(ADDED)


def test_a_service_whose_selector_or_type_was_changed_is_mended(
    cluster: ControlPlane, namespace: str
) -> None:
    made = objects(namespace, {"net": {}})
    create(cluster, made)
    service = next(obj for obj in made if _key(obj) == ("Service", "net"))
    for spec in ({"selector": {"extra": "label"}}, {"type": "NodePort"}):
        patch(cluster, service, spec)
        assert not any(matches(*pair) for pair in live_objects(cluster, [service]))
        apply(cluster, [service])
        assert all(matches(*pair) for pair in live_objects(cluster, [service]))
