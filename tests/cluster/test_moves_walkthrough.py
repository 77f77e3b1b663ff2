"""An app from its creation to its end, through the operator's loop with the real planner."""

from dataclasses import replace
from typing import Any

import pytest

from fin.cluster import reading
from tests.helpers.objects import app, link
from tests.helpers.simulator import SETTINGS, Operator, SimulatedCluster, summary
from tests.helpers.small_cluster import small_cluster

KEY = ("default", "camera")


@pytest.fixture
def operator() -> Operator:
    started = Operator(small_cluster())
    started.settle()
    assert where(started) == {"edge-0"}
    return started


def where(operator: Operator) -> set[str]:
    """Nodes on which the app has pods that stay."""
    return {
        pod["spec"]["nodeName"]
        for pod in operator.cluster.all("Pod")
        if "sim" in pod and not reading.being_deleted(pod)
    }


def state(operator: Operator) -> Any:
    return operator.decide().states[KEY]


def names(operator: Operator, kind: str) -> list[str]:
    return [reading.name(each) for each in operator.cluster.all(kind)]


def run_served(operator: Operator, seconds: int = 60) -> None:
    """Go on, and see that the app serves at every moment."""
    for _ in range(seconds):
        operator.act(operator.decide())
        assert operator.cluster.why_not_served("camera") is None
        operator.cluster.tick()
        assert operator.cluster.why_not_served("camera") is None


def cordon(operator: Operator, name: str, *, cordoned: bool = True) -> None:
    operator.cluster.objects["Node", "default", name]["spec"]["unschedulable"] = cordoned


def set_ready(operator: Operator, name: str, *, ready: bool) -> None:
    live = operator.cluster.objects["Node", "default", name]
    live["status"]["conditions"][0]["status"] = "True" if ready else "False"


def test_an_app_is_deployed_and_then_nothing_more_is_done(operator: Operator) -> None:
    assert operator.cluster.why_not_served("camera") is None
    decision = operator.decide()
    assert decision.actions == ()
    assert decision.events == ()
    assert decision.requeue_after is None
    assert decision.states[KEY].ready


def test_a_restart_does_nothing(operator: Operator) -> None:
    operator.restart()
    assert operator.decide().actions == ()


def test_the_order_of_the_first_writes(operator: Operator) -> None:
    fresh = Operator(small_cluster())
    segment = names(operator, "Deployment")[0]
    assert summary(fresh.decide().actions) == [
        f"create PodDisruptionBudget {segment}",
        "create ConfigMap camera-routes",
        f"create Service {segment}",
        f"create Deployment {segment}",
        "create Service camera",
    ]


def test_deleting_the_app_leaves_nothing(operator: Operator) -> None:
    operator.cluster.remove("InferenceApp", "camera")
    assert operator.decide().actions == ()  # the garbage collector does it, operator or not
    operator.settle()
    for kind in ("Deployment", "Service", "ConfigMap", "PodDisruptionBudget", "Pod"):
        assert names(operator, kind) == []


def test_an_app_made_anew_under_its_name_waits_for_the_old_objects_to_go(
    operator: Operator,
) -> None:
    cluster = operator.cluster
    cluster.remove("InferenceApp", "camera")
    cluster.add(app())
    decision = operator.decide()
    assert decision.actions == ()
    assert "controlled by InferenceApp camera" in str(decision.states[KEY].conflict)
    operator.settle()
    assert cluster.why_not_served("camera") is None


def test_a_move_off_a_cordoned_node_never_stops_the_app(operator: Operator) -> None:
    old = names(operator, "Deployment")
    cordon(operator, "edge-0")
    operator.round()
    assert set(names(operator, "PodDisruptionBudget")) == set(old)
    run_served(operator)
    assert where(operator) == {"edge-1"}
    assert [event.reason for event in operator.events[1:]] == ["Moving", "Moved"]
    assert "edge-0 takes no new segments" in operator.told("Moving")[0].message
    assert names(operator, "PodDisruptionBudget") == names(operator, "Deployment") != old


def test_old_segments_go_only_after_the_endpoints_turned_and_a_drain(operator: Operator) -> None:
    cordon(operator, "edge-0")
    old = names(operator, "Deployment")[0]
    while not operator.told("Moved"):
        operator.round()
    turned = operator.cluster.now
    while old in names(operator, "Deployment"):
        operator.round()
    assert operator.cluster.now - turned >= SETTINGS.drain


