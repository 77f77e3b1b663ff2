"""From `kubectl apply` to running segments, and away again, under exactly the chart's role."""

import time

import yaml

from fin.controller import kinds
from testbed import ControlPlane
from tests.helpers import objects
from tests.helpers.api import Api, Object, until
from tests.helpers.operator import IMAGE, Operator
from tests.helpers.scene import Scene, condition


def test_an_app_runs_where_it_costs_least(scene: Scene) -> None:
    scene.app()
    app = scene.ready()
    assert scene.settled() == ["edge-0"]
    plan = app["status"]["plan"]
    assert plan["exit"] == "final"
    assert plan["accuracy"] == 0.9
    (deployment,) = scene.owned(kinds.DEPLOYMENT)
    (segment,) = plan["segments"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert container["resources"]["limits"]["cpu"] == segment["cpu"]
    services = {one["metadata"]["name"] for one in scene.owned(kinds.SERVICE)}
    assert services == {"camera", segment["name"]}


def test_kubectl_wait_get_and_describe(scene: Scene, control_plane: ControlPlane) -> None:
    at = ("-n", scene.namespace)
    scene.app()
    control_plane.kubectl("wait", "--for=condition=Ready", "iapp/camera", "--timeout=60s", *at)
    header, row = control_plane.kubectl("get", "iapp", *at).stdout.splitlines()
    assert header.split()[:4] == ["NAME", "MODEL", "READY", "REASON"]
    assert row.split()[:4] == ["camera", "net", "True", "Serving"]
    until(lambda: scene.events("camera", "Deploying"), "the Event")
    described = control_plane.kubectl("describe", "iapp", "camera", *at).stdout
    assert "Normal Deploying" in " ".join(described.split())
    assert f"block1 to block3 on {scene.name('edge-0')}" in described


def test_an_edit_is_not_ready_until_it_is_served(scene: Scene, control_plane: ControlPlane) -> None:
    scene.app()
    before = scene.ready()["status"]["plan"]["revision"]
    scene.edit(minAccuracy=0.6)
    # A stale Ready=True must not satisfy a wait that begins now.
    at = ("-n", scene.namespace)
    control_plane.kubectl("wait", "--for=condition=Ready", "iapp/camera", "--timeout=60s", *at)
    plan = scene.get()["status"]["plan"]
    assert (plan["exit"], plan["accuracy"]) == ("block1", 0.7)
    assert plan["revision"] != before
    scene.settled()


def test_all_that_was_made_for_an_app_goes_with_it(scene: Scene) -> None:
    scene.app()
    scene.settled()
    assert len(scene.identities()) >= 5
    scene.api.delete(kinds.APP, scene.namespace, "camera")
    until(lambda: not scene.identities(), "all objects of the app to be gone")


def test_two_apps_of_one_name_do_not_meet(scene: Scene) -> None:
    other = f"{scene.id}-more"
    scene.make_namespace(other)
    scene.model(namespace=other)
    scene.app()
    scene.app(namespace=other, minAccuracy=0.6)
    scene.ready()
    scene.ready(namespace=other)
    assert scene.get()["status"]["plan"]["exit"] == "final"
    assert scene.get(namespace=other)["status"]["plan"]["exit"] == "block1"
    before = scene.identities()
    scene.api.delete(kinds.APP, other, "camera")
    until(lambda: not scene.owned(kinds.SERVICE, namespace=other), "the other to be gone")
    assert scene.identities() == before
    assert scene.condition("Ready")["status"] == "True"


def test_an_app_whose_model_comes_later_is_planned_when_it_comes(scene: Scene) -> None:
    scene.app(model="later")
    message = scene.not_ready("ModelNotFound", kind="Planned")
    assert "later" in message
    scene.model("later")
    scene.ready()


def test_a_model_deleted_under_its_app_leaves_it_running(scene: Scene) -> None:
    scene.app()
    scene.settled()
    before = scene.identities()
    scene.api.delete(kinds.MODEL, scene.namespace, "net")
    scene.not_ready("ModelNotFound", kind="Planned")
    assert scene.identities() == before
    scene.model()
    until(lambda: scene.condition("Planned").get("status") == "True", "it to be planned again")
    assert scene.identities() == before


def test_an_infeasible_app_is_told_the_best_that_can_be_had(
    scene: Scene, control_plane: ControlPlane
) -> None:
    scene.app("hasty", latency={"target": "100us"})
    message = scene.not_ready("LatencyUnreachable", "hasty", kind="Planned")
    assert "at best, target 100" in message
    assert not scene.identities("hasty")
    until(lambda: scene.events("hasty", "LatencyUnreachable"), "the Event")
    scene.edit("hasty", latency={"target": "50ms"})
    scene.ready("hasty")


def test_a_source_that_is_no_node_of_the_system(scene: Scene) -> None:
    scene.app(source="nowhere")
    assert "nowhere" in scene.not_ready("SourceUnavailable", kind="Planned")


PORTS = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}]
TAKEN: dict[kinds.Kind, tuple[str, Object]] = {
    kinds.SERVICE: ("by-service", {"spec": {"ports": PORTS, "selector": {"app": "theirs"}}}),
    kinds.CONFIG_MAP: ("by-config-routes", {"data": {"theirs": "yes"}}),
}


