"""Apps that get into each other's way: room, exchanges, evictions, upgrades, shared segments."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from fin.cluster import reading
from fin.cluster.cases import make_cases
from fin.cluster.observed import Observed
from fin.planning.plan import AppPlan, Placement, Plan
from fin.planning.problem import AppKey
from tests.helpers import objects
from tests.helpers.objects import container, link, model, node, pod, topology
from tests.helpers.simulator import SETTINGS, Operator, SimulatedCluster, summary


def app(name: str = "camera", namespace: str = "default", **spec: Any) -> Any:
    return objects.app(name, namespace, source="edge-0", **spec)


def cluster_of(*apps: Any, nodes: int = 3, cpu: str = "1") -> SimulatedCluster:
    cluster = SimulatedCluster()
    cluster.add(
        *(node(f"edge-{i}", "edge", cpu=cpu, flops="400G") for i in range(nodes)),
        topology("net", link("edge", "edge", energyPerBit=0)),
        model(),
        *apps,
    )
    return cluster


def at(name: str, *nodes: str, cpu: int = 300) -> AppPlan:
    """Return a plan with a node for each block (the last for the rest), and millicores on each."""
    blocks = (*nodes, *[nodes[-1]] * (3 - len(nodes)))
    routes, here = [], "edge-0"
    for there in blocks:
        routes.append((here,) if here == there else (here, there))
        here = there
    placement = Placement(blocks, tuple(routes))
    return AppPlan(
        ("default", name), placement, tuple((node, cpu) for node, _ in placement.segments)
    )


def planned(*plans: AppPlan, evicted: Iterable[AppKey] = ()) -> Plan:
    return Plan("fixed", plans, (), evicted=tuple(evicted))


def nodes_of(operator: Operator, name: str) -> set[str]:
    return {
        each["spec"]["nodeName"]
        for each in operator.cluster.all("Pod")
        if reading.labels(each).get("finoperator.io/app") == name
        and "nodeName" in each["spec"]
        and not reading.being_deleted(each)
    }


def pending(operator: Operator) -> list[str]:
    """Pods that the scheduler can't place."""
    return [
        reading.name(each)
        for each in operator.cluster.all("Pod")
        if "sim" in each and "nodeName" not in each["spec"]
    ]


def started(*apps: Any, plan: Plan, **size: Any) -> Operator:
    operator = Operator(cluster_of(*apps, **size), plan=plan)
    operator.settle()
    return operator


def test_segments_that_two_revisions_share_are_not_touched() -> None:
    operator = started(app(), plan=planned(at("camera", "edge-0", "edge-1")))
    before = {reading.name(each): reading.uid(each) for each in operator.cluster.all("Deployment")}
    pods = {reading.name(each) for each in operator.cluster.all("Pod")}
    operator.plan = planned(at("camera", "edge-0", "edge-2"))
    run_served(operator, 40)
    after = {reading.name(each): reading.uid(each) for each in operator.cluster.all("Deployment")}
    shared = before.items() & after.items()
    assert len(shared) == 1
    assert len(pods & {reading.name(each) for each in operator.cluster.all("Pod")}) == 1


def test_where_the_entry_stays_old_segments_wait_until_it_has_read_its_new_hops() -> None:
    operator = started(app(), plan=planned(at("camera", "edge-0", "edge-1")))
    turned = move_behind_the_entry(operator)
    while "edge-1" in nodes_of(operator, "camera"):
        operator.round()
    assert operator.cluster.now - turned >= SETTINGS.refresh


def test_old_segments_go_soon_where_the_entry_says_that_it_has_read_its_new_hops() -> None:
    operator = started(app(), plan=planned(at("camera", "edge-0", "edge-1")))
    operator.settings = replace(SETTINGS, refresh=200.0)
    operator.cluster.refresh, operator.asks = 7, True
    turned = move_behind_the_entry(operator)
    while "edge-1" in nodes_of(operator, "camera"):
        run_served(operator, 1)
    assert SETTINGS.drain <= operator.cluster.now - turned <= 7 + SETTINGS.drain + 2
    assert not operator.decide().unread


def test_an_entry_that_says_something_else_is_not_believed_to_have_read() -> None:
    operator = started(app(), plan=planned(at("camera", "edge-0", "edge-1")))
    operator.cluster.refresh, operator.asks = 1000, True
    turned = move_behind_the_entry(operator)
    while "edge-1" in nodes_of(operator, "camera"):
        operator.round()
    assert operator.cluster.now - turned >= SETTINGS.refresh


