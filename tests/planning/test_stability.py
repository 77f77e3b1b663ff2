"""What runs stays, makes room, gives way to priority, and moves only where it pays."""

from dataclasses import replace
from typing import Any

from fin.planning.check import check
from fin.planning.evaluation import footprint
from fin.planning.options import Options
from fin.planning.plan import Footprint, Plan, Reason, Running
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem
from fin.planning.solvers import make_plan

GIGA = 1e9
MODEL = Model("m", 1_000, (Block("all", GIGA, 1_000, 10, Exit("out", 0.0, 0, 0.0, 0.9)),), 100)


def node(name: str, joules_per_flop: float, millicores: int = 1_000, **more: Any) -> Node:
    return Node(name, "edge", millicores, 1e8, 10_000, 10, joules_per_flop, **more)


def app(name: str, **more: Any) -> App:
    asked = App("ns", name, MODEL, "source", rate=40.0, latency=1.0, min_accuracy=0.5)
    return replace(asked, **more)


def system(*apps: App, nodes: tuple[Node, ...] | None = None) -> Problem:
    """A source that can't compute, and nodes around it; one app fills half a node."""
    nodes = nodes or (node("cheap", 1e-10), node("dear", 2e-10))
    source = node("source", 1e-10, millicores=0)
    links = tuple(Link("source", each.name, 1e9, 0.001, 1e-9) for each in nodes)
    return Problem((source, *nodes), links, apps)


def running(problem: Problem, plan: Plan) -> tuple[Running, ...]:
    return tuple(
        Running(each.key, problem.app[each.key].priority, footprint(problem, each), each)
        for each in plan.apps
    )


def where(plan: Plan) -> dict[str, str]:
    return {each.key[1]: each.placement.nodes[0] for each in plan.apps}


def test_a_second_look_changes_nothing() -> None:
    problem = system(app("a"), app("b"), app("c"))
    first = make_plan(problem)
    again = make_plan(problem, running(problem, first))
    assert again.apps == first.apps
    assert where(first) == {"a": "cheap", "b": "cheap", "c": "dear"}


def test_a_newcomer_of_equal_priority_evicts_nobody() -> None:
    problem = system(*(app(name) for name in "abcd"))
    first = make_plan(problem)
    assert len(first.apps) == 4
    crowded = replace(problem, apps=(*problem.apps, app("0-newcomer")))
    second = make_plan(crowded, running(problem, first))
    assert second.app.keys() == first.app.keys()
    assert second.evicted == ()
    assert second.refusals[0].reason is Reason.INSUFFICIENT_COMPUTE


def test_a_higher_priority_evicts_one_of_the_lowest() -> None:
    problem = system(app("a", priority=3), *(app(name) for name in "bcd"))
    first = make_plan(problem)
    crowded = replace(problem, apps=(*problem.apps, app("urgent", priority=5)))
    second = make_plan(crowded, running(problem, first))
    assert ("ns", "urgent") in second.app
    assert ("ns", "a") in second.app
    assert len(second.evicted) == 1
    assert {refusal.key for refusal in second.refusals} == set(second.evicted)
    assert check(crowded, second, running(problem, first)) == []


def test_running_apps_move_to_let_a_newcomer_in() -> None:
    """The newcomer may run on `cheap` alone, which two others fill."""
    problem = system(app("a"), app("b"))
    first = make_plan(problem)
    assert where(first) == {"a": "cheap", "b": "cheap"}
    local = app("local", barred=frozenset({"dear"}))
    crowded = replace(problem, apps=(*problem.apps, local))
    second = make_plan(crowded, running(problem, first))
    assert where(second)["local"] == "cheap"
    assert sorted(where(second).values()) == ["cheap", "cheap", "dear"]


def test_a_held_app_does_not_move_for_a_newcomer() -> None:
    problem = system(app("a", hold=True), app("b", hold=True))
    first = make_plan(problem)
    local = app("local", barred=frozenset({"dear"}))
    crowded = replace(problem, apps=(*problem.apps, local))
    second = make_plan(crowded, running(problem, first))
    assert [refusal.key[1] for refusal in second.refusals] == ["local"]
    assert where(second) == where(first)


