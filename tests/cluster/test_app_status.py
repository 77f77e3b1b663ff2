"""Conditions and status of the three kinds, through the operator's loop."""

from dataclasses import replace
from typing import Any

import pytest

from fin.api import names
from fin.cluster import reading
from tests.helpers.objects import link, topology
from tests.helpers.simulator import SETTINGS, Operator, SimulatedCluster
from tests.helpers.small_cluster import small_cluster

Json = dict[str, Any]


@pytest.fixture
def operator() -> Operator:
    started = Operator(small_cluster())
    started.settle()
    return started


def status(operator: Operator, kind: str = "InferenceApp", name: str = "camera") -> Json:
    live = operator.cluster.get(kind, name)
    assert live is not None
    return dict(live["status"])


def condition(
    operator: Operator, type_: str, kind: str = "InferenceApp", name: str = "camera"
) -> Json:
    found = [each for each in status(operator, kind, name)["conditions"] if each["type"] == type_]
    assert len(found) == 1
    return dict(found[0])


def ready(operator: Operator) -> tuple[str, str]:
    found = condition(operator, "Ready")
    return found["status"], found["reason"]


def planned(operator: Operator) -> tuple[str, str]:
    found = condition(operator, "Planned")
    return found["status"], found["reason"]


def edit_node(operator: Operator, name: str, **spec: Any) -> None:
    operator.cluster.objects["Node", "default", name]["spec"].update(spec)


def test_a_served_app_tells_its_plan(operator: Operator) -> None:
    assert [each["type"] for each in status(operator)["conditions"]] == [
        names.CONDITION_ACCEPTED,
        names.CONDITION_PLANNED,
        names.CONDITION_READY,
        names.CONDITION_DRIFTED,
    ]
    *good, drifted = status(operator)["conditions"]
    assert all(each["status"] == "True" for each in good)
    assert (drifted["status"], drifted["reason"]) == ("Unknown", "NotObserved")
    assert all(each["observedGeneration"] == 1 for each in status(operator)["conditions"])
    assert status(operator)["observedGeneration"] == 1
    plan = status(operator)["plan"]
    segment = operator.cluster.all("Deployment")[0]
    limits = segment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert plan["segments"] == [
        {
            "name": reading.name(segment),
            "nodeName": "edge-0",
            "tier": "edge",
            "blocks": ["block1", "block2", "block3"],
            "cpu": limits["cpu"],
            "memory": limits["memory"],
        }
    ]
    assert plan["exit"] == "final"
    assert plan["accuracy"] == 0.9
    # 6 % of the inputs leave at no exit: 40 % leave at the first, after 11 of 31 MFLOP.
    energy = (11e6 + 0.6 * 20e6) * 1e-9 / 10 + 3072 * 8 * 1e-8
    assert plan["energyPerInference"] == f"{energy * 1e3:.3g}m"
    assert plan["power"] == f"{10 * energy * 1e3:.3g}m"
    assert float(plan["latency"].removesuffix("ms")) <= 50
    assert 0 <= plan["gap"] <= 1e-3
    assert plan["rate"] == "10"
    assert plan["exits"] == [{"name": "block1", "share": 0.4}, {"name": "final", "share": 0.6}]


def test_nothing_is_written_where_nothing_has_changed(operator: Operator) -> None:
    operator.decide()
    assert operator.patches == ()


def test_before_its_pods_are_ready_it_says_what_is_missing() -> None:
    operator = Operator(small_cluster())
    operator.cluster.broken_images.add(SETTINGS.segments.default_image)
    operator.run(3)
    pod = next(each for each in operator.cluster.all("Pod") if "sim" in each)
    pod["status"]["containerStatuses"] = [
        {
            "name": "segment",
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
        }
    ]
    operator.run(1)
    assert ready(operator) == ("False", "SegmentsNotReady")
    message = condition(operator, "Ready")["message"]
    assert "on edge-0: container segment: ImagePullBackOff: no such image" in message
    assert planned(operator)[0] == "True"
    assert status(operator)["plan"]["revision"]


def test_the_time_of_a_transition_stays_while_the_status_does(operator: Operator) -> None:
    before = condition(operator, "Ready")["lastTransitionTime"]
    edit_node(operator, "edge-0", unschedulable=True)
    operator.settle()
    assert "edge-1" in condition(operator, "Ready")["message"]
    assert condition(operator, "Ready")["lastTransitionTime"] == before


def test_a_move_for_energy_leaves_it_ready(operator: Operator) -> None:
    labels = operator.cluster.objects["Node", "default", "edge-1"]["metadata"]["labels"]
    labels[names.LABEL_GFLOPS_PER_WATT] = "100"
    seen = set()
    for _ in range(40):
        operator.round()
        seen.add(ready(operator))
    assert operator.told("Moved")
    assert seen == {("True", "Serving")}


def test_an_edit_makes_it_unready_until_it_is_served(operator: Operator) -> None:
    operator.cluster.edit_app("camera", rate=300)
    operator.round()
    assert ready(operator) == ("False", "Moving")
    assert condition(operator, "Ready")["observedGeneration"] == 2
    operator.settle()
    assert ready(operator) == ("True", "Serving")