def test_an_entry_is_made_to_read_its_new_hops_at_once() -> None:
    """A node is lost: what calls the segments there must not wait for the kubelet's next round."""
    operator = started(app(), plan=planned(at("camera", "edge-0", "edge-1")))
    operator.cluster.prompt, operator.cluster.refresh = True, 1000
    move_behind_the_entry(operator)
    operator.cluster.tick()
    (entry,) = (
        each for each in operator.cluster.all("Pod") if each["spec"]["nodeName"] == "edge-0"
    )
    wanted = operator.cluster.get("ConfigMap", "camera-routes")
    assert wanted is not None
    assert entry["sim"]["config"] == json.loads(wanted["data"]["routes.json"])
    operator.run(3)
    assert operator.decide().actions == ()


def test_a_third_revision_replaces_the_wanted_one_and_not_the_serving() -> None:
    operator = started(app(), plan=planned(at("camera", "edge-0")))
    operator.plan = planned(at("camera", "edge-1"))
    operator.run(2)
    assert nodes_of(operator, "camera") == {"edge-0", "edge-1"}
    operator.plan = planned(at("camera", "edge-2"))
    operator.round()
    assert nodes_of(operator, "camera") | {"edge-2"} == {"edge-0", "edge-2"}
    operator.settle()
    assert nodes_of(operator, "camera") == {"edge-2"}


def move_behind_the_entry(operator: Operator) -> float:
    """Plan the second segment elsewhere; return when requests are to go there."""
    operator.plan = planned(at("camera", "edge-0", "edge-2"))
    while not operator.told("Moved"):
        operator.round()
    return operator.cluster.now


def run_served(operator: Operator, seconds: int) -> None:
    """Go on, and see that the app serves at every moment."""
    for _ in range(seconds):
        operator.act(operator.decide())
        assert operator.cluster.why_not_served("camera") is None
        operator.cluster.tick()
        assert operator.cluster.why_not_served("camera") is None


def test_an_entry_that_was_told_other_hops_before_it_serves_is_made_anew() -> None:
    operator = started(app(), plan=planned(at("camera", "edge-0")))
    operator.plan = planned(at("camera", "edge-1", "edge-2"))
    run_served(operator, 2)
    operator.plan = planned(at("camera", "edge-1", "edge-0"))
    run_served(operator, 60)
    assert operator.decide().states["default", "camera"].ready
    assert len(operator.told("Moved")) == 1


def test_hops_that_the_entry_has_not_read_yet_outlast_an_older_entry() -> None:
    operator = started(app(), plan=planned(at("camera", "edge-0")))
    operator.plan = planned(at("camera", "edge-1", "edge-2"))
    while not operator.told("Moved"):
        run_served(operator, 1)
    # The entry of the first revision is still there when the next move begins and ends.
    operator.settings = replace(SETTINGS, drain=3.0)
    operator.cluster.startup, operator.cluster.refresh = 1, 13
    operator.plan = planned(at("camera", "edge-1", "edge-0"))
    run_served(operator, 60)
    assert len(operator.told("Moved")) == 2


def test_no_segment_is_created_before_the_scheduler_has_room_for_it() -> None:
    operator = started(
        app("first"), app("second"), plan=planned(at("first", "edge-0", cpu=900)), cpu="1"
    )
    operator.cluster.grace = 6
    operator.plan = planned(at("first", "edge-1", cpu=900), at("second", "edge-0", cpu=800))
    for _ in range(60):
        operator.round()
        assert pending(operator) == []
    assert nodes_of(operator, "second") == {"edge-0"}


