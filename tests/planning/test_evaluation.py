"""Energy, latency and loads against sums done by hand."""

import math
from dataclasses import replace

import pytest

from fin.planning.evaluation import evaluate, footprint, speeds, usage
from fin.planning.plan import AppPlan, Footprint, Placement, gap
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem

# Three blocks; 60 % of the samples leave at the first exit, so 40 % reach blocks 2 and 3.
MODEL = Model(
    name="net",
    input_bytes=1000,
    blocks=(
        Block("b1", 100e6, 10, 500, Exit("e1", 20e6, 1, 0.6, 0.7)),
        Block("b2", 300e6, 20, 250),
        Block("b3", 500e6, 40, 10, Exit("e3", 50e6, 2, 0.0, 0.9)),
    ),
    memory_overhead=1000,
)
MOBILE = Node("mobile", "mobile", 1000, 1e6, 10_000, 10, 5e-10)
EDGE = Node("edge", "edge", 2000, 5e6, 10_000, 10, 2e-10)
CLOUD = Node("cloud", "cloud", 4000, 50e6, 10_000, 10, 1e-10)
LINKS = (
    Link("mobile", "edge", 8e6, 4e-3, 50e-9),
    Link("edge", "mobile", 4e6, 5e-3, 60e-9),
    Link("edge", "cloud", 80e6, 10e-3, 20e-9),
)
APP = App("default", "app", MODEL, "mobile", rate=10, latency=1.0, min_accuracy=0.8)
PROBLEM = Problem((MOBILE, EDGE, CLOUD), LINKS, (APP,), utilisation=0.8)

LOCAL = Placement(("mobile",) * 3, (("mobile",),) * 3)
SPLIT = Placement(("mobile", "edge", "edge"), (("mobile",), ("mobile", "edge"), ("edge",)))
FAR = Placement(("cloud",) * 3, (("mobile", "edge", "cloud"), ("cloud",), ("cloud",)))
BACK = Placement(
    ("mobile", "edge", "mobile"), (("mobile",), ("mobile", "edge"), ("edge", "mobile"))
)


def test_share_of_samples_that_reaches_each_block() -> None:
    assert MODEL.reach == pytest.approx((1.0, 0.4, 0.4))


def test_share_never_falls_below_zero() -> None:
    blocks = tuple(
        Block(f"b{i}", 1, 0, 0, Exit(f"e{i}", 0, 0, rate, 0.5))
        for i, rate in enumerate([0.7, 0.3 + 1e-12, 0.0])
    )
    assert Model("m", 0, blocks).reach[2] == 0.0


def test_energy_on_one_node_needs_no_network() -> None:
    found = evaluate(PROBLEM, APP, LOCAL)
    # (100 + 20) + 0.4 * 300 + 0.4 * (500 + 50) MFLOP at 0.5 nJ
    assert found.compute_energy == pytest.approx({"mobile": 460e6 * 5e-10})
    assert found.network_energy == {}
    assert found.energy == pytest.approx(0.23)


def test_energy_of_a_split_counts_the_samples_that_go_on() -> None:
    found = evaluate(PROBLEM, APP, SPLIT)
    assert found.compute_energy == pytest.approx(
        {"mobile": 120e6 * 5e-10, "edge": 0.4 * 850e6 * 2e-10}
    )
    assert found.network_energy == pytest.approx({("mobile", "edge"): 0.4 * 8 * 500 * 50e-9})
    assert found.energy == pytest.approx(0.06 + 0.068 + 8e-5)


def test_energy_of_several_hops_adds_each_link() -> None:
    found = evaluate(PROBLEM, APP, FAR)
    assert found.network_energy == pytest.approx(
        {("mobile", "edge"): 8000 * 50e-9, ("edge", "cloud"): 8000 * 20e-9}
    )
    assert set(found.compute_energy) == {"cloud"}


def test_latency_on_the_mean_weighs_blocks_by_the_samples_that_reach_them() -> None:
    found = evaluate(PROBLEM, APP, SPLIT)
    # 120 MFLOP at 1 GFLOP/s; 0.4 * 850 MFLOP at 10 GFLOP/s; 0.4 * (4000 bit at 8 Mbit/s + 4 ms)
    assert found.network_latency == pytest.approx(0.4 * (0.5e-3 + 4e-3))
    assert found.latency({"mobile": 1e9, "edge": 10e9}) == pytest.approx(0.12 + 0.034 + 1.8e-3)


def test_latency_on_the_maximum_is_that_of_a_sample_that_runs_to_the_end() -> None:
    found = evaluate(PROBLEM, replace(APP, statistic="Max"), SPLIT)
    assert found.network_latency == pytest.approx(0.5e-3 + 4e-3)
    assert found.latency({"mobile": 1e9, "edge": 10e9}) == pytest.approx(0.12 + 0.085 + 4.5e-3)
    assert found.energy == pytest.approx(evaluate(PROBLEM, APP, SPLIT).energy)


