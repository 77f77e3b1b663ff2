"""Why an application has no plan, and the best value that could be reached.

Source: model.md, "Why an application has no plan": first alone in the empty system, then
the first capacity whose relaxation alone would admit it.
"""

from dataclasses import replace

import numpy as np

from fin.planning.fin import NOWHERE
from fin.planning.graph import extended_graph
from fin.planning.options import quick
from fin.planning.placing import Planner
from fin.planning.plan import Reason, Refusal
from fin.planning.policies import policy
from fin.planning.problem import App
from fin.planning.system import System

PLENTY = 1e18
"""More millicores than any system has; a speed that they give is still finite."""

CAPACITIES = (
    (Reason.INSUFFICIENT_COMPUTE, ("unreserved",), "compute"),
    (Reason.INSUFFICIENT_MEMORY, ("memory",), "memory"),
    (Reason.INSUFFICIENT_PODS, ("pods",), "room for pods"),
    (Reason.INSUFFICIENT_BANDWIDTH, ("link_load", "egress", "ingress"), "bandwidth"),
)
"""Reason, what is relaxed, and its name in messages."""

RATE_STEPS = 120
"""Halvings of the search for the highest rate that could be served."""


def explain(planner: Planner, app: App, left: System) -> Refusal:
    """Say why ``app`` has no plan on what others ``left`` of the system."""
    gamma = planner.options.gamma
    if gamma is not None:
        planner = planner.without_slots()
        if planner.find(app, left) is not None:
            message = f"{gamma} slots are too few to find a deployment in time; there is one"
            return Refusal(app.key, Reason.SLOTS_TOO_FEW, message)
    reason, message = _alone(planner, app) or _shortage(planner, app, left, "that is left")
    return Refusal(app.key, reason, message)


def _alone(planner: Planner, app: App) -> tuple[Reason, str] | None:
    """What makes ``app`` impossible in the empty system; None where nothing does."""
    if planner.alone(app).placement is not None:
        return None
    blocks = app.model.cut(app.min_accuracy)
    if blocks is None:
        best, least = app.model.best_accuracy, app.min_accuracy
        return Reason.ACCURACY_UNREACHABLE, f"accuracy {best:g} at best, asked for {least:g}"
    empty = planner.empty
    unlimited = relaxed(empty, "unreserved", "memory", "pods", "link_load", "egress", "ingress")
    if np.isinf(_fastest(planner, unlimited, replace(app, rate=0.0), blocks)):
        return Reason.PLACEMENT_UNSATISFIABLE, _placement_message(app)
    idle = relaxed(empty, "memory", "pods", "link_load", "egress", "ingress")
    fastest = _fastest(planner, idle, replace(app, rate=0.0), blocks)
    if app.latency < fastest < np.inf:
        return Reason.LATENCY_UNREACHABLE, _latency_message(fastest, app)
    capacities = relaxed(empty, "memory", "pods")
    if np.isfinite(fastest) and not _possible(planner, capacities, app):
        best = _highest_rate(planner, capacities, app)
        return Reason.RATE_TOO_HIGH, f"rate {best:.3g}/s at best, asked for {app.rate:.3g}/s"
    return _shortage(planner, app, empty, "of the nodes that it may use")


def _shortage(planner: Planner, app: App, left: System, where: str) -> tuple[Reason, str]:
    for reason, attributes, name in CAPACITIES:
        if _possible(planner, relaxed(left, *attributes), app):
            detail = _detail(planner, reason, app, left)
            return reason, f"the {name} {where} does not suffice{detail}"
    return Reason.INSUFFICIENT_CAPACITY, f"the capacity {where} does not suffice, of several kinds"


def _detail(planner: Planner, reason: Reason, app: App, left: System) -> str:
    """The best value that could be reached with what is left, where one tells it."""
    blocks = app.model.cut(app.min_accuracy) or 0
    if reason is Reason.INSUFFICIENT_COMPUTE:
        fastest = _fastest(planner, left, app, blocks)
        if app.latency < fastest < np.inf:
            return f": {_latency_message(fastest, app)}"
    if reason is Reason.INSUFFICIENT_MEMORY:
        return _memory_detail(app, left, blocks)
    return ""


def _memory_detail(app: App, left: System, blocks: int) -> str:
    """The first block that no node it may run on has the memory for."""
    for index, block in enumerate(app.model.blocks[:blocks]):
        need = app.model.memory_overhead + block.resident
        places = [
            int(room)
            for node, room in zip(left.nodes, left.memory, strict=True)
            if app.may_run(index, node)
        ]
        most = max(places, default=0)
        if need > most:
            where = f"a node that may run it has {_bytes(most)} at most"
            return f": block {block.name} needs {_bytes(need)}, {where}"
    return ""


def _possible(planner: Planner, system: System, app: App) -> bool:
    found = planner.place(system, app, quick(len(planner.problem.apps)))
    return found.placement is not None or found.bound < NOWHERE.bound


def _fastest(planner: Planner, system: System, app: App, blocks: int) -> float:
    """Least latency, seconds, where each edge by itself is possible."""
    if app.source not in system.index:
        return float("inf")
    graphs = (
        extended_graph(system, variant, blocks) for variant in planner.variants(app, system.nodes)
    )
    ways = (policy(graph, np.inf).latency[0, graph.source] for graph in graphs)
    return float(min(ways, default=np.inf))


def _highest_rate(planner: Planner, system: System, app: App) -> float:
    low, high = 0.0, app.rate
    for _ in range(RATE_STEPS):
        middle = (low + high) / 2
        if _possible(planner, system, replace(app, rate=middle)):
            low = middle
        else:
            high = middle
        if high - low <= 1e-3 * high:
            break
    return low


def relaxed(system: System, *attributes: str) -> System:
    """The same system with more than enough of the capacities named."""
    plenty = {
        each: np.full_like(getattr(system, each), PLENTY if each == "unreserved" else np.inf)
        for each in attributes
    }
    return replace(system, **plenty)


def _placement_message(app: App) -> str:
    tiers = "any tier" if app.tiers is None else f"tiers {', '.join(sorted(app.tiers))}"
    local = f", the first {app.local_blocks} blocks on {app.source}" if app.local_blocks else ""
    return f"no way from source {app.source} to nodes that may run its blocks ({tiers}{local})"


def _latency_message(latency: float, app: App) -> str:
    return f"latency {_seconds(latency)} at best, target {_seconds(app.latency)}"


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def _bytes(value: float) -> str:
    for unit, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if value >= size:
            return f"{value / size:.5g} {unit}B"
    return f"{value:.0f} B"
