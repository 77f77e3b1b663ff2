"""Between deployments, as plans have them, and the columns of the joint problem."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from fin.planning.check import check
from fin.planning.deadline import Deadline
from fin.planning.joint.choice import ROUNDING, Candidate
from fin.planning.joint.generation import Generation
from fin.planning.joint.kinds import Classes, classify
from fin.planning.joint.master import MasterError
from fin.planning.joint.network import Network
from fin.planning.joint.ways import Column, Way
from fin.planning.placing import Planner
from fin.planning.plan import AppPlan, Plan
from fin.planning.problem import App, AppKey
from fin.planning.sequential import Admission
from fin.planning.system import Floats


class Deployments:
    """The applications of an admission that may be moved, and their deployments.

    What is held, or found no way off a node that it should leave, stays as it is.
    """

    def __init__(self, planner: Planner, admission: Admission, deadline: Deadline) -> None:
        self.planner, self.admission, self.deadline = planner, admission, deadline

    @property
    def apps(self) -> list[App]:
        """Applications with a plan that may be moved, by namespace and name."""
        plans = self.admission.plans
        apps = (self.planner.problem.app[key] for key in sorted(plans))
        return [app for app in apps if not self._stays(app, plans[app.key])]

    @cached_property
    def network(self) -> Network:
        """The system, and what is left of it beside what stays as it is."""
        planner, admission = self.planner, self.admission
        moving = {app.key for app in self.apps}
        staying = (
            planner.footprint(plan) for key, plan in admission.plans.items() if key not in moving
        )
        return Network(planner.empty, planner.left([*admission.others(), *staying]))

    def time_left(self) -> float | None:
        """Seconds that are left; None where there is no limit."""
        return self.deadline.left()

    def in_time(self) -> bool:
        """Whether there is time left."""
        left = self.time_left()
        return left is None or left > 0

    def classify(self, apps: Sequence[App], apart: Iterable[AppKey] = ()) -> Classes:
        """Group applications; those that run, and ``apart``, are classes of their own."""
        alone = set(apart)
        own = (app for app in apps if app.key in alone or self.running(app) is not None)
        return classify(self.network, apps, own)

    def running(self, app: App) -> AppPlan | None:
        """The deployment of ``app`` that runs and may stay."""
        run = self.admission.running.get(app.key)
        if run is None or run.plan is None or not self.planner.valid(run.plan):
            return None
        leaves = app.barred.intersection(run.plan.placement.nodes)
        return None if leaves else run.plan

    def columns(self, generation: Generation, classes: Classes) -> list[Column]:
        """The deployments that are planned, as columns."""
        plans = self.admission.plans
        return [
            self.column(generation, owner, plans[app.key])
            for owner, members in enumerate(classes.members)
            for app in members
            if app.key in plans
        ]

    def column(self, generation: Generation, owner: int, plan: AppPlan) -> Column:
        """A deployment as a column of a class.

        Raises
        ------
        MasterError
            Where rounding makes it look invalid.
        """
        way = generation.ways.way_of(owner, plan.placement)
        if way is None:
            raise MasterError(f"{plan.key}: its deployment is at the edge of what is valid")
        nodes = self.network.whole.nodes
        reserved = np.array([plan.reserved(nodes[index].name) for index in way.nodes.tolist()])
        return Column(way, reserved * self.network.millicore_share[way.nodes])

    def plans(
        self, generation: Generation, chosen: Iterable[tuple[Candidate, int, Floats]]
    ) -> dict[AppKey, AppPlan]:
        """Deployments in whole millicores of what was chosen."""
        plans: dict[AppKey, AppPlan] = {}
        left = [list(members) for members in generation.classes.members]
        for candidate, count, shares in chosen:
            placement = generation.ways.placement(candidate.way)
            for _ in range(count):
                app = left[candidate.way.owner].pop(0)
                run = self.running(app)
                if candidate.runs and run is not None:
                    plans[app.key] = run
                    continue
                millicores = dict(self._millicores(app, candidate.way, shares))
                reserved = tuple((node, millicores[node]) for node, _ in placement.segments)
                plans[app.key] = AppPlan(app.key, placement, reserved)
        return plans

    def take_over(self, plans: Mapping[AppKey, AppPlan]) -> None:
        """Let ``plans`` take the place of the admission's, if they pass every check."""
        admission = self.admission
        whole = Plan("fin", tuple(plans.values()), (), evicted=tuple(admission.evicted))
        if not check(self.planner.problem, whole, tuple(admission.running.values())):
            admission.plans = dict(plans)

    def _millicores(self, app: App, way: Way, shares: Floats) -> Iterator[tuple[str, int]]:
        nodes = self.network.whole.nodes
        for index, share in zip(way.nodes.tolist(), shares.tolist(), strict=True):
            millicores = math.ceil(share * nodes[index].millicores - ROUNDING)
            least = app.model.min_millicores
            yield nodes[index].name, min(max(millicores, least), nodes[index].millicores)

    def _stays(self, app: App, plan: AppPlan) -> bool:
        run = self.admission.running.get(app.key)
        if run is None or run.plan != plan:
            return False
        return app.hold or bool(app.barred.intersection(plan.placement.nodes))
