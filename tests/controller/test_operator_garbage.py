"""Garbage in every field of every object that the operator reads: the rest goes on.

The API server refuses most of it. So the CRDs are made to let everything through for a while, as
an old version of them might have.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from fin.controller import kinds
from testbed import ControlPlane
from tests.helpers import objects
from tests.helpers.api import Api, Object, RefusedError, until
from tests.helpers.operator import Operator
from tests.helpers.scene import Scene, condition

GARBAGE: tuple[Any, ...] = (
    None,
    "",
    "ö",
    -1,
    1e308,
    [],
    [None],
    {},
    {"a": 1},
    True,
)
NAMES = ("inferenceapps", "dnnmodels", "networktopologies")
ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}


@pytest.fixture
def lenient(control_plane: ControlPlane, operator: Operator) -> Iterator[None]:
    """CRDs that let everything through."""
    crds = [f"{name}.finoperator.io" for name in NAMES]
    strict = [
        yaml.safe_load(control_plane.kubectl("get", "crd", crd, "-o", "yaml").stdout)
        for crd in crds
    ]
    anything = {
        "type": "object",
        "properties": {"spec": ANYTHING, "status": ANYTHING},
    }
    for crd in strict:
        change = {
            "op": "replace",
            "path": "/spec/versions/0/schema/openAPIV3Schema",
            "value": anything,
        }
        _patch(control_plane, crd["metadata"]["name"], change)
    yield
    for crd in strict:
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        change = {
            "op": "replace",
            "path": "/spec/versions/0/schema/openAPIV3Schema",
            "value": schema,
        }
        _patch(control_plane, crd["metadata"]["name"], change)


def _patch(control_plane: ControlPlane, crd: str, change: Object) -> None:
    control_plane.kubectl("patch", "crd", crd, "--type=json", "-p", json.dumps([change]))


def spoilt(obj: Object, *, below: str = "spec") -> Iterator[Object]:
    """Copies of an object, each with garbage in another place."""
    yield {**copy.deepcopy(obj), below: None}
    for path in _paths(obj[below]):
        for garbage in GARBAGE:
            made = copy.deepcopy(obj)
            at = made[below]
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = garbage
            yield made


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    keys = (
        value.keys()
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    for key in keys:
        yield (key,)
        for rest in _paths(value[key]):
            yield (key, *rest)


def numbered(made: Iterator[Object], name: str, **metadata: str) -> list[Object]:
    found = []
    for index, obj in enumerate(made):
        obj["metadata"] = {"name": f"{name}-{index}", **metadata}
        found.append(obj)
    return found


def create_all(api: Api, kind: kinds.Kind, made: list[Object]) -> list[str]:
    """Create what the API server lets through; return the names."""
    names = []
    for obj in made:
        try:
            names.append(str(api.create(kind, obj)["metadata"]["name"]))
        except RefusedError as error:
            assert error.status in (400, 422)  # noqa: PT017
    return names


def test_garbage_is_named_and_harms_nobody_else(
    lenient: None, scene: Scene, operator: Operator
) -> None:
    scene.app()
    scene.settled()
    before = scene.identities()
    at = {"namespace": scene.namespace}
    app = objects.app(
        namespace=scene.namespace,
        source=scene.name("mobile-0"),
        placement={"tiers": [scene.name("edge")]},
    )
    model = objects.model(
        namespace=scene.namespace, tolerations=[{"key": "a", "operator": "Exists"}]
    )
    apps = create_all(scene.api, kinds.APP, numbered(spoilt(app), "app", **at))
    models = create_all(scene.api, kinds.MODEL, numbered(spoilt(model), "model", **at))
    topology = objects.topology(
        "t", scene.link("mobile", "edge"), interfaces=[{"on": {"tier": "x"}, "egress": "1M"}]
    )
    topologies = create_all(scene.api, kinds.TOPOLOGY, numbered(spoilt(topology), f"{scene.id}-t"))
    scene._topologies += topologies
    scene.app("last")
    scene.ready("last")

    def told(kind: kinds.Kind, namespace: str, names: list[str]) -> bool:
        found = {one["metadata"]["name"]: one for one in scene.api.list(kind, namespace)}
        return all(condition(found[name], "Accepted") for name in names)

    until(lambda: told(kinds.APP, scene.namespace, apps), "every app to be told")
    until(lambda: told(kinds.MODEL, scene.namespace, models), "every model to be told")
    until(lambda: told(kinds.TOPOLOGY, "", topologies), "every topology to be told")
    refused = [
        one
        for one in scene.api.list(kinds.APP, scene.namespace)
        if condition(one, "Accepted")["status"] == "False"
    ]
    assert len(refused) > len(apps) / 2
    for one in refused:
        assert condition(one, "Accepted")["reason"] == "InvalidSpec"
        assert condition(one, "Accepted")["message"].startswith("spec")
    assert scene.identities() == before
    assert "mistake" not in operator.log
    assert operator.metric("fin_rounds_total", result="failed") == 0


def test_garbage_in_what_nodes_and_pods_tell(scene: Scene, operator: Operator) -> None:
    scene.app()
    scene.settled()
    before = scene.identities()
    for index, value in enumerate(("", "x", "1e9", "NaN", "Inf", "0x10", "1Ei", "9" * 40)):
        name = scene.node(f"odd-{index}", flops="1", gflops_per_watt="1")
        labels = {"finoperator.io/flops": value, "finoperator.io/gflops-per-watt": value}
        scene.api.patch(kinds.NODE, "", name, {"metadata": {"labels": labels}})
    bare = {"metadata": {"name": scene.name("bare-0"), "labels": {"finoperator.io/tier": "x"}}}
    scene.api.create(kinds.NODE, bare)
    scene._nodes.append(scene.name("bare-0"))
    container = {
        "name": "c",
        "image": "i",
        "resources": {"requests": {"cpu": "1n", "memory": "1m"}},
    }
    pod = {
        "metadata": {
            "name": "odd",
            "namespace": scene.namespace,
            "labels": {
                "app.kubernetes.io/managed-by": "fin-operator",
                "finoperator.io/segment": "x",
            },
        },
        "spec": {"nodeName": scene.name("edge-0"), "containers": [container]},
    }
    scene.api.create(kinds.POD, pod)
    scene.app("last")
    scene.ready("last")
    assert scene.identities() == before
    assert "mistake" not in operator.log


def test_garbage_in_the_running_plan(scene: Scene, operator: Operator) -> None:
    """What can't be read is planned anew; nobody else is disturbed."""
    scene.app()
    scene.app("neighbour")
    scene.settled()
    scene.settled("neighbour")
    before = scene.identities("neighbour")
    for garbage in ("", "{}", "[]", "null", '{"segments": 7}', "x" * 1000):
        annotations = {"metadata": {"annotations": {"finoperator.io/plan": garbage}}}
        for kind in (kinds.DEPLOYMENT, kinds.CONFIG_MAP):
            for one in scene.owned(kind):
                scene.api.patch(kind, scene.namespace, one["metadata"]["name"], annotations)

        def mended(garbage: str = garbage) -> bool:
            found = [
                one["metadata"]["annotations"].get("finoperator.io/plan")
                for kind in (kinds.DEPLOYMENT, kinds.CONFIG_MAP)
                for one in scene.owned(kind)
            ]
            return len(found) == 2 and garbage not in found

        until(mended, f"the plan to be written again after {garbage[:20]!r}")
        scene.ready()
    assert scene.identities("neighbour") == before
    assert "mistake" not in operator.log
