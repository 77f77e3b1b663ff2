"""The reference optimum: all applications together, as one mixed-integer programme.

Source: model.md, "Objective" and "The whole MILP". Deployments that run are not heard: this
is the best plan of a system in which nothing runs yet.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from fin.planning.deadline import Deadline
from fin.planning.evaluation import evaluate, footprint
from fin.planning.milp_choices import Choices
from fin.planning.milp_model import Formulation
from fin.planning.milp_reserve import Impossible, reserve_together
from fin.planning.milp_search import Answer, settle
from fin.planning.milp_solver import Backend, default_backend
from fin.planning.options import Options
from fin.planning.placing import Planner
from fin.planning.plan import AppPlan, Plan, Reason, Refusal, Running
from fin.planning.problem import App, AppKey, Problem
from fin.planning.reasons import explain

UNITS = 6
"""Units of power that are tried, each from the answer in the one before."""

FAR_APART = 1e9
"""Ratio of powers that solvers can't tell from rounding, or from infinity."""


def optimal(
    problem: Problem,
    running: Sequence[Running] = (),
    options: Options | None = None,
    backend: Backend | None = None,
) -> Plan:
    """Plan all applications at proven optimality, by a mixed-integer programme.

    Parameters
    ----------
    running
        What runs now; it is not kept: what the plan does not name is evicted.
    options
        Only ``time_limit`` counts. Where it ends the search, the plan is the best that was
        found, ``power_bound`` what the solver has proven by then, and
        ``admission_proven`` false unless more applications can't be admitted.
    backend
        The solver behind PuLP; None: HiGHS where it is installed, else CBC.
    """
    search = _Search(problem, backend or default_backend(), options or Options())
    answer, proven = search.run()
    plans = answer.plans or {}
    plan = Plan(
        solver="optimal",
        apps=tuple(
            replace(plans[app.key], bound=search.alone[app.key].bound / app.rate)
            for app in problem.apps
            if app.key in plans
        ),
        refusals=(),
        power_bound=answer.bound,
        admission_proven=proven,
        evicted=tuple(run.key for run in running if run.key not in plans),
    )
    return replace(plan, refusals=tuple(search.refusals(plan)))


