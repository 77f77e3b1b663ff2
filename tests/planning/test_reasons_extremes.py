"""Reasons for what no system could serve, and for what a placement rules out."""

from dataclasses import replace

import pytest

from fin.planning.plan import Reason, Refusal
from fin.planning.problem import App, Block, Exit, Link, Model, Node, Problem
from fin.planning.solvers import make_plan

END = Exit("end", 0.0, 0, 0.0, 0.9)
MODEL = Model("net", 1e3, (Block("first", 1e6, 1 << 20, 1e3), Block("last", 1e6, 1 << 20, 10, END)))
NODES = (
    Node("cloud-0", "cloud", 8000, 1e8, 80 << 30, 10, 1e-10),
    Node("mobile-0", "mobile", 4000, 1e6, 8 << 30, 10, 1e-9),
)
LINKS = (
    Link("mobile-0", "cloud-0", 1e8, 0.01, 1e-9),
    Link("cloud-0", "mobile-0", 1e8, 0.01, 1e-9),
)
APP = App("shop", "camera", MODEL, "mobile-0", 5.0, 1.0, 0.5)


def with_first(block: Block) -> Model:
    return replace(MODEL, blocks=(block, MODEL.blocks[1]))


def refusal(app: App) -> Refusal:
    plan = make_plan(Problem(NODES, LINKS, (app,)))
    (found,) = plan.refusals
    return found


@pytest.mark.parametrize("memory", [120 * 10**18, 10**30])
def test_more_memory_than_there_is_is_no_matter_of_the_network(memory: int) -> None:
    found = refusal(replace(APP, model=with_first(Block("first", 1e6, memory, 1e3))))
    assert found.reason is Reason.INSUFFICIENT_MEMORY
    assert "block first needs" in found.message
    assert "a node that may run it has 80 GiB at most" in found.message


@pytest.mark.parametrize("rate", [1e12, 1e18, 1e30])
def test_the_highest_rate_is_found_from_far_above(rate: float) -> None:
    found = refusal(replace(APP, rate=rate))
    assert found.reason is Reason.RATE_TOO_HIGH
    best = float(found.message.removeprefix("rate ").split("/s")[0])
    assert not make_plan(Problem(NODES, LINKS, (replace(APP, rate=best * 0.99),))).refusals
    assert best > 1e3


def test_endless_work_is_late() -> None:
    found = refusal(replace(APP, model=with_first(Block("first", 1e30, 1 << 20, 1e3))))
    assert found.reason is Reason.LATENCY_UNREACHABLE


@pytest.mark.parametrize(
    "narrowed", [replace(APP, tiers=frozenset({"mobile"})), replace(APP, local_blocks=2)]
)
def test_nodes_that_it_may_not_use_do_not_count(narrowed: App) -> None:
    found = refusal(replace(narrowed, model=with_first(Block("first", 1e6, 50 << 30, 1e3))))
    assert found.reason is Reason.INSUFFICIENT_MEMORY
    assert "the memory of the nodes that it may use does not suffice" in found.message
    assert "a node that may run it has 8 GiB at most" in found.message
