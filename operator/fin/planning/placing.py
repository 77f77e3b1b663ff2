"""Placing one application after another on what the others left of the system."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from fin.planning.check import check_app
from fin.planning.evaluation import evaluate, footprint, usage
from fin.planning.fin import NOWHERE, Solution, solve
from fin.planning.options import Effort, Options, quick, thorough
from fin.planning.plan import AppPlan, Footprint, Placement
from fin.planning.problem import App, Node, Problem
from fin.planning.reserve import reserve
from fin.planning.system import Floats, System, empty_system

Variants = Callable[[App, Sequence[Node]], Sequence[App]]
"""Restrictions of an application of which FIN takes the best: itself, or a node each."""


def unrestricted(app: App, nodes: Sequence[Node]) -> Sequence[App]:
    """FIN as it is: one variant, the application itself."""
    del nodes
    return (app,)


@dataclass
class Planner:
    """Places applications of one problem; remembers what it found for each alone.

    The same application alone (whatever its name) is solved once. What it found is tried
    first wherever the application is placed: where it fits, nothing can be better.
    """

    problem: Problem
    options: Options
    variants: Variants = unrestricted
    _alone: dict[App, Solution] = field(default_factory=dict)
    _footprints: dict[AppPlan, Footprint] = field(default_factory=dict)

    def without_slots(self) -> "Planner":
        """The same planner, exact in latency."""
        return Planner(self.problem, replace(self.options, gamma=None), self.variants)

    @cached_property
    def empty(self) -> System:
        """The whole system, with nothing deployed."""
        return empty_system(self.problem)

    def left(self, taken: Iterable[Footprint]) -> System:
        """What is left of the system beside what is ``taken``."""
        return self.empty.less(usage(taken))

    def alone(self, app: App) -> Solution:
        """The least energy of ``app`` alone in the empty system, and its bound."""
        shape = replace(app, namespace="", name="", created="", priority=0, hold=False)
        if shape not in self._alone:
            effort = thorough(len(self.problem.apps))
            self._alone[shape] = self.place(self.empty, shape, effort)
        return self._alone[shape]

    def place(self, system: System, app: App, effort: Effort) -> Solution:
        """The best placement on what is left of a system, over the variants of ``app``."""
        answers = [
            solve(system, variant, self.options, effort)
            for variant in self.variants(app, system.nodes)
        ]
        if not answers:
            return NOWHERE
        best = min(answers, key=lambda answer: answer.energy)
        return replace(best, bound=min(answer.bound for answer in answers))

    def find(self, app: App, left: System, below: float = math.inf) -> AppPlan | None:
        """Place ``app`` on what is ``left``, for less than ``below`` joules per inference.

        None where it finds no way.
        """
        alone = self.alone(app)
        if alone.placement is None and alone.bound == NOWHERE.bound:
            return None
        if alone.placement is not None:
            fitting = self._reserved(app, alone.placement, left)
            if fitting is not None and self.fits(fitting, left):
                return fitting if alone.energy < below else None
        found = self.place(left, app, quick(len(self.problem.apps), below))
        if found.placement is None:
            return None
        return self._reserved(app, found.placement, left)

    def footprint(self, plan: AppPlan) -> Footprint:
        """What a deployment takes of the system."""
        if plan not in self._footprints:
            self._footprints[plan] = footprint(self.problem, plan)
        return self._footprints[plan]

    def power(self, plan: AppPlan) -> float:
        """Power of a deployment, watts."""
        app = self.problem.app[plan.key]
        return app.rate * evaluate(self.problem, app, plan.placement).energy

    def bound(self, app: App, plan: AppPlan) -> float:
        """Proven least energy of ``app`` alone in the empty system, joules per inference.

        Nodes that it may no longer enter but where ``plan`` has it stay in reach.
        """
        reached = app.barred - set(plan.placement.nodes)
        bound = self.alone(replace(app, barred=reached)).bound
        return min(bound, evaluate(self.problem, app, plan.placement).energy)

    def valid(self, running: AppPlan) -> bool:
        """Whether a deployment that runs serves its application as it is today."""
        return not check_app(self.problem, running, stays=True)

    def fits(self, plan: AppPlan, left: System) -> bool:
        """Whether a deployment, reservations and all, is ``left`` of the system."""
        return footprint_fits(self.footprint(plan), left)

    def _reserved(self, app: App, placement: Placement, left: System) -> AppPlan | None:
        # Python's integers: a node may claim more millicores than 64 bits hold.
        spare = dict(zip(left.index, map(int, left.millicores.tolist()), strict=True))
        return reserve(self.problem, app, placement, spare)


def footprint_fits(taken: Footprint, left: System) -> bool:
    """Whether a footprint is left of the system."""
    index, slack = left.index, 1 + 1e-10
    egress: dict[str, float] = {}
    ingress: dict[str, float] = {}
    for (tail, head), load in taken.traffic:
        if not left.graph.has_edge(tail, head):
            return False
        if load > left.load_of(index[tail], index[head]) * slack:
            return False
        egress[tail] = egress.get(tail, 0.0) + load
        ingress[head] = ingress.get(head, 0.0) + load
    limits: list[tuple[Mapping[str, float], Floats]] = [
        (dict(taken.millicores), left.unreserved),
        (dict(taken.memory), left.memory),
        (dict.fromkeys(dict(taken.memory), 1), left.pods),
        (egress, left.egress),
        (ingress, left.ingress),
    ]
    return all(
        name in index and amount <= room[index[name]] * slack
        for amounts, room in limits
        for name, amount in amounts.items()
    )
