"""``check`` finds each kind of violation, and nothing in a valid plan."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fin.planning.check import check
from fin.planning.evaluation import footprint
from fin.planning.plan import AppPlan, Placement, Plan, Running
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem

MODEL = Model(
    "net",
    1000,
    (
        Block("b1", 10e6, 100, 500, Exit("e1", 0, 0, 0.5, 0.6)),
        Block("b2", 40e6, 200, 10, Exit("e2", 0, 0, 0.0, 0.9)),
    ),
    memory_overhead=1000,
)
NODES = (
    Node("m", "mobile", 1000, 1e6, 2000, 2, 1e-9, egress=1e6, ingress=1e6),
    Node("e", "edge", 1000, 4e6, 2000, 2, 1e-9),
    Node("c", "cloud", 1000, 9e6, 2000, 2, 1e-9),
)
LINKS = (
    Link("m", "e", 1e6, 1e-3, 1e-9),
    Link("e", "m", 1e6, 1e-3, 1e-9),
    Link("e", "c", 1e6, 1e-3, 1e-9),
)
APP = App("default", "app", MODEL, "m", rate=10, latency=0.5, min_accuracy=0.8)
SPLIT = Placement(("m", "e"), (("m",), ("m", "e")))
PLAN = AppPlan(APP.key, SPLIT, (("m", 500), ("e", 500)))
PROBLEM = Problem(NODES, LINKS, (APP,), utilisation=0.8)


def found(problem: Problem, *plans: AppPlan, running: tuple[Running, ...] = ()) -> set[str]:
    return {v.constraint for v in check(problem, Plan("test", plans, ()), running)}


def change_app(**changes: object) -> Problem:
    return replace(PROBLEM, apps=(replace(APP, **changes),))  # type: ignore[arg-type]


def change_node(index: int, **changes: object) -> Problem:
    nodes = list(NODES)
    nodes[index] = replace(nodes[index], **changes)  # type: ignore[arg-type]
    return replace(PROBLEM, nodes=tuple(nodes))


def change_link(index: int, **changes: object) -> Problem:
    links = list(LINKS)
    links[index] = replace(links[index], **changes)  # type: ignore[arg-type]
    return replace(PROBLEM, links=tuple(links))


def placed(nodes: tuple[str, ...], *routes: tuple[str, ...]) -> AppPlan:
    placement = Placement(nodes, routes)
    return AppPlan(APP.key, placement, tuple((node, 500) for node, _ in placement.segments))


def test_a_valid_plan_breaks_nothing() -> None:
    assert check(PROBLEM, Plan("test", (PLAN,), ())) == []


@pytest.mark.parametrize(
    ("plan", "constraint"),
    [
        (replace(PLAN, key=("default", "stranger")), "App"),
        (placed(()), "Blocks"),
        (placed(("m",) * 3, ("m",), ("m",), ("m",)), "Blocks"),
        (placed(("m", "e"), ("m",)), "Routes"),
        (placed(("m", "e"), ("m",), ("m",)), "Routes"),
        (placed(("m", "e"), ("m",), ("e",)), "Routes"),
        (placed(("m", "e"), ("m",), ()), "Routes"),
        (placed(("m", "x"), ("m",), ("m", "x")), "Node"),
        (placed(("m", "c"), ("m",), ("m", "c")), "Link"),
        (replace(PLAN, millicores=(("m", 500),)), "Reservation"),
        (replace(PLAN, millicores=(("e", 500), ("m", 500))), "Reservation"),
        (replace(PLAN, millicores=(("m", 500), ("e", 9))), "Reservation"),
        (placed(("m",), ("m",)), "Accuracy"),
    ],
)
def test_a_malformed_plan(plan: AppPlan, constraint: str) -> None:
    assert constraint in found(PROBLEM, plan)


def test_a_cut_after_a_block_without_exit() -> None:
    blocks = (replace(MODEL.blocks[0], exit=None), MODEL.blocks[1])
    problem = change_app(model=replace(MODEL, blocks=blocks), min_accuracy=0.0)
    assert found(problem, placed(("m",), ("m",))) == {"Accuracy"}


def test_a_source_that_takes_no_part() -> None:
    problem = replace(PROBLEM, nodes=NODES[1:])
    assert "Source" in found(problem, placed(("e", "e"), ("m", "e"), ("e",)))


@pytest.mark.parametrize(
    "changes",
    [
        {"tiers": frozenset({"mobile"})},
        {"tiers": frozenset({"edge"})},
        {"local_blocks": 2},
        {"barred": frozenset({"e"})},
        {"barred": frozenset({"m"})},
    ],
)
def test_a_forbidden_placement(changes: dict[str, object]) -> None:
    assert found(change_app(**changes), PLAN) == {"Placement"}


def test_data_may_cross_a_barred_node_and_any_tier() -> None:
    problem = change_app(barred=frozenset({"e"}), tiers=frozenset({"mobile", "cloud"}))
    assert found(problem, placed(("m", "c"), ("m",), ("m", "e", "c"))) == set()


def test_latency_at_the_target_and_above() -> None:
    # 10 MFLOP at 0.5 GFLOP/s, 0.5 * (4 ms + 1 ms), 20 MFLOP at 2 GFLOP/s
    exact = 0.02 + 0.0025 + 0.01
    assert found(change_app(latency=exact), PLAN) == set()
    assert found(change_app(latency=exact * (1 - 1e-6)), PLAN) == {"Latency"}


def test_load_at_the_utilisation_and_above() -> None:
    # 10/s times 10 MFLOP fill 0.8 of 125 millicores
    assert found(PROBLEM, replace(PLAN, millicores=(("m", 125), ("e", 500)))) == set()
    assert found(PROBLEM, replace(PLAN, millicores=(("m", 124), ("e", 500)))) == {"Load"}


@pytest.mark.parametrize(
    ("edit", "limit", "constraint"),
    [
        (lambda limit: change_node(0, millicores=limit), 500, "Compute"),
        (lambda limit: change_node(1, memory=limit), 1200, "Memory"),
        (lambda limit: change_node(1, pods=limit), 1, "Pods"),
        # 10/s * 0.5 * 4000 bit within 0.8 of the limit
        (lambda limit: change_link(0, bandwidth=float(limit)), 25_000, "Bandwidth"),
        (lambda limit: change_node(0, egress=float(limit)), 25_000, "Bandwidth"),
        (lambda limit: change_node(1, ingress=float(limit)), 25_000, "Bandwidth"),
    ],
)
def test_capacity_at_the_limit_and_above(
    edit: Callable[[int], Problem], limit: int, constraint: str
) -> None:
    assert found(edit(limit), PLAN) == set()
    assert found(edit(limit - 1), PLAN) == {constraint}


def test_an_interface_limits_only_its_own_direction() -> None:
    assert found(change_node(0, ingress=1.0), PLAN) == set()
    assert found(change_node(1, egress=1.0), PLAN) == set()


def test_memory_and_load_of_two_visits_count_together() -> None:
    blocks = (*MODEL.blocks[:1], Block("mid", 40e6, 0, 10), MODEL.blocks[1])
    problem = change_app(model=replace(MODEL, blocks=blocks), latency=9.0)
    back = placed(("m", "e", "m"), ("m",), ("m", "e"), ("e", "m"))
    assert found(problem, back) == set()
    # each visit fits into 1299 bytes and into 250 millicores by itself
    little = replace(problem, nodes=(replace(NODES[0], memory=1299), *NODES[1:]))
    assert found(little, back) == {"Memory"}
    weak = replace(back, millicores=(("m", 374), ("e", 500)))
    assert found(problem, weak) == {"Load"}


def test_a_link_crossed_by_two_transfers_carries_both() -> None:
    model = replace(MODEL, blocks=(*MODEL.blocks[:1], Block("mid", 0, 0, 500), MODEL.blocks[1]))
    links = (*LINKS, Link("c", "m", 1e9, 0, 0))
    apps = (replace(APP, model=model),)
    around = placed(("e", "c", "e"), ("m", "e"), ("e", "c"), ("c", "m", "e"))
    # 10/s * 8000 bit and 10/s * 0.5 * 4000 bit within 0.8 of it
    for bandwidth, broken in ((125_000.0, set()), (124_999.0, {"Bandwidth"})):
        roads = (replace(links[0], bandwidth=bandwidth), *links[1:])
        assert found(replace(PROBLEM, links=roads, apps=apps), around) == broken


def two(*, millicores: int = 1000, memory: int = 9999, pods: int = 2) -> tuple[Problem, AppPlan]:
    """The problem with a second application, and the same plan for it."""
    other = replace(APP, name="other")
    nodes = tuple(replace(node, millicores=millicores, memory=memory, pods=pods) for node in NODES)
    return replace(PROBLEM, nodes=nodes, apps=(APP, other)), replace(PLAN, key=other.key)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"millicores": 1000, "memory": 2400}, None),
        ({"millicores": 999}, "Compute"),
        ({"memory": 2399}, "Memory"),
        ({"pods": 1}, "Pods"),
    ],
)
def test_two_applications_share_the_nodes(changes: dict[str, int], constraint: str) -> None:
    problem, other = two(**changes)
    assert found(problem, PLAN, other) == ({constraint} if constraint else set())


def test_two_applications_share_links_and_interfaces() -> None:
    problem, other = two()
    limits = replace(problem, links=(replace(LINKS[0], bandwidth=49_999.0), *LINKS[1:]))
    assert found(limits, PLAN) == set()
    assert found(limits, PLAN, other) == {"Bandwidth"}
    nodes = (replace(problem.nodes[0], egress=49_999.0), *problem.nodes[1:])
    assert found(replace(problem, nodes=nodes), PLAN, other) == {"Bandwidth"}


def running(plan: AppPlan, problem: Problem, priority: int = 0) -> Running:
    return Running(plan.key, priority, footprint(problem, plan), plan)


def test_a_running_deployment_that_is_not_replaced_keeps_its_room() -> None:
    problem, other = two(millicores=999)
    there = running(other, problem)
    assert found(problem, PLAN, running=(there,)) == {"Compute"}
    gone = Plan("test", (PLAN,), (), evicted=(other.key,))
    assert check(problem, gone, (there,)) == []
    replaced = replace(other, millicores=(("m", 499), ("e", 499)))
    assert found(problem, PLAN, replaced, running=(there,)) == set()


def test_what_runs_may_stay_on_a_node_that_takes_nothing_new() -> None:
    there = running(PLAN, PROBLEM)
    problem = change_app(barred=frozenset({"e"}))
    assert found(problem, PLAN, running=(there,)) == set()
    moved = replace(PLAN, millicores=(("m", 500), ("e", 501)))
    assert found(problem, moved, running=(there,)) == {"Placement"}


def test_what_running_deployments_alone_overfill_is_no_fault_of_the_plan() -> None:
    problem, other = two(millicores=999)
    both = (running(PLAN, problem), running(other, problem))
    assert found(problem, PLAN, other, running=both) == set()


@pytest.mark.parametrize("field", ["rate", "latency"])
def test_what_runs_must_still_serve(field: str) -> None:
    there = running(PLAN, PROBLEM)
    problem = change_app(**{field: {"rate": 1e3, "latency": 1e-3}[field]})
    assert found(problem, PLAN, running=(there,)) == {{"rate": "Load", "latency": "Latency"}[field]}
