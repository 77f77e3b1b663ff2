"""Several applications, one after another on what the earlier ones left: the paper's way.

The result depends on the order (priority, then what runs, then age and name) and claims
no more than that. ``joint`` begins with such an admission, and improves it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fin.planning.evaluation import usage
from fin.planning.options import MANY, Options
from fin.planning.placing import Planner, Variants, footprint_fits, unrestricted
from fin.planning.plan import AppPlan, Footprint, Plan, Refusal, Running
from fin.planning.problem import App, AppKey, Problem
from fin.planning.reasons import explain
from fin.planning.stability import Improver
from fin.planning.system import System

MOST_REPACKED = 400
"""Placements that may be spent on making room for applications, in one planning run."""


def plan_in_order(
    problem: Problem,
    running: Sequence[Running],
    options: Options,
    variants: Variants,
    solver: str,
) -> Plan:
    """Plan all applications of ``problem`` in order, moving as little as possible.

    A running deployment that still serves its application stays where it is, unless it
    must make room for one of higher priority (which may evict it) or can move to make
    room for a newcomer, or moving saves more than ``options.min_saving``.
    """
    planner = Planner(problem, options, variants)
    admission = Admission(planner, running)
    admission.run()
    Improver(planner, admission.running, admission.others()).improve(admission.plans)
    return admission.result(solver)


class Admission:
    """What is placed and what runs, while applications are admitted in order.

    ``plans`` are the plans so far; ``evicted`` are running applications that had to go.
    """

    def __init__(self, planner: Planner, running: Sequence[Running]) -> None:
        self.planner = planner
        problem = planner.problem
        self.running = {run.key: run for run in sorted(running, key=_by_key)}
        self.order = sorted(problem.apps, key=self._rank)
        self.plans: dict[AppKey, AppPlan] = {}
        self.evicted: set[AppKey] = set()
        self.repacked = 0
        self._keep_what_runs()
        self._left = planner.left(self.taken())

    def run(self) -> None:
        """Admit every application that has no plan yet, or should leave its node."""
        for app in self.order:
            if not self.settled(app):
                self.admit(app)

    def _rank(self, app: App) -> tuple[int, bool, str, AppKey]:
        return -app.priority, app.key not in self.running, app.created, app.key

    def _keep_what_runs(self) -> None:
        """Keep every running plan that is valid and fits; by priority where not all do."""
        left = self.planner.empty
        for app in self.order:
            run = self.running.get(app.key)
            if run is None or run.plan is None or not self.planner.valid(run.plan):
                continue
            if self.planner.fits(run.plan, left):
                self.plans[app.key] = run.plan
                left = left.less(usage([run.footprint]))

    def settled(self, app: App) -> bool:
        """Whether ``app`` has a plan that need not change: not on a node that it should leave."""
        plan = self.plans.get(app.key)
        if plan is None:
            return False
        leaves = bool(app.barred.intersection(plan.placement.nodes))
        return app.hold or not leaves

    def taken(self) -> list[Footprint]:
        """Footprints of all that is placed, or runs and was not evicted."""
        return [taken for _, taken in self._footprints()]

    def left_without(self, key: AppKey) -> System:
        """What is left of the system beside all others than ``key``."""
        plan, run = self.plans.get(key), self.running.get(key)
        if plan is not None:
            return self._left.less(usage([self.planner.footprint(plan)]), sign=-1)
        if run is not None and key not in self.evicted:
            return self._left.less(usage([run.footprint]), sign=-1)
        return self._left

    def others(self) -> list[Footprint]:
        """Footprints of what runs and has no plan here: it keeps them."""
        return [taken for key, taken in self._footprints() if key not in self.plans]

    def _footprints(self) -> Iterable[tuple[AppKey, Footprint]]:
        for key, plan in self.plans.items():
            yield key, self.planner.footprint(plan)
        for key, run in self.running.items():
            if key not in self.plans and key not in self.evicted:
                yield key, run.footprint

    def admit(self, app: App) -> None:
        """Place ``app``: where there is room, else by moving others, else by evicting."""
        left = self.left_without(app.key)
        found = self.planner.find(app, left)
        if found is not None:
            self.plans[app.key] = found
            self._left = left.less(usage([self.planner.footprint(found)]))
            return
        if app.key in self.plans or self.planner.alone(app).placement is None:
            return
        for evicting in (False, True):
            if self._make_room(app, evicting=evicting):
                self._left = self.planner.left(self.taken())
                return

    def _make_room(self, app: App, *, evicting: bool) -> bool:
        """Place ``app`` and all that was placed before it anew; keep lower priorities if possible.

        With ``evicting``, what runs at a lower priority gives way; it is placed again in
        its turn, or else evicted.
        """
        lower = {key for key, run in self.running.items() if run.priority < app.priority}
        if (evicting and not lower) or (not evicting and len(self.plans) > MANY):
            return False
        gives_way = lower if evicting else set()
        apps = self.planner.problem.app
        placed = [apps[key] for key in self.plans if key not in gives_way and not apps[key].hold]
        moving = {app.key, *gives_way, *(each.key for each in placed)}
        fixed = [taken for key, taken in self._footprints() if key not in moving]
        anew = self._repack(app, placed, fixed)
        if anew is None:
            return False
        if evicting:
            self._give_way(lower, anew, fixed)
        held = {key: plan for key, plan in self.plans.items() if key not in moving}
        self.plans = held | anew
        return True

    def _repack(
        self, app: App, placed: list[App], fixed: list[Footprint]
    ) -> dict[AppKey, AppPlan] | None:
        """Place ``app`` and ``placed`` from scratch; what then still fits as it ran, stays so."""
        ranked = sorted(placed, key=self._rank)
        for order in ([app, *ranked], sorted([app, *placed], key=self._rank)):
            anew: dict[AppKey, AppPlan] = {}
            left = self.planner.left(fixed)
            for each in order:
                if self.repacked >= MOST_REPACKED:
                    return None
                self.repacked += 1
                found = self.planner.find(each, left)
                if found is None:
                    break
                anew[each.key] = found
                left = left.less(usage([self.planner.footprint(found)]))
            else:
                return self._restore(anew, left)
        return None

    def _restore(self, anew: dict[AppKey, AppPlan], left: System) -> dict[AppKey, AppPlan]:
        """Put back every plan that need not have moved."""
        for key, before in self.plans.items():
            if key not in anew or anew[key] == before:
                continue
            without = left.less(usage([self.planner.footprint(anew[key])]), sign=-1)
            if self.planner.fits(before, without):
                anew[key] = before
                left = without.less(usage([self.planner.footprint(before)]))
        return anew

    def _give_way(
        self,
        lower: set[AppKey],
        anew: dict[AppKey, AppPlan],
        fixed: list[Footprint],
    ) -> None:
        """Let what runs at ``lower`` priority stay where it still fits; evict the rest."""
        left = self.planner.left([*fixed, *map(self.planner.footprint, anew.values())])
        for key in sorted(lower, key=lambda each: (-self.running[each].priority, each)):
            run, plan = self.running[key], self.plans.get(key)
            if footprint_fits(run.footprint, left):
                left = left.less(usage([run.footprint]))
                if plan is not None:
                    anew[key] = plan
            else:
                self.evicted.add(key)

    def result(self, solver: str, power_bound: float = 0.0) -> Plan:
        """The plan in the order of the problem's applications, with bounds and reasons.

        ``power_bound`` is a lower bound of the total power, besides what the applications
        need alone.
        """
        planner, problem = self.planner, self.planner.problem
        self.evicted -= set(self.plans)
        self._left = planner.left(self.taken())
        plans, refusals, power = [], [], 0.0
        for app in problem.apps:
            plan = self.plans.get(app.key)
            if plan is None:
                refusals.append(self._refusal(app))
                continue
            bound = planner.bound(app, plan)
            power += app.rate * bound
            plans.append(replace(plan, bound=bound))
        return Plan(
            solver=solver,
            apps=tuple(plans),
            refusals=tuple(refusals),
            power_bound=max(power, power_bound),
            admission_proven=self._proven(refusals),
            evicted=tuple(sorted(self.evicted)),
        )

    def _proven(self, refusals: Iterable[Refusal]) -> bool:
        """Whether no plan admits more: what is refused has no deployment even alone."""
        planner, apps = self.planner, self.planner.problem.app
        return planner.variants is unrestricted and all(
            planner.alone(apps[refusal.key]).bound == math.inf for refusal in refusals
        )

    def _refusal(self, app: App) -> Refusal:
        return explain(self.planner, app, self.left_without(app.key))


def _by_key(run: Running) -> AppKey:
    return run.key
