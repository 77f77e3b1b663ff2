"""Random plans that fit their nodes, as no sensible planner would change them."""

from random import Random

from fin.planning.evaluation import footprint, usage
from fin.planning.plan import AppPlan, Placement, Plan, Reason, Refusal
from fin.planning.problem import App, Problem


def random_plan(problem: Problem, random: Random, *, refuse: float = 0.0) -> Plan:
    """Place each app at random, with reservations of 100 or 300 millicores.

    Few choices, so that plans in a row often have segments in common.

    ``refuse`` is the chance that an app gets no plan; one that finds no room gets none either.
    """
    plans: list[AppPlan] = []
    refusals: list[Refusal] = []
    for app in random.sample(problem.apps, len(problem.apps)):
        found = None
        for _ in range(20 if random.random() >= refuse else 0):
            tried = _random_app_plan(problem, app, random)
            if _fits(problem, [*plans, tried]):
                found = tried
                break
        if found is None:
            refusals.append(Refusal(app.key, Reason.INSUFFICIENT_COMPUTE, "no room at random"))
        else:
            plans.append(found)
    order = {app.key: position for position, app in enumerate(problem.apps)}
    return Plan(
        "random",
        tuple(sorted(plans, key=lambda plan: order[plan.key])),
        tuple(sorted(refusals, key=lambda refusal: order[refusal.key])),
        evicted=tuple(sorted(refusal.key for refusal in refusals)),
    )


def _random_app_plan(problem: Problem, app: App, random: Random) -> AppPlan:
    names = [node.name for node in problem.nodes if node.name not in app.barred]
    cut = random.choice([i + 1 for i, block in enumerate(app.model.blocks) if block.exit])
    nodes: list[str] = []
    for _ in range(cut):
        before = nodes[-1] if nodes else app.source
        stay = before in names and random.random() < 0.5
        nodes.append(before if stay else random.choice(names))
    routes = []
    at = app.source
    for name in nodes:
        routes.append((at,) if name == at else (at, name))
        at = name
    placement = Placement(tuple(nodes), tuple(routes))
    millicores = tuple((node, random.choice([100, 300])) for node, _ in placement.segments)
    return AppPlan(app.key, placement, millicores)


def _fits(problem: Problem, plans: list[AppPlan]) -> bool:
    used = usage(footprint(problem, plan) for plan in plans).millicores
    return all(used.get(node.name, 0) <= node.millicores for node in problem.nodes)