def test_pods_of_others_that_still_end_take_room() -> None:
    operator = Operator(cluster_of(app()), plan=planned(at("camera", "edge-0", cpu=500)))
    other = pod("other", "edge-0", container(cpu="800m"))
    other["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    operator.cluster.add(other)
    operator.run(5)
    assert nodes_of(operator, "camera") == set()
    assert "500m CPU" in str(operator.decide().states["default", "camera"].waiting)
    operator.cluster.remove("Pod", "other")
    operator.settle()
    assert nodes_of(operator, "camera") == {"edge-0"}


def test_newcomers_leave_the_room_that_a_move_waits_for() -> None:
    operator = started(app("first"), app("second"), plan=planned(at("first", "edge-0", cpu=900)))
    blocker = pod("blocker", "edge-1", container(cpu="500m"))
    blocker["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    operator.cluster.add(blocker)
    operator.plan = planned(at("first", "edge-1", cpu=600), at("second", "edge-1", cpu=300))
    operator.run(3)
    assert nodes_of(operator, "second") == set()
    operator.cluster.remove("Pod", "blocker")
    operator.settle()
    assert nodes_of(operator, "first") == nodes_of(operator, "second") == {"edge-1"}


def full_exchange(**priorities: int) -> Operator:
    """Two apps that each fill a node and are to change places."""
    operator = started(
        *(app(name, priority=priority) for name, priority in priorities.items()),
        plan=planned(at("first", "edge-0", cpu=900), at("second", "edge-1", cpu=900)),
        nodes=2,
    )
    operator.events.clear()
    operator.plan = planned(at("first", "edge-1", cpu=900), at("second", "edge-0", cpu=900))
    return operator


@pytest.mark.parametrize(
    ("first", "second", "broken"), [(1, 0, "second"), (0, 1, "first"), (0, 0, "second")]
)
def test_apps_that_change_places_on_full_nodes_break_the_lowest_priority_first(
    first: int, second: int, broken: str
) -> None:
    operator = full_exchange(first=first, second=second)
    spared = "first" if broken == "second" else "second"
    for _ in range(60):
        operator.round()
        assert operator.cluster.why_not_served(spared) is None
        assert pending(operator) == []
    assert [event.app[1] for event in operator.told("BrokenFirst")] == [broken]
    assert nodes_of(operator, "first") == {"edge-1"}
    assert nodes_of(operator, "second") == {"edge-0"}
    assert operator.memory.exchange == {}


def test_nothing_is_broken_for_an_exchange_that_another_app_is_making_room_for() -> None:
    """What the third app leaves behind goes by itself; then first moves, then second."""
    apps = [app(name, priority=1 if name == "first" else -1) for name in ("first", "second")]
    third = app("third", priority=0)
    operator = started(
        *apps,
        third,
        plan=planned(
            at("first", "edge-0", cpu=700),
            at("second", "edge-1", cpu=500),
            at("third", "edge-0", "edge-1", cpu=200),
        ),
        cpu="1",
    )
    operator.plan = planned(
        at("first", "edge-0", cpu=700),
        at("second", "edge-1", cpu=500),
        at("third", "edge-0", "edge-2", cpu=200),
    )
    while "edge-2" not in nodes_of(operator, "third"):
        operator.round()
    operator.plan = planned(
        at("first", "edge-1", cpu=450),
        at("second", "edge-0", cpu=500),
        at("third", "edge-0", "edge-2", cpu=200),
    )
    for _ in range(80):
        operator.round()
        assert all(operator.cluster.why_not_served(name) is None for name in ("first", "second"))
    assert operator.told("BrokenFirst") == []
    assert nodes_of(operator, "first") == {"edge-1"}
    assert nodes_of(operator, "second") == {"edge-0"}


def test_during_an_exchange_both_count_as_running_where_they_are_to_be() -> None:
    operator = full_exchange(first=1, second=0)
    while not operator.told("BrokenFirst"):
        operator.round()
    exchange = dict(operator.memory.exchange)
    assert {key: set(plan.placement.nodes) for key, plan in exchange.items()} == {
        ("default", "first"): {"edge-1"},
        ("default", "second"): {"edge-0"},
    }
    operator.plan = None  # the planner goes on
    operator.settle()
    assert nodes_of(operator, "first") == {"edge-1"}
    assert nodes_of(operator, "second") == {"edge-0"}
    assert len(operator.told("BrokenFirst")) == 1


def test_a_restart_during_an_exchange_ends_with_both_running() -> None:
    operator = full_exchange(first=1, second=0)
    while not operator.told("BrokenFirst"):
        operator.round()
    operator.restart()
    operator.plan = None
    operator.settle()
    for name in ("first", "second"):
        assert operator.cluster.why_not_served(name) is None


def test_a_ring_of_three_breaks_one_app() -> None:
    names = ["a", "b", "c"]
    operator = started(
        *map(app, names),
        plan=planned(*(at(name, f"edge-{i}", cpu=900) for i, name in enumerate(names))),
    )
    operator.plan = planned(
        *(at(name, f"edge-{(i + 1) % 3}", cpu=900) for i, name in enumerate(names))
    )
    operator.settle()
    assert [event.app[1] for event in operator.told("BrokenFirst")] == ["c"]
    for i, name in enumerate(names):
        assert nodes_of(operator, name) == {f"edge-{(i + 1) % 3}"}


def test_on_one_full_node_an_app_makes_room_for_its_own_next_revision() -> None:
    operator = started(app(), plan=planned(at("camera", "edge-0", cpu=600)), nodes=1)
    operator.plan = planned(at("camera", "edge-0", cpu=700))
    operator.settle()
    assert [event.app[1] for event in operator.told("BrokenFirst")] == ["camera"]
    assert operator.cluster.why_not_served("camera") is None


def test_of_two_apps_in_the_way_one_that_does_not_serve_anyway_is_broken() -> None:
    operator = full_exchange(first=1, second=0)
    for each in operator.cluster.all("Deployment"):
        if reading.labels(each)["finoperator.io/app"] == "first":
            each["status"]["readyReplicas"] = 0
    operator.round()
    assert [event.app[1] for event in operator.told("BrokenFirst")] == ["first"]


def test_an_evicted_app_goes_and_says_so() -> None:
    operator = started(
        app("low"), app("high", priority=5), plan=planned(at("low", "edge-0", cpu=800)), nodes=1
    )
    operator.plan = planned(at("high", "edge-0", cpu=900), evicted=[("default", "low")])
    operator.settle()
    assert nodes_of(operator, "low") == set()
    assert nodes_of(operator, "high") == {"edge-0"}
    assert len(operator.told("Evicted")) == 1
    assert operator.cluster.get("Service", "low") is None


def test_a_refused_app_that_runs_and_is_not_evicted_runs_on() -> None:
    operator = started(app("low"), plan=planned(at("low", "edge-0")))
    operator.plan = planned()
    operator.settle()
    assert operator.decide().actions == ()
    assert operator.cluster.why_not_served("low") is None


def test_a_new_default_image_moves_a_few_apps_at_a_time() -> None:
    names = [f"app-{i}" for i in range(7)]
    plan = planned(*(at(name, "edge-0", cpu=50) for name in names))
    operator = started(*map(app, names), plan=plan)
    segments = replace(SETTINGS.segments, default_image="registry.example/fin-segment:2")
    operator.settings = replace(SETTINGS, segments=segments)
    at_once = 0
    for _ in range(120):
        operator.round()
        snapshot, world = operator.look()
        cases = make_cases(Observed(snapshot), world, plan, operator.settings)
        at_once = max(at_once, sum(case.phase == "moving" for case in cases.values()))
        for name in names:
            assert operator.cluster.why_not_served(name) is None
    images = {each["spec"]["containers"][0]["image"] for each in operator.cluster.all("Pod")}
    assert images == {"registry.example/fin-segment:2"}
    assert at_once == SETTINGS.at_once


def test_two_apps_of_one_name_in_two_namespaces_do_not_meet() -> None:
    cluster = cluster_of(app(), app(namespace="other"), model(namespace="other"))
    operator = Operator(cluster)
    operator.settle()
    for namespace in ("default", "other"):
        assert cluster.why_not_served("camera", namespace) is None
    cluster.remove("InferenceApp", "camera")
    operator.settle()
    assert cluster.why_not_served("camera", "other") is None
    assert {reading.namespace(each) for each in cluster.all("Deployment")} == {"other"}


def walk(crash_at: int | None) -> tuple[Operator, int]:
    """Move two apps with shared and new segments, one round broken off after some actions."""
    operator = started(
        app("first"),
        app("second"),
        plan=planned(at("first", "edge-0", "edge-1"), at("second", "edge-1")),
    )
    operator.plan = planned(at("first", "edge-0", "edge-2"), at("second", "edge-2", "edge-0"))
    done = 0
    for _ in range(60):
        decision = operator.decide()
        count = len(decision.actions)
        left = None if crash_at is None else max(crash_at - done, 0)
        if left is not None and done <= crash_at and left < count:  # type: ignore[operator]
            operator.act(decision, left)
            operator.restart()
            crash_at = None
        else:
            operator.act(decision)
        done += count
        for name in ("first", "second"):
            assert operator.cluster.why_not_served(name) is None, (done, summary(decision.actions))
        operator.cluster.tick()
        for name in ("first", "second"):
            assert operator.cluster.why_not_served(name) is None
    return operator, done


def test_broken_off_after_any_action_it_comes_to_the_same_end() -> None:
    whole, count = walk(None)
    assert count > 10
    end = state_of(whole)
    for crash_at in range(count):
        assert state_of(walk(crash_at)[0]) == end, crash_at


def state_of(operator: Operator) -> dict[str, Any]:
    kinds = ("Deployment", "Service", "ConfigMap", "PodDisruptionBudget")
    return {
        f"{kind} {reading.name(each)}": (
            each.get("spec"),
            each.get("data"),
            each["metadata"].get("annotations"),
        )
        for kind in kinds
        for each in operator.cluster.all(kind)
    }