def test_no_drain_begins_while_requests_may_reach_the_old_entry(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    cordon(operator, "edge-0")
    while not operator.told("Moving"):
        operator.round()
    while state(operator).making:
        operator.round()
    monkeypatch.setattr(SimulatedCluster, "_write_endpoints", lambda _: None)
    operator.run(30)
    assert len(names(operator, "Deployment")) == 2
    monkeypatch.undo()
    operator.settle()
    assert len(names(operator, "Deployment")) == 1


def test_where_no_other_plan_exists_it_stays_on_a_cordoned_node_without_a_budget(
    operator: Operator,
) -> None:
    cordon(operator, "edge-1")
    operator.settle()
    cordon(operator, "edge-0")
    run_served(operator, 20)
    assert where(operator) == {"edge-0"}
    assert names(operator, "PodDisruptionBudget") == []
    assert state(operator).stuck == ("edge-0",)
    assert len(operator.told("NodeCordoned")) == 1
    cordon(operator, "edge-0", cordoned=False)
    operator.settle()
    assert names(operator, "PodDisruptionBudget") == names(operator, "Deployment")


def test_a_lost_node_is_left_at_once(operator: Operator) -> None:
    set_ready(operator, "edge-0", ready=False)
    old = names(operator, "Deployment")[0]
    operator.round()
    assert old not in names(operator, "Deployment")
    operator.settle()
    assert where(operator) == {"edge-1"}
    assert operator.cluster.why_not_served("camera") is None
    assert "node edge-0 is not Ready" in operator.told("SegmentLost")[0].message


def test_nothing_moves_back_to_a_node_that_returns_but_by_what_it_saves(
    operator: Operator,
) -> None:
    # Both nodes are as good, so that moving back saves nothing.
    labels = operator.cluster.objects["Node", "default", "edge-1"]["metadata"]["labels"]
    labels["finoperator.io/gflops-per-watt"] = "10"
    set_ready(operator, "edge-0", ready=False)
    operator.settle()
    set_ready(operator, "edge-0", ready=True)
    operator.settle()
    assert where(operator) == {"edge-1"}


def test_without_any_node_left_all_goes_and_comes_back(operator: Operator) -> None:
    set_ready(operator, "edge-0", ready=False)
    set_ready(operator, "edge-1", ready=False)
    operator.settle()
    assert names(operator, "Deployment") == []
    assert names(operator, "Service") == []
    set_ready(operator, "edge-1", ready=True)
    operator.settle()
    assert where(operator) == {"edge-1"}


@pytest.mark.parametrize("kind", ["Deployment", "Service", "ConfigMap", "PodDisruptionBudget"])
def test_what_someone_deletes_comes_back(operator: Operator, kind: str) -> None:
    before = {each: names(operator, each) for each in ("Deployment", "Service", "ConfigMap")}
    for name in names(operator, kind):
        operator.cluster.remove(kind, name)
    operator.settle()
    assert {each: names(operator, each) for each in before} == before
    assert names(operator, "PodDisruptionBudget") == before["Deployment"]
    assert operator.cluster.why_not_served("camera") is None
    assert not operator.told("Moving")


def test_a_changed_limit_or_scale_is_mended(operator: Operator) -> None:
    name = names(operator, "Deployment")[0]
    live = operator.cluster.objects["Deployment", "default", name]
    asked = live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]
    live["spec"]["replicas"] = 3
    live["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "3"
    assert summary(operator.decide().actions) == [f"apply Deployment {name}"]
    operator.settle()
    live = operator.cluster.objects["Deployment", "default", name]
    assert live["spec"]["replicas"] == 1
    container = live["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["cpu"] == asked


def test_what_someone_adds_to_a_template_goes_with_the_deployment(operator: Operator) -> None:
    name = names(operator, "Deployment")[0]
    live = operator.cluster.objects["Deployment", "default", name]
    live["spec"]["template"]["spec"]["hostNetwork"] = True
    live["metadata"]["managedFields"] = [
        {
            "manager": "kubectl-edit",
            "operation": "Update",
            "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:hostNetwork": {}}}}},
        }
    ]
    assert summary(operator.decide().actions) == [f"delete Deployment {name}"]
    operator.settle()
    live = operator.cluster.objects["Deployment", "default", name]
    assert "hostNetwork" not in live["spec"]["template"]["spec"]
    assert operator.told("DeploymentEdited")
    assert not operator.told("Moving")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checksum": "x", "revision": {}}', "null"])
def test_a_spoiled_annotation_is_mended_and_nothing_moves(operator: Operator, text: str) -> None:
    name = names(operator, "Deployment")[0]
    live = operator.cluster.objects["Deployment", "default", name]
    before = dict(live["metadata"]["annotations"])
    live["metadata"]["annotations"] = {"finoperator.io/plan": text}
    run_served(operator, 3)
    live = operator.cluster.objects["Deployment", "default", name]
    assert live["metadata"]["annotations"] == before
    assert operator.decide().actions == ()


def test_with_both_copies_spoiled_it_is_planned_anew_before_anything_goes(
    operator: Operator,
) -> None:
    for kind, name in (
        ("Deployment", names(operator, "Deployment")[0]),
        ("ConfigMap", "camera-routes"),
    ):
        metadata = operator.cluster.objects[kind, "default", name]["metadata"]
        metadata["annotations"] = {"finoperator.io/plan": "spoiled"}
    run_served(operator, 30)
    assert where(operator) == {"edge-0"}
    assert state(operator).ready


