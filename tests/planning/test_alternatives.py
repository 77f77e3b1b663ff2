"""What else an application could have: against exhaustive search, on random small systems."""

from dataclasses import replace
from random import Random

import pytest

from fin.planning.alternatives import Alternative, Kind, alternatives
from fin.planning.check import check_app, check_beside
from fin.planning.evaluation import footprint
from fin.planning.options import Options
from fin.planning.problem import App, Problem
from fin.planning.solvers import make_plan
from tests.helpers.exhaustive import optimum
from tests.helpers.instances import random_problem

OPTIONS = Options()


def restricted(problem: Problem, app: App, what: str) -> Problem:
    """The problem of an application that may not use what an alternative leaves out."""
    names = {node.name for node in problem.nodes}
    word, _, name = what.partition(" ")
    barred = {name} if word == "without" else names - {name.removeprefix("on ")}
    return replace(problem, apps=(replace(app, barred=app.barred | barred),))


@pytest.mark.parametrize("seed", range(0, 200, 20))
def test_each_instead_is_the_best_of_its_kind(seed: int) -> None:
    seen = 0
    for each in range(seed, seed + 20):
        problem = random_problem(Random(each))
        app = problem.apps[0]
        found = alternatives(problem, make_plan(problem), app.key, OPTIONS)
        for one in (one for one in found if one.kind is Kind.INSTEAD):
            seen += 1
            forbidden = restricted(problem, app, one.what)
            best = optimum(forbidden, forbidden.apps[0])
            if best is None:
                assert one.plan is None
                assert one.reason
            else:
                assert one.plan is not None
                assert check_app(forbidden, one.plan) == []
                assert one.energy == pytest.approx(best.energy, rel=1e-3)
    assert seen > 20


@pytest.mark.parametrize("seed", range(40))
def test_what_a_limit_costs_is_what_giving_it_up_saves(seed: int) -> None:
    problem = random_problem(Random(seed))
    app = problem.apps[0]
    plan = make_plan(problem)
    found = {one.what: one for one in alternatives(problem, plan, app.key, OPTIONS)}
    for what, given_up in (
        ("any latency", replace(app, latency=1e9)),
        ("no block has to stay on the source", replace(app, local_blocks=0)),
        ("any tier", replace(app, tiers=None)),
    ):
        before = optimum(problem, app)
        after = optimum(replace(problem, apps=(given_up,)), given_up)
        if after is None:
            assert what not in found
        elif before is None or after.energy < before.energy * 0.99:
            assert found[what].energy == pytest.approx(after.energy, rel=1e-3)
        elif after.energy > before.energy * 0.9999:
            assert what not in found


@pytest.mark.parametrize("seed", range(30))
def test_the_other_apps_stay_where_they_are(seed: int) -> None:
    problem = random_problem(Random(seed), apps=(2, 2))
    plan = make_plan(problem)
    for key in plan.app:
        others = [footprint(problem, each) for each in plan.apps if each.key != key]
        for one in instead(alternatives(problem, plan, key, OPTIONS)):
            if one.plan is not None:
                assert check_beside(problem, one.plan, others) == []


def instead(found: tuple[Alternative, ...]) -> list[Alternative]:
    return [one for one in found if one.kind is Kind.INSTEAD]


def test_of_many_nodes_the_most_efficient_are_tried_alone_and_the_source() -> None:
    problem = random_problem(Random(1), nodes=(60, 60))
    app = problem.apps[0]
    plan = make_plan(problem)
    found = instead(alternatives(problem, plan, app.key, OPTIONS))
    tried = {one.what.removeprefix("all on ") for one in found if one.what.startswith("all on ")}
    assert 7 <= len(tried) <= 9
    cost = {node.name: node.joules_per_flop for node in problem.nodes}
    # What the plan uses alone is no alternative to it.
    used = set(plan.app[app.key].placement.nodes)
    left_out = min(each for name, each in cost.items() if name not in tried | used)
    assert all(cost[name] <= left_out or name == app.source for name in tried)


def test_possible_ones_come_first_by_energy() -> None:
    problem = random_problem(Random(4))
    found = alternatives(problem, make_plan(problem), problem.apps[0].key, OPTIONS)
    order = [(one.plan is None, one.energy) for one in found]
    assert order == sorted(order)


def test_an_unknown_application_is_an_error() -> None:
    problem = random_problem(Random(0))
    with pytest.raises(KeyError):
        alternatives(problem, make_plan(problem), ("no", "app"), OPTIONS)
