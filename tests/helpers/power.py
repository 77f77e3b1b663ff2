"""The power of a plan, summed without the planners."""

from fin.planning.evaluation import evaluate
from fin.planning.plan import Plan
from fin.planning.problem import Problem


def power(problem: Problem, plan: Plan) -> float:
    """Power of all apps of a plan, watts."""
    return sum(
        problem.app[each.key].rate * evaluate(problem, problem.app[each.key], each.placement).energy
        for each in plan.apps
    )