@dataclass
class _Search:
    """One planning run: each application alone first, then all of them together."""

    problem: Problem
    backend: Backend
    options: Options

    def __post_init__(self) -> None:
        self.deadline = Deadline(self.options.time_limit)
        self.alone: dict[AppKey, Answer] = {}

    def run(self) -> tuple[Answer, bool]:
        """The plans with the bound of their power, and whether admission is proven best."""
        choices = [each for app in self._apps() if (each := self._choices(app))]
        # One share of the time for each application alone, and one for all of them together.
        shares = len(choices) + (len(choices) > 1)
        for index, each in enumerate(choices):
            share = self.deadline.share(1 / (shares - index))
            self.alone[each.app.key] = self._least_power([each], share)
        able = [each for each in choices if self.alone[each.app.key].bound < math.inf]
        unsure = any(self.alone[each.app.key].plans is None for each in able)

        apart = self._apart(able)
        if apart.plans is not None and not unsure:
            return apart, True
        if not unsure:
            answer = self._least_power(able, self.deadline.share(0.5))
            if answer.plans is not None:
                return self._bounded(answer), True
        admitted, proven = self._admit(able, self.deadline.share(0.5))
        chosen = [each for each in able if each.app.key in (admitted.plans or {})]
        answer = self._least_power(chosen, self.deadline)
        if answer.plans is None:
            answer = replace(admitted, bound=0.0)
        return self._bounded(answer), proven

    def refusals(self, plan: Plan) -> Iterator[Refusal]:
        """Why the applications that ``plan`` leaves out have none."""
        planner = Planner(self.problem, Options())
        left = planner.left(footprint(self.problem, each) for each in plan.apps)
        for app in self.problem.apps:
            if app.key in plan.app:
                continue
            impossible = app.key not in self.alone or self.alone[app.key].bound == math.inf
            if impossible or plan.admission_proven:
                yield explain(planner, app, left)
            else:
                limit = self.options.time_limit
                within = "" if limit is None else f" within {limit:g} s"
                message = f"the solver neither found a plan nor proved that there is none{within}"
                yield Refusal(app.key, Reason.NOT_PROVEN, message)

    def _power(self, plans: Mapping[AppKey, AppPlan]) -> float:
        """Total power of some plans, watts."""
        apps = self.problem.app
        return sum(
            apps[key].rate * evaluate(self.problem, apps[key], plan.placement).energy
            for key, plan in plans.items()
        )

    def _apps(self) -> list[App]:
        """Applications in the order in which equals are admitted."""
        return sorted(self.problem.apps, key=lambda app: (-app.priority, app.created, app.key))

    def _choices(self, app: App) -> Choices | None:
        blocks = app.model.cut(app.min_accuracy)
        if blocks is None or app.source not in self.problem.node:
            return None
        choices = Choices(self.problem, app, blocks)
        return choices if len({run.block for run in choices.runs}) == blocks else None

    def _bounded(self, answer: Answer) -> Answer:
        """The answer with the bound that its applications have alone, where that is better."""
        plans = answer.plans or {}
        alone = min(sum(self.alone[key].bound for key in plans), self._power(plans))
        return replace(answer, bound=max(answer.bound, alone))

    def _apart(self, choices: Sequence[Choices]) -> Answer:
        """Each application's own optimum: best together where all of them fit together."""
        plans = [self.alone[each.app.key].plans for each in choices]
        placements = {key: plan.placement for mine in plans if mine for key, plan in mine.items()}
        result = reserve_together(self.problem, placements, self.backend, self.deadline)
        together = None if isinstance(result, Impossible) else result
        return self._bounded(Answer(together, 0.0, proven=True))

    def _least_power(self, choices: Sequence[Choices], deadline: Deadline) -> Answer:
        """Admit all of ``choices`` at the least power; bounds in watts."""
        formulation = Formulation(self.problem, choices)
        unit = _unit(choices)
        plans: Mapping[AppKey, AppPlan] | None = None
        for _ in range(UNITS):
            formulation.minimise_power(unit)
            answer = settle(formulation, self.backend, deadline)
            exact = math.isinf(answer.bound) or math.isinf(unit)
            bound = answer.bound if exact else answer.bound * unit
            if answer.plans is None:
                break
            if plans is None or self._power(answer.plans) < self._power(plans):
                plans = answer.plans
            power = self._power(plans)
            if power == 0 or 1e-3 <= power / unit <= 1e3:
                return Answer(plans, min(max(bound, 0.0), power), answer.proven)
            # So far from 1 the solver's tolerances count: once more, in a better unit.
            unit = power
            formulation.forbid_dearer(power * (1 + 1e-6))
        if plans is None:
            return Answer(None, max(bound, 0.0), answer.proven)
        return Answer(plans, 0.0, proven=False)

    def _admit(self, choices: Sequence[Choices], deadline: Deadline) -> tuple[Answer, bool]:
        """Admit the most of the highest priority, then of the next; then the first in order."""
        formulation = Formulation(self.problem, choices, optional=True)
        best, proven = self._one_by_one(choices), True
        for _, group in groupby(choices, key=lambda each: each.app.priority):
            keys = [each.app.key for each in group]
            formulation.maximise_admitted((key, 1.0) for key in keys)
            answer = settle(formulation, self.backend, deadline, absolute_gap=0.9)
            if answer.plans is None:
                return best, False
            count = sum(key in answer.plans for key in keys)
            best, proven = answer, proven and (answer.proven or count == len(keys))
            formulation.admit_at_least(keys, count)
        weights = [
            (each.app.key, float(weight)) for weight, each in enumerate(reversed(choices), start=1)
        ]
        formulation.maximise_admitted(weights)
        answer = settle(formulation, self.backend, deadline, absolute_gap=0.9)
        return (best if answer.plans is None else answer), proven

    def _one_by_one(self, choices: Sequence[Choices]) -> Answer:
        """What fits of each application's own optimum, in order: for when time runs out."""
        plans: Mapping[AppKey, AppPlan] = {}
        for each in choices:
            for key, plan in (self.alone[each.app.key].plans or {}).items():
                placements = {other: plans[other].placement for other in plans}
                placements[key] = plan.placement
                result = reserve_together(self.problem, placements, self.backend, self.deadline)
                if not isinstance(result, Impossible):
                    plans = result
        return Answer(plans, 0.0, proven=False)


def _unit(choices: Iterable[Choices]) -> float:
    """Watts near the answer: the least of every block's compute, else the largest choice.

    Infinite, which makes every choice equal, where they are too far apart to start with.
    """
    least: dict[tuple[AppKey, int], float] = {}
    most = 0.0
    for each in choices:
        for run in each.runs:
            at = (each.app.key, run.block)
            least[at] = min(least.get(at, math.inf), run.power)
        most = max(most, *(run.power for run in each.runs), *(move.power for move in each.moves))
    unit = sum(least.values()) or most or 1.0
    return math.inf if most > FAR_APART * unit else unit
