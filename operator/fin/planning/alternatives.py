"""What else could be done for one application beside the others, and what its limits cost.

Every answer is FIN's own, of the application with something forbidden or given up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from fin.planning.baselines import single_node
from fin.planning.evaluation import evaluate, footprint, speeds
from fin.planning.options import Options
from fin.planning.placing import Planner
from fin.planning.plan import AppPlan, Plan
from fin.planning.problem import App, AppKey, Node, Problem
from fin.planning.reasons import explain
from fin.planning.system import System

_NO_HURRY = 1e9
"""A latency target, seconds, that nothing misses."""

_NODES = 8
"""Nodes that are tried alone: in a large system to say why each does not do takes minutes."""


class Kind(StrEnum):
    """How an alternative differs from the plan."""

    INSTEAD = "instead"
    RELAXED = "relaxed"


@dataclass(frozen=True, slots=True)
class Alternative:
    """Something else that could be done.

    Attributes
    ----------
    kind
        INSTEAD: another deployment that the application could have. RELAXED: what it could have
        if a limit were given up.
    what
        What is different, in words.
    plan
        The best deployment then; None where there is none.
    energy, latency
        Of that deployment: joules per inference, and seconds on the application's statistic.
    reason
        Why there is none: reason and message.
    """

    kind: Kind
    what: str
    plan: AppPlan | None = None
    energy: float = 0.0
    latency: float = 0.0
    reason: str = ""


def alternatives(
    problem: Problem, plan: Plan, key: AppKey, options: Options
) -> tuple[Alternative, ...]:
    """Find them for an application of the problem, the other applications staying as planned.

    Those that are possible come first, by energy. Of many nodes only those are tried alone that
    need the least energy for an operation.

    Raises
    ------
    KeyError
        The problem has no such application.
    """
    others = [footprint(problem, each) for each in plan.apps if each.key != key]
    search = _Search(problem, options, problem.app[key], plan.app.get(key))
    left = search.planner.left(others)
    found = [*search.instead(left), *search.relaxed(left)]
    return tuple(sorted(found, key=lambda each: (each.plan is None, each.energy)))


class _Search:
    def __init__(
        self, problem: Problem, options: Options, app: App, planned: AppPlan | None
    ) -> None:
        self.planner = Planner(problem, options)
        self._options = options
        self._problem, self._app, self._planned = problem, app, planned

    def instead(self, left: System) -> Iterator[Alternative]:
        """Without each node that it uses, and all on one node: the source, and good ones."""
        app = self._app
        used = [name for name, _ in self._planned.placement.segments] if self._planned else []
        for name in used if len(used) > 1 else ():
            without = replace(app, barred=app.barred | {name})
            yield self._best(self.planner, without, left, f"without {name}")
        for node in self._single_nodes():
            if [node.name] != used:
                yield self._whole(node, left)

    def _single_nodes(self) -> list[Node]:
        best = sorted(self._problem.nodes, key=lambda node: (node.joules_per_flop, node.name))
        return [node for node in best if node in best[:_NODES] or node.name == self._app.source]

    def _whole(self, node: Node, left: System) -> Alternative:
        choice = single_node(lambda _, each: each.name == node.name)
        planner = Planner(self._problem, self._options, choice)
        return self._best(planner, self._app, left, f"all on {node.name}")

    def relaxed(self, left: System) -> Iterator[Alternative]:
        """With each limit given up that the application has; unless it already costs nothing."""
        below = self._energy() * (1 - self._options.tolerance)
        for what, app, where in self._relaxations(left):
            plan = self.planner.find(app, where)
            if plan is not None:
                found = self._measured(Kind.RELAXED, what, app, plan)
                if found.energy < below:
                    yield found

    def _relaxations(self, left: System) -> Iterator[tuple[str, App, System]]:
        app = self._app
        yield "any latency", replace(app, latency=_NO_HURRY), left
        lower = [
            block.exit.accuracy
            for block in app.model.blocks[: (app.model.cut(app.min_accuracy) or 0) - 1]
            if block.exit
        ]
        if lower:
            what = f"accuracy {max(lower):g} is enough"
            yield what, replace(app, min_accuracy=max(lower)), left
        if app.local_blocks:
            yield "no block has to stay on the source", replace(app, local_blocks=0), left
        if app.tiers is not None:
            yield "any tier", replace(app, tiers=None), left
        yield "no other apps", app, self.planner.empty

    def _energy(self) -> float:
        if self._planned is None:
            return float("inf")
        return evaluate(self._problem, self._app, self._planned.placement).energy

    def _best(self, planner: Planner, app: App, left: System, what: str) -> Alternative:
        plan = planner.find(app, left)
        if plan is None:
            refusal = explain(planner, app, left)
            return Alternative(Kind.INSTEAD, what, reason=f"{refusal.reason}: {refusal.message}")
        return self._measured(Kind.INSTEAD, what, app, plan)

    def _measured(self, kind: Kind, what: str, app: App, plan: AppPlan) -> Alternative:
        cost = evaluate(self._problem, app, plan.placement)
        latency = cost.latency(speeds(self._problem, plan))
        return Alternative(kind, what, plan, cost.energy, latency)
