"""What runs is read from the objects alone."""

from typing import Any

import pytest

from fin.cluster import reading
from fin.cluster.running import is_entry, read_running
from fin.planning.plan import Running
from tests.helpers.objects import app, link, model, node, topology
from tests.helpers.simulator import Operator, SimulatedCluster


@pytest.fixture
def operator() -> Operator:
    cluster = SimulatedCluster()
    cluster.add(
        node("mobile-0", "mobile", cpu="1", flops="2G", gflops_per_watt="5"),
        node("edge-0", "edge", cpu="4", flops="400G", gflops_per_watt="10"),
        topology("net", link("mobile", "edge")),
        model(),
        app(priority=3, placement={"localBlocks": 1}, latency={"target": "500ms"}),
    )
    started = Operator(cluster)
    started.settle()
    return started


def running(operator: Operator) -> tuple[Running, ...]:
    snapshot, world = operator.look()
    return read_running(snapshot, world, operator.memory)


def test_a_running_app_in_the_planners_terms(operator: Operator) -> None:
    (run,) = running(operator)
    assert run.key == ("default", "camera")
    assert run.priority == 3
    assert run.plan is not None
    assert run.plan.placement.nodes[0] == "mobile-0"
    reserved = dict(run.footprint.millicores)
    for deployment in operator.cluster.all("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        on = terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
        assert pod["containers"][0]["resources"]["limits"]["cpu"] == f"{reserved[on]}m"
    assert run.footprint.traffic


def test_what_runs_is_planned_as_it_runs(operator: Operator) -> None:
    (before,) = running(operator)
    operator.settle()
    assert running(operator) == (before,)


def test_it_is_read_whatever_the_order_of_the_objects(operator: Operator) -> None:
    expected = running(operator)
    operator.cluster.objects = dict(reversed(operator.cluster.objects.items()))
    assert running(operator) == expected


@pytest.mark.parametrize("change", ["model gone", "other blocks", "source gone"])
def test_without_its_model_or_source_only_the_footprint_is_known(
    operator: Operator, change: str
) -> None:
    (before,) = running(operator)
    objects = operator.cluster.objects
    if change == "model gone":
        operator.cluster.remove("DNNModel", "net")
    elif change == "other blocks":
        objects["DNNModel", "default", "net"]["spec"]["blocks"][0]["name"] = "other"
    else:
        del objects["Node", "default", "mobile-0"]["metadata"]["labels"]["finoperator.io/tier"]
    (run,) = running(operator)
    assert run.plan is None
    assert run.footprint == before.footprint


def test_a_lost_segment_means_that_the_app_does_not_run(operator: Operator) -> None:
    live = operator.cluster.objects["Node", "default", "edge-0"]
    live["status"]["conditions"][0]["status"] = "Unknown"
    assert running(operator) == ()


def test_an_untolerated_taint_that_evicts_means_so_too(operator: Operator) -> None:
    live = operator.cluster.objects["Node", "default", "edge-0"]
    live["spec"]["taints"] = [{"key": "maintenance", "effect": "NoExecute"}]
    assert running(operator) == ()


def entry_of(operator: Operator) -> dict[str, Any]:
    return next(each for each in operator.cluster.all("Deployment") if is_entry(each))


def test_a_spoiled_annotation_is_read_from_the_copy(operator: Operator) -> None:
    expected = running(operator)
    entry_of(operator)["metadata"]["annotations"]["finoperator.io/plan"] = "spoiled"
    assert running(operator) == expected


def test_with_both_copies_spoiled_the_room_is_still_taken(operator: Operator) -> None:
    (before,) = running(operator)
    for obj in (entry_of(operator), *operator.cluster.all("ConfigMap")):
        obj["metadata"]["annotations"] = {"finoperator.io/plan": "spoiled"}
    (run,) = running(operator)
    assert run.plan is None
    assert dict(run.footprint.millicores) == dict(before.footprint.millicores)
    assert dict(run.footprint.memory) == dict(before.footprint.memory)


@pytest.mark.parametrize("gone", ["entry", "service", "service and copy"])
def test_what_serves_is_found_though_some_of_it_was_deleted(operator: Operator, gone: str) -> None:
    expected = running(operator)
    if gone == "entry":
        operator.cluster.remove("Deployment", reading.name(entry_of(operator)))
        operator.cluster.tick()
        operator.cluster.tick()
    else:
        operator.cluster.remove("Service", "camera")
    if gone == "service and copy":
        operator.cluster.remove("ConfigMap", "camera-routes")
    assert running(operator) == expected


def test_of_two_entries_without_a_service_the_one_that_has_served_counts(
    operator: Operator,
) -> None:
    expected = running(operator)
    operator.cluster.edit_app("camera", rate=100)
    operator.round()
    assert operator.told("Moving")
    operator.cluster.remove("Service", "camera")
    operator.cluster.remove("ConfigMap", "camera-routes")
    (run,) = running(operator)
    assert expected[0].plan
    assert run.plan
    assert run.plan.millicores == expected[0].plan.millicores


def test_nothing_runs_for_an_app_that_is_being_deleted(operator: Operator) -> None:
    live = operator.cluster.objects["InferenceApp", "default", "camera"]
    live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert running(operator) == ()
    assert operator.decide().actions == ()


def test_a_missing_segment_whose_room_others_took_does_not_run(operator: Operator) -> None:
    other = next(each for each in operator.cluster.all("Deployment") if not is_entry(each))
    operator.cluster.remove("Deployment", reading.name(other))
    for _ in range(5):
        operator.cluster.tick()
    assert len(running(operator)) == 1
    operator.cluster.objects["Node", "default", "edge-0"]["status"]["allocatable"]["cpu"] = "0.001"
    assert running(operator) == ()
