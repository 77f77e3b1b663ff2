"""FIN for several applications: admitted in order, then improved together, with proof."""

from collections.abc import Iterable, Sequence

import numpy as np

from fin.planning.deadline import Deadline
from fin.planning.joint.admit import admit_more
from fin.planning.joint.deployments import Deployments
from fin.planning.joint.generation import Generation
from fin.planning.joint.improve import Improvement
from fin.planning.joint.master import MasterError
from fin.planning.joint.starts import Start
from fin.planning.options import MANY, Options
from fin.planning.placing import Planner, unrestricted
from fin.planning.plan import Plan, Running, gap
from fin.planning.problem import App, Problem
from fin.planning.sequential import Admission, plan_in_order
from fin.planning.stability import Improver


def plan_jointly(problem: Problem, running: Sequence[Running], options: Options) -> Plan:
    """Plan all applications together.

    With ``options.gamma``, slots of the latency are the paper's way, and so is planning one
    after another. The plan's ``power_bound`` is what every plan that admits the same
    applications needs at least; what is held stays as it is.
    """
    if options.gamma is not None:
        return plan_in_order(problem, running, options, unrestricted, "fin")
    deadline = Deadline(options.time_limit)
    planner = Planner(problem, options)
    admission = Admission(planner, running)
    admission.run()
    deployments = Deployments(planner, admission, deadline)
    bound = 0.0
    try:
        with np.errstate(all="ignore"):
            _admit(deployments)
            if len(admission.plans) <= MANY and deployments.in_time():
                _improve_apart(deployments)
            if _worthwhile(deployments):
                bound = _improve(deployments)
    except MasterError:  # numbers too extreme for a linear programme: one by one they are not
        _improve_apart(deployments)
    return admission.result("fin", bound)


def _admit(deployments: Deployments) -> None:
    """Admit applications that found no room in order, but have some alone."""
    planner, admission = deployments.planner, deployments.admission
    refused = [
        app
        for app in planner.problem.apps
        if app.key not in admission.plans
        and app.key not in admission.running
        and planner.alone(app).bound < np.inf
    ]
    if refused and deployments.in_time():
        admit_more(deployments, refused)


def _worthwhile(deployments: Deployments) -> bool:
    """Whether planning together can be better than this by more than the tolerance."""
    planner, plans = deployments.planner, deployments.admission.plans
    apps = deployments.apps
    if len(apps) < 2 or not deployments.in_time():
        return False
    power = sum(planner.power(plans[app.key]) for app in apps)
    return gap(power, _alone(deployments, apps)) > planner.options.tolerance


def _improve_apart(deployments: Deployments) -> None:
    """Improve the plans one application after another: quick for a few, and a better start."""
    admission = deployments.admission
    others = admission.others()
    Improver(deployments.planner, admission.running, others).improve(admission.plans)


def _improve(deployments: Deployments) -> float:
    """Improve the plans together; return a lower bound of their total power, watts."""
    planner, plans = deployments.planner, deployments.admission.plans
    apps = deployments.apps
    classes = deployments.classify(apps)
    power = sum(planner.power(plans[app.key]) for app in apps)
    generation = Generation(deployments.network, classes, power / len(apps))
    starts = [
        _start(deployments, generation, owner, app)
        for owner, members in enumerate(classes.members)
        for app in members
    ]
    improved = Improvement(
        deployments.network,
        classes,
        generation,
        starts,
        planner.options.tolerance,
        deployments.time_left,
    ).run()
    moving = {app.key for app in apps}
    staying = [planner.problem.app[key] for key in plans if key not in moving]
    bound = improved.bound + _alone(deployments, staying)
    deployments.take_over(plans | deployments.plans(generation, improved.chosen or ()))
    return bound


def _start(deployments: Deployments, generation: Generation, owner: int, app: App) -> Start:
    plan, run = deployments.admission.plans[app.key], deployments.running(app)
    now = deployments.column(generation, owner, plan)
    if run is None:
        return Start(now)
    ran = now if run == plan else deployments.column(generation, owner, run)
    penalty = deployments.planner.options.min_saving * deployments.planner.power(run)
    return Start(now, ran, penalty)


def _alone(deployments: Deployments, apps: Iterable[App]) -> float:
    """Least power of some applications, each alone in the empty system, watts."""
    planner, plans = deployments.planner, deployments.admission.plans
    return sum(app.rate * planner.bound(app, plans[app.key]) for app in apps)