def test_an_edit_without_a_plan_says_so_and_what_runs_on(operator: Operator) -> None:
    operator.cluster.edit_app("camera", minAccuracy=0.99)
    operator.settle()
    assert planned(operator) == ("False", "AccuracyUnreachable")
    assert "runs on, and breaks: accuracy 0.9" in condition(operator, "Planned")["message"]
    assert ready(operator) == ("False", "AccuracyUnreachable")
    assert status(operator)["plan"]["accuracy"] == 0.9
    assert operator.cluster.why_not_served("camera") is None


def test_an_invalid_spec_is_not_accepted_and_what_serves_runs_on(operator: Operator) -> None:
    operator.cluster.edit_app("camera", rate="many")
    operator.settle()
    assert condition(operator, "Accepted")["reason"] == "InvalidSpec"
    assert "spec.rate" in condition(operator, "Accepted")["message"]
    assert planned(operator) == ("False", "InvalidSpec")
    assert operator.cluster.why_not_served("camera") is None


def test_a_lost_plan_without_an_edit_leaves_it_ready(operator: Operator) -> None:
    operator.cluster.remove("DNNModel", "net")
    operator.settle()
    assert planned(operator) == ("False", "ModelNotFound")
    assert ready(operator) == ("True", "Serving")


def test_without_a_plan_from_the_start() -> None:
    operator = Operator(small_cluster(latency={"target": "1us"}))
    operator.settle()
    assert planned(operator) == ("False", "LatencyUnreachable")
    assert ready(operator) == ("False", "LatencyUnreachable")
    assert "plan" not in status(operator)


def test_a_cordoned_node_is_named(operator: Operator) -> None:
    for name in ("edge-0", "edge-1"):
        edit_node(operator, name, unschedulable=True)
    operator.settle()
    assert planned(operator) == ("True", "NodeCordoned")
    assert "edge-0" in condition(operator, "Planned")["message"]
    assert ready(operator) == ("True", "Serving")


def test_a_held_app_on_a_cordoned_node_says_that_it_is_held(operator: Operator) -> None:
    live = operator.cluster.objects["InferenceApp", "default", "camera"]
    live["metadata"]["annotations"] = {"finoperator.io/hold": "true"}
    edit_node(operator, "edge-0", unschedulable=True)
    operator.settle()
    assert planned(operator) == ("True", "NodeCordoned")
    message = condition(operator, "Planned")["message"]
    assert "finoperator.io/hold" in message
    assert "no other plan" not in message
    (told,) = operator.told("NodeCordoned")
    assert "finoperator.io/hold" in told.message
    del live["metadata"]["annotations"]
    operator.settle()
    assert planned(operator) == ("True", "Planned")


def test_a_name_conflict_is_named(operator: Operator) -> None:
    live = operator.cluster.objects["Service", "default", "camera"]
    live["metadata"]["ownerReferences"] = []
    operator.settle()
    assert ready(operator) == ("False", "NameConflict")
    assert "Service camera exists" in condition(operator, "Ready")["message"]


def test_ready_needs_an_endpoint(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedCluster, "_write_endpoints", lambda _: None)
    for key in [key for key in operator.cluster.objects if key[0] == "EndpointSlice"]:
        del operator.cluster.objects[key]
    operator.run(1)
    assert ready(operator) == ("False", "NoEndpoints")


def test_an_artifact_that_is_not_allowed_is_named_on_app_and_model() -> None:
    operator = Operator(small_cluster())
    segment = {"artifact": {"hostPath": {"path": "/srv"}}}
    operator.cluster.objects["DNNModel", "default", "net"]["spec"]["segment"] = segment
    operator.settle()
    assert planned(operator) == ("False", "HostPathNotAllowed")
    assert condition(operator, "Accepted", "DNNModel", "net")["reason"] == "HostPathNotAllowed"
    assert operator.cluster.all("Deployment") == []
    allowed = replace(SETTINGS.segments, allow_host_path=True)
    operator.settings = replace(SETTINGS, segments=allowed)
    operator.settle()
    assert ready(operator) == ("True", "Serving")
    assert condition(operator, "Accepted", "DNNModel", "net")["status"] == "True"


def test_without_any_image_it_says_which_field_to_set() -> None:
    no_default = replace(SETTINGS, segments=replace(SETTINGS.segments, default_image=""))
    operator = Operator(small_cluster(), settings=no_default)
    operator.settle()
    assert planned(operator) == ("False", "ImageMissing")
    assert "DNNModel default/net: spec.segment.image" in condition(operator, "Planned")["message"]


def test_models_and_topologies_are_accepted_or_told_why_not(operator: Operator) -> None:
    assert condition(operator, "Accepted", "DNNModel", "net")["status"] == "True"
    assert condition(operator, "Accepted", "NetworkTopology", "net")["status"] == "True"
    operator.cluster.objects["DNNModel", "default", "net"]["spec"]["blocks"] = []
    operator.cluster.add(topology("second", link("mobile", "edge", bandwidth="1M")))
    operator.run(1)
    assert condition(operator, "Accepted", "DNNModel", "net")["reason"] == "InvalidSpec"
    overruled = condition(operator, "Accepted", "NetworkTopology", "second")
    assert (overruled["status"], overruled["reason"]) == ("True", "RuleOverruled")
    operator.cluster.objects["NetworkTopology", "default", "second"]["spec"] = {"links": 3}
    operator.run(1)
    refused = condition(operator, "Accepted", "NetworkTopology", "second")
    assert (refused["status"], refused["reason"]) == ("False", "InvalidSpec")