def test_an_object_that_someone_else_has_is_never_written() -> None:
    operator = Operator(small_cluster())
    other = {
        "kind": "Service",
        "metadata": {"name": "camera", "namespace": "default", "labels": {}},
        "spec": {"selector": {"app": "other"}},
    }
    operator.cluster.add(other)
    operator.run(3)
    assert names(operator, "Deployment") == []
    assert operator.cluster.get("Service", "camera")["spec"] == other["spec"]  # type: ignore[index]
    assert "Service camera exists" in str(state(operator).conflict)
    assert len(operator.told("NameConflict")) == 1
    operator.cluster.remove("Service", "camera")
    operator.settle()
    assert operator.cluster.why_not_served("camera") is None


def test_an_edit_is_served_make_before_break(operator: Operator) -> None:
    operator.cluster.edit_app("camera", rate=200)
    first = operator.decide()
    assert first.states[KEY].serving.generation == 1  # type: ignore[union-attr]
    assert first.states[KEY].generation == 2
    run_served(operator)
    served = state(operator)
    assert served.ready
    assert served.serving.generation == 2


def test_an_edit_that_changes_nothing_that_runs_only_marks_it(operator: Operator) -> None:
    segment = names(operator, "Deployment")[0]
    operator.cluster.edit_app("camera", priority=7)
    assert summary(operator.decide().actions) == [
        f"apply Deployment {segment}",
        "apply ConfigMap camera-routes",
    ]
    run_served(operator, 3)
    assert state(operator).serving.generation == 2
    assert names(operator, "Deployment") == [segment]


def test_a_revision_whose_app_lost_its_plan_runs_on(operator: Operator) -> None:
    operator.cluster.remove("DNNModel", "net")
    run_served(operator, 30)
    operator.cluster.remove("Deployment", names(operator, "Deployment")[0])
    operator.settle()
    assert operator.cluster.why_not_served("camera") is None
    assert where(operator) == {"edge-0"}


def test_a_slow_link_is_named_and_the_revision_runs_on(operator: Operator) -> None:
    links = operator.cluster.objects["NetworkTopology", "default", "net"]["spec"]["links"]
    links[0]["rtt"] = "1s"
    run_served(operator, 10)
    assert where(operator) == {"edge-0"}
    assert any("latency" in each for each in state(operator).violations)


def test_a_new_way_between_the_same_segments_is_told_with_its_reason(operator: Operator) -> None:
    spec = operator.cluster.objects["NetworkTopology", "default", "net"]["spec"]
    spec["links"].append(link("mobile-0", "edge-0", rtt="1s"))
    run_served(operator, 10)
    assert where(operator) == {"edge-0"}
    (moved,) = operator.told("Moved")
    assert "over mobile-0 to edge-1 to edge-0: latency" in moved.message


def test_a_held_app_stays_though_its_segments_would_be_made_in_another_way(
    operator: Operator,
) -> None:
    live = operator.cluster.objects["InferenceApp", "default", "camera"]
    live["metadata"]["annotations"] = {"finoperator.io/hold": "true"}
    newer = replace(SETTINGS.segments, default_image="registry.example/fin-segment:2")
    operator.settings = replace(SETTINGS, segments=newer)
    before = names(operator, "Deployment")
    operator.settle()
    assert names(operator, "Deployment") == before
    set_ready(operator, "edge-0", ready=False)
    operator.settle()
    assert where(operator) == {"edge-1"}


def test_a_new_revision_that_is_not_ready_in_time_leaves_the_old_one_on(
    operator: Operator,
) -> None:
    operator.cluster.broken_images.add("registry.example/broken:1")
    operator.cluster.objects["DNNModel", "default", "net"]["spec"]["segment"] = {
        "image": "registry.example/broken:1"
    }
    run_served(operator, int(SETTINGS.ready_timeout) + 10)
    assert operator.told("NotReadyInTime")
    assert state(operator).ready
    assert ("default", "camera") in {key for key, _ in operator.memory.failures}


def test_a_node_that_failed_is_left_out_longer_each_time() -> None:
    operator = Operator(small_cluster())
    operator.cluster.broken_images.add(SETTINGS.segments.default_image)
    operator.run(int(SETTINGS.ready_timeout) + 5)
    assert where(operator) == {"edge-1"}
    first = operator.memory.failures[KEY, "edge-0"]
    assert first.count == 1
    pauses = [first.until - operator.cluster.now]
    while len(pauses) < 3:
        operator.round()
        again = operator.memory.failures[KEY, "edge-0"]
        if again.count > len(pauses):
            pauses.append(again.until - operator.cluster.now)
    assert [round(pause / SETTINGS.ready_timeout) for pause in pauses] == [1, 2, 4]
    operator.cluster.broken_images.clear()
    operator.run(60)
    assert state(operator).ready


def test_who_adds_to_a_deployment_again_and_again_does_not_keep_it_from_running(
    operator: Operator,
) -> None:
    name = names(operator, "Deployment")[0]
    served = 0
    for _ in range(200):
        live = operator.cluster.get("Deployment", name)
        if live is not None:
            live["metadata"]["managedFields"] = [
                {"manager": "policy", "fieldsV1": {"f:spec": {"f:paused": {}}}}
            ]
        operator.round()
        served += operator.cluster.why_not_served("camera") is None
    assert len(operator.told("DeploymentEdited")) == 3
    assert served > 150