def test_a_move_must_save_more_than_the_threshold() -> None:
    before = system(app("a"), nodes=(node("now", 1e-10),))
    runs = running(before, make_plan(before))
    slightly = system(app("a"), nodes=(node("now", 1e-10), node("new", 0.97e-10)))
    assert where(make_plan(slightly, runs)) == {"a": "now"}
    assert where(make_plan(slightly, runs, Options(min_saving=0.01))) == {"a": "new"}
    clearly = system(app("a"), nodes=(node("now", 1e-10), node("new", 0.9e-10)))
    assert where(make_plan(clearly, runs)) == {"a": "new"}
    held = replace(clearly, apps=(app("a", hold=True),))
    assert where(make_plan(held, runs)) == {"a": "now"}


def test_two_apps_change_places_where_only_that_saves() -> None:
    """Each runs where the other would be cheaper, and a node has room for one."""
    links = ("source-a", "source-b")
    nodes = (node("left", 1e-10, 500), node("right", 1e-10, 500))
    sources = tuple(node(name, 1e-10, 0) for name in links)

    def problem(near: float, far: float) -> Problem:
        costs = {("a", "left"): near, ("a", "right"): far, ("b", "right"): near, ("b", "left"): far}
        wires = tuple(
            Link(f"source-{of}", to, 1e9, 0.001, cost) for (of, to), cost in costs.items()
        )
        apps = tuple(app(of, source=f"source-{of}") for of in "ab")
        return Problem((*sources, *nodes), wires, apps)

    crossed = problem(near=1e-4, far=1e-9)
    first = make_plan(crossed)
    assert where(first) == {"a": "right", "b": "left"}
    straight = problem(near=1e-9, far=1e-4)
    assert where(make_plan(straight, running(crossed, first))) == {"a": "left", "b": "right"}


def test_a_cordoned_node_is_left_where_there_is_another() -> None:
    problem = system(app("a"))
    runs = running(problem, make_plan(problem))
    cordoned = replace(problem, apps=(app("a", barred=frozenset({"cheap"})),))
    assert where(make_plan(cordoned, runs)) == {"a": "dear"}
    nowhere = replace(problem, apps=(app("a", barred=frozenset({"cheap", "dear"})),))
    assert where(make_plan(nowhere, runs)) == {"a": "cheap"}
    everywhere = frozenset({"source", "cheap", "dear"})
    barred = replace(problem, apps=(app("a", barred=everywhere),))
    assert make_plan(barred).refusals[0].reason is Reason.PLACEMENT_UNSATISFIABLE


def test_what_runs_without_a_plan_keeps_its_room_until_priority_needs_it() -> None:
    held = Footprint((("cheap", 600),), (("cheap", 1_000),), ())
    orphan = Running(("ns", "orphan"), 0, held)
    problem = system(app("a"))
    assert where(make_plan(problem, (orphan,))) == {"a": "dear"}
    small = system(app("a"), nodes=(node("cheap", 1e-10),))
    refused = make_plan(small, (orphan,))
    assert (refused.apps, refused.evicted) == ((), ())
    urgent = replace(small, apps=(app("a", priority=1),))
    taken = make_plan(urgent, (orphan,))
    assert where(taken) == {"a": "cheap"}
    assert taken.evicted == (("ns", "orphan"),)


def test_a_running_app_that_no_longer_fits_its_target_runs_on() -> None:
    problem = system(app("a"))
    runs = running(problem, make_plan(problem))
    tight = replace(problem, apps=(app("a", latency=1e-4),))
    plan = make_plan(tight, runs)
    assert plan.refusals[0].reason is Reason.LATENCY_UNREACHABLE
    assert plan.evicted == ()


def test_reservations_alone_are_no_reason_to_change() -> None:
    problem = system(app("a"))
    runs = running(problem, make_plan(problem))
    easier = replace(problem, apps=(app("a", rate=10.0),))
    assert make_plan(easier, runs).apps[0].millicores == runs[0].footprint.millicores
    assert make_plan(easier).apps[0].millicores < runs[0].footprint.millicores


def test_too_few_slots_are_named_as_the_reason() -> None:
    """Two edges, each rounded up to a whole slot, do not fit into one."""
    problem = system(app("a"))
    assert make_plan(problem, options=Options(gamma=1)).refusals[0].reason is Reason.SLOTS_TOO_FEW
    assert make_plan(problem, options=Options(gamma=2)).refusals == ()
    late = system(app("a", latency=1e-4))
    found = make_plan(late, options=Options(gamma=1)).refusals[0]
    assert found == make_plan(late).refusals[0]
