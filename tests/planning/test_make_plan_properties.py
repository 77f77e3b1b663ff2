"""What holds for every plan of several applications, whichever solver made it."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fin.planning.baselines import baselines
from fin.planning.check import check
from fin.planning.evaluation import evaluate, footprint
from fin.planning.options import Options
from fin.planning.plan import Plan, Reason, Running, gap
from fin.planning.problem import Problem
from fin.planning.solvers import SOLVERS, make_plan
from tests.helpers.exhaustive import joint_optimum, optimum
from tests.helpers.instances import problems, random_problem
from tests.helpers.power import power

ON_ONE_NODE = ("source-only", "edge-only", "cloud-only")
PUBLISHED = ("mcp", "neurosurgeon", "edgent")
IN_ORDER = ("fin", *ON_ONE_NODE, *PUBLISHED)
several = problems(apps=(2, 4), nodes=(2, 4), blocks=(1, 4))
randoms = st.randoms(use_true_random=False, note_method_calls=False)


def energy(problem: Problem, plan: Plan) -> dict[tuple[str, str], float]:
    return {
        each.key: evaluate(problem, problem.app[each.key], each.placement).energy
        for each in plan.apps
    }


def running(problem: Problem, plan: Plan) -> tuple[Running, ...]:
    return tuple(
        Running(each.key, problem.app[each.key].priority, footprint(problem, each), each)
        for each in plan.apps
    )


def test_the_solvers_by_name() -> None:
    assert set(SOLVERS) >= {*IN_ORDER, "optimal"}


@given(several, st.sampled_from(IN_ORDER))
@settings(deadline=None)
def test_a_plan_is_valid_complete_and_bounded(problem: Problem, solver: str) -> None:
    plan = make_plan(problem, solver=solver)
    assert check(problem, plan) == []
    assert plan.solver == solver
    assert sorted([*plan.app, *plan.refusal]) == sorted(problem.app)
    assert not plan.evicted
    assert plan.power_bound <= power(problem, plan) * (1 + 1e-9)
    for key, spent in energy(problem, plan).items():
        assert plan.app[key].bound <= spent * (1 + 1e-9)
    for refusal in plan.refusals:
        assert refusal.message
        assert refusal.message == refusal.message.strip()


@given(several, randoms, st.sampled_from(IN_ORDER))
@settings(deadline=None)
def test_the_order_of_the_input_changes_nothing(
    problem: Problem, random: Random, solver: str
) -> None:
    plan = make_plan(problem, solver=solver)
    shuffled = replace(
        problem,
        nodes=tuple(random.sample(problem.nodes, len(problem.nodes))),
        links=tuple(random.sample(problem.links, len(problem.links))),
        apps=tuple(random.sample(problem.apps, len(problem.apps))),
    )
    other = make_plan(shuffled, solver=solver)
    assert dict(other.app) == dict(plan.app)
    assert dict(other.refusal) == dict(plan.refusal)
    assert other.power_bound == plan.power_bound


@given(several)
@settings(deadline=None)
def test_what_runs_is_kept(problem: Problem) -> None:
    """Planning again over a plan of its own moves nothing and evicts nothing."""
    plan = make_plan(problem)
    again = make_plan(problem, running(problem, plan))
    assert set(again.app) >= set(plan.app)
    assert not again.evicted
    assert check(problem, again, running(problem, plan)) == []
    if set(again.app) == set(plan.app):
        assert power(problem, again) <= power(problem, plan) * (1 + 1e-9)


@given(several, randoms)
@settings(deadline=None)
def test_a_newcomer_evicts_only_lower_priorities(problem: Problem, random: Random) -> None:
    """Applications arrive one at a time; the plan stays valid beside what runs."""
    arriving = random.sample(problem.apps, len(problem.apps))
    plan = Plan("fin", (), ())
    for count in range(1, len(arriving) + 1):
        now = replace(problem, apps=tuple(arriving[:count]))
        before = running(now, plan)
        plan = make_plan(now, before)
        assert check(now, plan, before) == []
        newest = arriving[count - 1].priority
        for key in plan.evicted:
            assert now.app[key].priority < newest
        assert {run.key for run in before} <= {*plan.app, *plan.evicted}


@given(problems(), st.sampled_from([1e-3, 0.05]))
@settings(deadline=None)
def test_one_application_is_planned_within_the_tolerance(
    problem: Problem, tolerance: float
) -> None:
    plan = make_plan(problem, options=Options(tolerance=tolerance))
    best = optimum(problem, problem.apps[0])
    assert (best is None) == (not plan.apps)
    if best is not None:
        spent = energy(problem, plan)[plan.apps[0].key]
        assert spent * (1 - tolerance) <= best.energy * (1 + 1e-9)
        assert plan.apps[0].bound <= best.energy * (1 + 1e-9)
        assert gap(spent, plan.apps[0].bound) <= tolerance + 1e-9


@pytest.mark.parametrize("seed", range(0, 200, 20))
def test_two_applications_against_every_plan_there_is(seed: int) -> None:
    for each in range(seed, seed + 20):
        problem = random_problem(
            Random(each), apps=(2, 2), nodes=(2, 3), blocks=(1, 3), millicores=(40, 60)
        )
        plan, best = make_plan(problem), joint_optimum(problem)
        assert len(plan.apps) <= len(best.admitted)
        assert bool(plan.apps) == bool(best.admitted)
        if frozenset(plan.app) == best.admitted:
            assert power(problem, plan) >= best.power * (1 - 1e-9)
            assert plan.power_bound <= best.power * (1 + 1e-9)


@given(problems())
@settings(deadline=None)
def test_fin_is_no_worse_than_any_baseline(problem: Problem) -> None:
    app = problem.apps[0]
    plan = make_plan(problem, options=Options(tolerance=0.0))
    found = baselines(problem, app)
    assert set(found) == {*ON_ONE_NODE, "single-node", *PUBLISHED}
    for name, baseline in found.items():
        if baseline.energy is None:
            assert baseline.broken is not None
            assert baseline.message
            continue
        assert energy(problem, plan)[app.key] <= baseline.energy * (1 + 1e-9)
        if name == "single-node":
            continue
        solo = make_plan(problem, solver=name, options=Options(tolerance=0.0))
        assert energy(problem, solo)[app.key] == pytest.approx(baseline.energy)
        if name in ON_ONE_NODE:
            best = found["single-node"].energy
            assert best is not None
            assert best <= baseline.energy * (1 + 1e-9)
            assert len(solo.apps[0].placement.segments) == 1
    if found["source-only"].energy is not None:
        local = sum(
            app.reach(index) * block.work
            for index, block in enumerate(app.model.blocks[: app.model.cut(app.min_accuracy)])
        )
        expected = local * problem.node[app.source].joules_per_flop
        assert found["source-only"].energy == pytest.approx(expected)


@given(several, st.sampled_from([*ON_ONE_NODE, *PUBLISHED]))
@settings(deadline=None)
def test_a_baselines_bound_is_that_of_any_plan_of_the_same_apps(
    problem: Problem, solver: str
) -> None:
    plan = make_plan(problem, solver=solver)
    same = replace(problem, apps=tuple(app for app in problem.apps if app.key in plan.app))
    best = make_plan(same)
    if len(best.apps) == len(plan.apps):
        assert plan.power_bound <= power(same, best) * (1 + 1e-9)


def test_a_baseline_without_such_a_node_says_so() -> None:
    problem = random_problem(Random(1))
    nodes = tuple(replace(node, tier="mobile") for node in problem.nodes)
    found = baselines(replace(problem, nodes=nodes), problem.apps[0])
    assert found["cloud-only"].broken is Reason.PLACEMENT_UNSATISFIABLE