def test_a_name_that_is_taken_is_never_written_over(scene: Scene) -> None:
    theirs = {}
    for kind, (name, body) in TAKEN.items():
        metadata = {"name": name, "namespace": scene.namespace}
        theirs[kind] = scene.api.create(kind, {"metadata": metadata, **body})
    scene.app("by-service")
    scene.app("by-config")
    for kind, (name, _) in TAKEN.items():
        message = scene.not_ready("NameConflict", name.removesuffix("-routes"))
        assert f"{kind.name} {name}" in message
        now = scene.api.get(kind, scene.namespace, name)
        assert now["metadata"]["resourceVersion"] == theirs[kind]["metadata"]["resourceVersion"]
        scene.api.delete(kind, scene.namespace, name)
    scene.ready("by-service")
    scene.ready("by-config")


def test_nodes_and_topologies_are_told_what_is_wrong_with_them(
    scene: Scene, control_plane: ControlPlane
) -> None:
    edge = scene.name("edge-1")
    labels = {"finoperator.io/flops": "many"}
    scene.api.patch(kinds.NODE, "", edge, {"metadata": {"labels": labels}})

    def described() -> bool:
        return (
            "finoperator.io/flops"
            in control_plane.kubectl("describe", "node", edge).stdout.split("Events:")[1]
        )

    until(described, "an Event on the node")
    scene.topology(scene.link("mobile", "edge", bandwidth="1M"), name="zz-overruled")
    overruled = scene.name("zz-overruled")
    found = until(
        lambda: condition(scene.api.get(kinds.TOPOLOGY, "", overruled), "Accepted"), "a condition"
    )
    assert found["status"] == "True"
    assert scene.name("links") in found["message"]
    until(
        lambda: found["reason"] in control_plane.kubectl("describe", "nettopo", overruled).stdout,
        "an Event on the topology",
    )


def test_what_a_policy_refuses_is_told_and_harms_nobody_else(
    scene: Scene, operator: Operator
) -> None:
    strict = f"{scene.id}-strict"
    scene.make_namespace(strict)
    scene.model(namespace=strict)
    quota = kinds.Kind("v1", "ResourceQuota", "resourcequotas")
    hard = {"spec": {"hard": {"count/deployments.apps": "0"}}}
    scene.api.create(quota, {"metadata": {"name": "none", "namespace": strict}, **hard})
    until(
        lambda: scene.api.get(quota, strict, "none").get("status", {}).get("hard"),
        "the quota to hold",
    )
    scene.app(namespace=strict)
    scene.app("other")
    scene.ready("other")
    (event, *_) = until(lambda: scene.events("camera", "WriteRefused", strict), "the Event")
    assert "exceeded quota: none" in event.message
    assert scene.condition("Ready", namespace=strict)["status"] == "False"
    assert operator.probe("/readyz")[0] == 200
    scene.api.delete(quota, strict, "none")
    scene.ready(namespace=strict)


def test_models_are_accepted_or_not(scene: Scene, api: Api) -> None:
    found = until(
        lambda: condition(api.get(kinds.MODEL, scene.namespace, "net"), "Accepted"), "a condition"
    )
    assert found["status"] == "True"
    artifact = {"hostPath": {"path": "/models"}}
    scene.model("from-the-node", artifact=artifact)
    refused = until(
        lambda: condition(api.get(kinds.MODEL, scene.namespace, "from-the-node"), "Accepted"),
        "a condition",
    )
    assert refused["status"] == "False"
    assert "hostPath" in refused["message"]


def test_the_operator_is_quiet_when_nothing_changes(scene: Scene, operator: Operator) -> None:
    """Heartbeats of nodes, and its own writes, don't keep it busy."""
    scene.app()
    scene.settled()

    def rounds() -> float:
        return operator.metric("fin_rounds_total")

    def writes() -> float:
        verbs = ("apply", "create", "patch", "delete")
        return sum(operator.metric("fin_api_requests_total", verb=verb) for verb in verbs)

    until(lambda: _still(rounds, 3.0), "the rounds to end")
    node = scene.name("edge-0")
    condition_of = {"type": "MemoryPressure", "status": "False", "reason": "Test"}
    others = scene.api.get(kinds.NODE, "", node)["status"]["conditions"]
    beats = iter(range(10, 60))

    def undisturbed() -> bool:
        before, rounds_before = writes(), rounds()
        beat = {**condition_of, "lastHeartbeatTime": f"2026-01-01T00:00:{next(beats)}Z"}
        scene.api.patch(kinds.NODE, "", node, {"status": {"conditions": [beat, *others]}}, "status")
        return _still(rounds, 2.0) and (writes(), rounds()) == (before, rounds_before)

    # What earlier tests have left may go meanwhile; a heartbeat that counts would do so always.
    until(undisturbed, "a heartbeat that nobody minds")


def _still(value: object, seconds: float) -> bool:
    assert callable(value)
    before = value()
    time.sleep(seconds)
    return bool(value() == before)


def test_plain_yaml_from_a_user_works(scene: Scene, control_plane: ControlPlane) -> None:
    app = objects.app("typed", scene.namespace, source=scene.name("mobile-0"))
    app["metadata"].pop("uid")
    text = yaml.safe_dump(app)
    control_plane.kubectl("apply", "-f", "-", input=text)
    scene.ready("typed")
    control_plane.kubectl("apply", "-f", "-", input=text.replace("rate: 10", 'rate: "12.5"'))
    scene.ready("typed")
    control_plane.kubectl("delete", "-f", "-", input=text)
    until(lambda: not scene.identities("typed"), "all objects of the app to be gone")
