"""Baselines: the whole DNN, cut at its best exit, on one node, and the published methods.

Source: model.md, "Baselines to compare with". On one node each is FIN's own extended graph
with the process edges of that node, so that routes, energy and latency mean the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fin.planning.bounds import bounded
from fin.planning.evaluation import evaluate
from fin.planning.load_blind import place_blindly
from fin.planning.options import Options
from fin.planning.placing import Planner, Variants
from fin.planning.plan import Plan, Reason, Refusal, Running
from fin.planning.problem import App, Node, Problem
from fin.planning.published import PUBLISHED
from fin.planning.reasons import explain
from fin.planning.sequential import plan_in_order

Choice = Callable[[App, Node], bool]
"""Whether a baseline may use a node for an application."""

CHOICES: Mapping[str, Choice] = {
    "source-only": lambda app, node: node.name == app.source,
    "edge-only": lambda _, node: node.tier == "edge",
    "cloud-only": lambda _, node: node.tier == "cloud",
    "single-node": lambda _app, _node: True,
}

NAMES = (*CHOICES, *PUBLISHED)
"""All baselines."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a baseline would spend for one application alone in the empty system.

    ``energy`` is in joules per inference; None where the baseline has no deployment that
    meets every constraint, and ``broken`` and ``message`` then say why.
    """

    energy: float | None
    broken: Reason | None = None
    message: str = ""


def single_node(choice: Choice) -> Variants:
    """Restrict an application to one node each of those that ``choice`` allows."""

    def variants(app: App, nodes: Sequence[Node]) -> list[App]:
        names = frozenset(node.name for node in nodes)
        chosen = (node.name for node in nodes if choice(app, node))
        return [replace(app, barred=app.barred | (names - {name})) for name in chosen]

    return variants


def plan_on_one_node(
    problem: Problem, running: Sequence[Running], options: Options, *, name: str
) -> Plan:
    """Plan every application whole on one node, of those that the baseline ``name`` allows."""
    plan = plan_in_order(problem, running, options, single_node(CHOICES[name]), name)
    return bounded(Planner(problem, options), plan)


def baselines(problem: Problem, app: App) -> dict[str, Baseline]:
    """Measure every baseline for ``app`` alone in the empty system."""
    blind = Planner(problem, Options())
    results = {name: _on_one_node(problem, app, choice) for name, choice in CHOICES.items()}
    for name, method in PUBLISHED.items():
        found = place_blindly(blind, app, method)
        if isinstance(found, Refusal):
            results[name] = Baseline(None, found.reason, found.message)
        else:
            results[name] = Baseline(evaluate(problem, app, found.placement).energy)
    return results


def _on_one_node(problem: Problem, app: App, choice: Choice) -> Baseline:
    planner = Planner(problem, Options(), single_node(choice))
    answer = planner.alone(app)
    if answer.placement is not None:
        return Baseline(answer.energy)
    if not any(choice(app, node) for node in problem.nodes):
        return Baseline(None, Reason.PLACEMENT_UNSATISFIABLE, "there is no such node")
    refusal = explain(planner, app, planner.empty)
    return Baseline(None, refusal.reason, refusal.message)