def test_latency_is_that_of_the_reserved_speed() -> None:
    found = evaluate(PROBLEM, APP, LOCAL)
    assert found.latency({"mobile": 0.5e9}) == pytest.approx(2 * found.latency({"mobile": 1e9}))
    assert found.latency({"mobile": 0.0}) == math.inf


def test_a_segment_without_work_needs_no_speed() -> None:
    model = Model("idle", 0, (Block("b", 0, 0, 0, Exit("e", 0, 0, 0, 1)),))
    app = replace(APP, model=model)
    found = evaluate(PROBLEM, app, Placement(("mobile",), (("mobile",),)))
    assert found.latency({"mobile": 0.0}) == 0.0
    assert found.energy == 0.0


def test_a_cut_at_an_early_exit_runs_nothing_after_it() -> None:
    found = evaluate(PROBLEM, APP, Placement(("mobile",), (("mobile",),)))
    assert found.accuracy == 0.7
    assert found.work == pytest.approx({"mobile": 120e6})
    assert found.memory == {"mobile": 1000 + 11}


def test_loads_and_memory_of_a_node_entered_twice_add_up() -> None:
    found = evaluate(PROBLEM, APP, BACK)
    assert found.load == pytest.approx(
        {"mobile": 10 * (120e6 + 0.4 * 550e6), "edge": 10 * 0.4 * 300e6}
    )
    assert found.work == pytest.approx({"mobile": 120e6 + 0.4 * 550e6, "edge": 0.4 * 300e6})
    assert found.memory == {"mobile": 1000 + 11 + 42, "edge": 1000 + 20}
    assert found.traffic == pytest.approx(
        {("mobile", "edge"): 10 * 0.4 * 4000, ("edge", "mobile"): 10 * 0.4 * 2000}
    )
    assert BACK.segments == (("mobile", (0, 2)), ("edge", (1,)))
    assert BACK.transfers == (("mobile", "edge"), ("edge", "mobile"))


def test_traffic_of_a_link_crossed_twice_adds_up() -> None:
    ring = (*LINKS, Link("cloud", "mobile", 1e9, 0, 0))
    problem = replace(PROBLEM, links=ring)
    around = Placement(
        ("edge", "cloud", "edge"),
        (("mobile", "edge"), ("edge", "cloud"), ("cloud", "mobile", "edge")),
    )
    found = evaluate(problem, APP, around)
    assert found.traffic["mobile", "edge"] == pytest.approx(10 * (8000 + 0.4 * 2000))
    assert found.network_energy["mobile", "edge"] == pytest.approx((8000 + 800) * 50e-9)


def test_the_work_on_the_mean_and_the_load_differ_on_the_maximum() -> None:
    found = evaluate(PROBLEM, replace(APP, statistic="Max"), LOCAL)
    assert found.work == pytest.approx({"mobile": 970e6})
    assert found.load == pytest.approx({"mobile": 4.6e9})


def test_a_link_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate(PROBLEM, APP, Placement(("cloud",), (("mobile", "cloud"),)))


def test_speeds_are_those_of_whole_millicores() -> None:
    plan = AppPlan(APP.key, SPLIT, (("mobile", 300), ("edge", 40)))
    assert speeds(PROBLEM, plan) == pytest.approx({"mobile": 0.3e9, "edge": 0.2e9})
    assert plan.reserved("edge") == 40
    assert plan.reserved("cloud") == 0


def test_usage_adds_footprints_by_node_link_and_interface() -> None:
    first = footprint(PROBLEM, AppPlan(APP.key, SPLIT, (("mobile", 300), ("edge", 40))))
    second = footprint(PROBLEM, AppPlan(APP.key, BACK, (("mobile", 500), ("edge", 60))))
    total = usage([first, second, Footprint((), (), ())])
    assert total.millicores == {"mobile": 800, "edge": 100}
    assert total.memory == {"mobile": 1011 + 1053, "edge": 1062 + 1020}
    assert total.segments == {"mobile": 2, "edge": 2}
    assert total.traffic == pytest.approx(
        {("mobile", "edge"): 32_000.0, ("edge", "mobile"): 8_000.0}
    )
    assert total.egress == pytest.approx({"mobile": 32_000.0, "edge": 8_000.0})
    assert total.ingress == pytest.approx({"edge": 32_000.0, "mobile": 8_000.0})


@pytest.mark.parametrize(
    ("value", "bound", "expected"),
    [(2.0, 1.5, 0.25), (0.0, 0.0, 0.0), (1.0, 1.0 + 1e-12, 0.0), (3.0, -1.0, 1.0)],
)
def test_gap_is_relative_to_the_value(value: float, bound: float, expected: float) -> None:
    assert gap(value, bound) == pytest.approx(expected)


def test_the_first_sufficient_exit_is_the_cut() -> None:
    assert MODEL.cut(0.0) == 1
    assert MODEL.cut(0.7) == 1
    assert MODEL.cut(0.71) == 3
    assert MODEL.cut(0.91) is None
    assert MODEL.best_accuracy == 0.9
