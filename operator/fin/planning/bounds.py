"""Lower bounds for the plans of solvers that prove none themselves."""

from dataclasses import replace

from fin.planning.placing import Planner
from fin.planning.plan import Plan


def bounded(planner: Planner, plan: Plan) -> Plan:
    """Give a plan the bounds of its applications alone in the empty system.

    They bound every plan that admits the same applications, of whatever solver, so that the
    gap tells how far this one is from the best. ``planner`` must be unrestricted.
    """
    problem = planner.problem
    apps = tuple(
        replace(each, bound=planner.bound(problem.app[each.key], each)) for each in plan.apps
    )
    power = sum(problem.app[each.key].rate * each.bound for each in apps)
    return replace(plan, apps=apps, power_bound=power)
