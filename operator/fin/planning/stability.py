"""Moves that save energy, and no others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fin.planning.evaluation import usage
from fin.planning.placing import Planner
from fin.planning.plan import AppPlan, Footprint, Running
from fin.planning.problem import App, AppKey
from fin.planning.system import System

PASSES = 3
"""Times that every application is looked at; a pass without a move ends it."""

TRIALS = 60
"""Placements that may be spent on trying applications first that would gain most from it."""

FIRSTS = 3
"""Applications that are tried first at most."""


@dataclass(frozen=True)
class Improver:
    """Moves applications, one by one and then together, where that saves enough.

    A move must save more than ``planner.options.min_saving`` of the power of the
    applications that it moves; what is only planned and does not run yet moves for any
    saving above the tolerance. ``others`` are the footprints of what has no plan here.
    """

    planner: Planner
    running: Mapping[AppKey, Running]
    others: Sequence[Footprint]

    def improve(self, plans: dict[AppKey, AppPlan]) -> None:
        """Move applications of ``plans``, which is changed in place."""
        for _ in range(PASSES):
            before = dict(plans)
            for key in sorted(plans):
                self._improve_one(plans, key)
            if any(self._hope(plan) for plan in plans.values()):
                self._improve_together(plans)
            if plans == before:
                break

    def _improve_one(self, plans: dict[AppKey, AppPlan], key: AppKey) -> None:
        now = plans[key]
        if self._held(now) or not self._hope(now):
            return
        app = self._app(key)
        below = (self._power(now) - self._least_saving(now)) / app.rate
        found = self.planner.find(app, self._beside(plans, {key}), below)
        if found is not None and self._saves(now, found):
            plans[key] = found

    def _improve_together(self, plans: dict[AppKey, AppPlan]) -> None:
        """Plan all anew in a few orders, and take over the moves that together save most."""
        moving = sorted(
            (self._app(key) for key, plan in plans.items() if not self._held(plan)), key=_by_rank
        )
        left = self._beside(plans, {app.key for app in moving})
        regretted = sorted(moving, key=lambda app: (-self._regret(plans[app.key]), app.key))
        dearest = sorted(moving, key=lambda app: (-self._least_power(app, plans), app.key))
        firsts = regretted[: min(FIRSTS, TRIALS // max(len(moving), 1))]
        orders = [moving, dearest, *(_first(app, moving) for app in firsts)]
        best, most = dict(plans), 0.0
        for order in orders:
            anew = self._anew(plans, order, left)
            changed = [key for key in anew if anew[key] != plans[key]]
            saved = sum(self._power(plans[key]) - self._power(anew[key]) for key in changed)
            if saved > max(most, sum(self._least_saving(plans[key]) for key in changed)):
                best, most = plans | anew, saved
        plans.update(best)

    def _anew(
        self, plans: Mapping[AppKey, AppPlan], order: Sequence[App], left: System
    ) -> dict[AppKey, AppPlan]:
        """Place ``order`` one by one; nothing where one of them finds no way."""
        anew: dict[AppKey, AppPlan] = {}
        for app in order:
            found, now = self.planner.find(app, left), plans[app.key]
            if found is None:
                return {}
            stays = found.placement == now.placement or not self._saves(now, found)
            if stays and self.planner.fits(now, left):
                found = now
            anew[app.key] = found
            left = left.less(usage([self.planner.footprint(found)]))
        return anew

    def _regret(self, now: AppPlan) -> float:
        """Watts that the application would save alone in the empty system."""
        return self._power(now) - self._least_power(self._app(now.key), {now.key: now})

    def _least_power(self, app: App, plans: Mapping[AppKey, AppPlan]) -> float:
        return app.rate * self.planner.bound(app, plans[app.key])

    def _beside(self, plans: Mapping[AppKey, AppPlan], without: set[AppKey]) -> System:
        """What is left beside all but some applications."""
        placed = (self.planner.footprint(plan) for key, plan in plans.items() if key not in without)
        return self.planner.left([*self.others, *placed])

    def _saves(self, now: AppPlan, found: AppPlan) -> bool:
        return self._power(now) - self._power(found) > self._least_saving(now)

    def _hope(self, now: AppPlan) -> bool:
        """Whether even the least energy alone would save enough."""
        return self._regret(now) > self._least_saving(now)

    def _least_saving(self, now: AppPlan) -> float:
        options = self.planner.options
        share = options.min_saving if self._runs(now) else options.tolerance
        return share * self._power(now)

    def _power(self, plan: AppPlan) -> float:
        return self.planner.power(plan)

    def _app(self, key: AppKey) -> App:
        return self.planner.problem.app[key]

    def _held(self, plan: AppPlan) -> bool:
        return self._app(plan.key).hold and self._runs(plan)

    def _runs(self, plan: AppPlan) -> bool:
        run = self.running.get(plan.key)
        return run is not None and run.plan == plan


def _first(app: App, order: Sequence[App]) -> list[App]:
    return [app, *(each for each in order if each.key != app.key)]


def _by_rank(app: App) -> tuple[int, str, AppKey]:
    return -app.priority, app.created, app.key
