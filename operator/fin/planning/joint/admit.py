"""Admitting more applications than one after another can: moving, and choosing among them."""

from collections.abc import Mapping, Sequence

import numpy as np

from fin.planning.joint.choice import Choice, Chooser, column_candidates
from fin.planning.joint.deployments import Deployments
from fin.planning.joint.generation import Generation
from fin.planning.problem import App, AppKey

PREFERENCE = 1e-3
"""By how much it is worth more to admit who was admitted before, and who is older."""

DEAR = 1e3
"""What leaving out an application of the lowest priority costs, in applications' power."""

FEW = 60
"""Classes up to which the choice is made out of more than the mix."""

LEVELS = 2
"""Priorities above the lowest that are told apart."""

TOLERANCE = 1e-2
"""Gap up to which columns are generated: only who is admitted counts here."""


def admit_more(deployments: Deployments, refused: Sequence[App]) -> None:
    """Admit as many as possible, the highest priority first; who runs stays admitted.

    The plans of the admission change only if more are admitted, by priority.
    """
    admission, planner = deployments.admission, deployments.planner
    apps = [*deployments.apps, *refused]
    optional = [app for app in apps if app.key not in admission.running]
    network = deployments.network
    classes = deployments.classify(apps, apart=[app.key for app in optional])
    known = [planner.power(admission.plans[app.key]) for app in deployments.apps]
    alone = [app.rate * planner.alone(app).bound for app in refused]
    unit = max(float(np.mean([*known, *alone])), 1e-200)
    worth = _worth(optional, set(admission.plans), unit)
    absent = {
        owner: worth[members[0].key]
        for owner, members in enumerate(classes.members)
        if members[0].key in worth
    }
    generation = Generation(network, classes, unit, absent)
    generation.start(deployments.columns(generation, classes))
    generation.run(TOLERANCE, deployments.in_time)
    shares, columns = generation.master.solve().shares, generation.master.columns
    if len(classes) > FEW:
        columns = [columns[index] for index in np.flatnonzero(shares > 0).tolist()]
    candidates = list(column_candidates(columns).values())
    chooser = Chooser(network, classes, candidates, unit, 1, absent)
    choice = chooser.choose(TOLERANCE / len(apps), deployments.time_left)
    _accept(deployments, generation, choice, apps)


def _worth(optional: Sequence[App], admitted: set[AppKey], unit: float) -> Mapping[AppKey, float]:
    """What leaving out each application costs, watts: more than all of lower priority."""
    priorities = sorted({app.priority for app in optional})
    rank = {priority: min(index, LEVELS) for index, priority in enumerate(priorities)}
    ages = {key: age for age, (_, key) in enumerate(sorted((a.created, a.key) for a in optional))}
    count = len(optional) + 1
    worth = {}
    for app in optional:
        preferred = (app.key in admitted) + 0.5 * (1 - ages[app.key] / count)
        level = DEAR * unit * float(count) ** rank[app.priority]
        worth[app.key] = level * (1 + PREFERENCE * preferred)
    return worth


def _accept(
    deployments: Deployments, generation: Generation, choice: Choice, apps: Sequence[App]
) -> None:
    admission = deployments.admission
    moving = {app.key for app in apps}
    kept = {key: plan for key, plan in admission.plans.items() if key not in moving}
    plans = kept | deployments.plans(generation, choice.chosen or ())
    by_priority = sorted({app.priority for app in apps}, reverse=True)

    def admitted(keys: Mapping[AppKey, object]) -> list[int]:
        return [sum(a.priority == each and a.key in keys for a in apps) for each in by_priority]

    if admitted(plans) > admitted(admission.plans):
        deployments.take_over(plans)
