"""Plans by methods that choose without a look at the load, and what their choices break.

A choice that breaks a constraint is no plan: its application is refused, with the
constraints as ``check`` names them.
"""

from collections.abc import Iterable, Sequence

from fin.planning.bounds import bounded
from fin.planning.check import Violation, check_app, check_beside
from fin.planning.evaluation import footprint
from fin.planning.options import Options
from fin.planning.placing import Planner
from fin.planning.plan import AppPlan, Footprint, Placement, Plan, Reason, Refusal, Running
from fin.planning.problem import App, AppKey, Problem
from fin.planning.published import Method
from fin.planning.reserve import reserve


def plan_load_blind(
    problem: Problem, running: Sequence[Running], options: Options, *, method: Method, name: str
) -> Plan:
    """Place the applications of ``problem`` one after another, by priority, age and name.

    Deployments that run are not heard, as by ``optimal``: what the plan does not name is
    evicted.
    """
    planner = Planner(problem, options)
    plans: dict[AppKey, AppPlan] = {}
    refusals: dict[AppKey, Refusal] = {}
    for app in sorted(problem.apps, key=_by_rank):
        found = place_blindly(planner, app, method, plans.values())
        if isinstance(found, Refusal):
            refusals[app.key] = found
        else:
            plans[app.key] = found
    keys = [app.key for app in problem.apps]
    plan = Plan(
        solver=name,
        apps=tuple(plans[key] for key in keys if key in plans),
        refusals=tuple(refusals[key] for key in keys if key in refusals),
        evicted=tuple(sorted(run.key for run in running if run.key not in plans)),
    )
    return bounded(planner, plan)


def place_blindly(
    planner: Planner, app: App, method: Method, others: Iterable[AppPlan] = ()
) -> AppPlan | Refusal:
    """Let ``method`` place ``app`` beside ``others``, and measure what comes out.

    The method sees the compute that the others leave; where it finds no way there, all of
    it, so that what it breaks can be named.
    """
    problem = planner.problem
    taken = [footprint(problem, other) for other in others]
    left = planner.left(taken)
    placement = method(left, app) or method(planner.empty, app)
    if placement is None:
        message = "it finds no way from the source to the nodes that may run the blocks"
        return Refusal(app.key, Reason.PLACEMENT_UNSATISFIABLE, message)
    # Python's integers: a node may claim more millicores than 64 bits hold.
    spare = dict(zip(left.index, map(int, left.millicores.tolist()), strict=True))
    plan = reserve(problem, app, placement, spare) or reserve(problem, app, placement)
    broken = _broken(problem, app, placement, plan, taken)
    if plan is not None and not broken:
        return plan
    names = tuple(dict.fromkeys(violation.constraint for violation in broken))
    details = "; ".join(violation.message for violation in broken)
    message = f"it would break {', '.join(names)}: {details}"
    return Refusal(app.key, Reason.CONSTRAINT_BROKEN, message, broken=names)


def _broken(
    problem: Problem,
    app: App,
    placement: Placement,
    plan: AppPlan | None,
    taken: Sequence[Footprint],
) -> list[Violation]:
    """All that a placement breaks; without a reservation that serves, at all of its nodes."""
    if plan is not None:
        return [*check_app(problem, plan), *check_beside(problem, plan, taken)]
    whole = tuple((name, problem.node[name].millicores) for name, _ in placement.segments)
    plan = AppPlan(app.key, placement, whole)
    beside = check_beside(problem, plan, taken)
    return [
        *check_app(problem, plan),
        *(violation for violation in beside if violation.constraint != "Compute"),
    ]


def _by_rank(app: App) -> tuple[int, str, AppKey]:
    return -app.priority, app.created, app.key
