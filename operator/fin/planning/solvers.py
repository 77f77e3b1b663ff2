"""The solvers by name, and the one way to call them: every answer passes ``check``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from fin.planning.baselines import plan_on_one_node
from fin.planning.check import check
from fin.planning.load_blind import plan_load_blind
from fin.planning.options import Options
from fin.planning.plan import Plan, Running
from fin.planning.problem import App, AppKey, Problem
from fin.planning.published import PUBLISHED

Solver = Callable[[Problem, Sequence[Running], Options], Plan]


class BrokenPlanError(RuntimeError):
    """A solver returned a plan that breaks a constraint: a defect of the solver."""


def _fin(problem: Problem, running: Sequence[Running], options: Options) -> Plan:
    """FIN, all applications together; HiGHS is imported only here."""
    from fin.planning.joint.plan import plan_jointly

    return plan_jointly(problem, running, options)


def _optimal(problem: Problem, running: Sequence[Running], options: Options) -> Plan:
    """The whole problem as one mixed-integer programme; PuLP is imported only here."""
    from fin.planning.milp import optimal

    return optimal(problem, running, options)


SOLVERS: Mapping[str, Solver] = {
    "fin": _fin,
    "optimal": _optimal,
    **{
        name: partial(plan_on_one_node, name=name)
        for name in ("source-only", "edge-only", "cloud-only")
    },
    **{
        name: partial(plan_load_blind, method=method, name=name)
        for name, method in PUBLISHED.items()
    },
}


def make_plan(
    problem: Problem,
    running: Sequence[Running] = (),
    options: Options | None = None,
    solver: str = "fin",
) -> Plan:
    """Plan all applications with the solver of this name; the order of the input is irrelevant.

    Raises
    ------
    BrokenPlanError
        Where the plan breaks a constraint. It never leaves the planner.
    """
    ordered = replace(
        problem,
        nodes=tuple(sorted(problem.nodes, key=lambda node: node.name)),
        links=tuple(sorted(problem.links, key=lambda link: (link.source, link.target))),
        apps=tuple(sorted(problem.apps, key=_by_key)),
    )
    plan = SOLVERS[solver](ordered, tuple(running), options or Options())
    broken = check(ordered, plan, running)
    if broken:
        raise BrokenPlanError("; ".join(violation.message for violation in broken))
    return plan


def _by_key(app: App) -> AppKey:
    return app.key
