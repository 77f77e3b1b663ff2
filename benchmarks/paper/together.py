"""Several applications of mixed models that share the edge and the cloud server.

Each has a device of its own, linked to both servers as in the authors' scenario.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fin.planning.evaluation import evaluate
from fin.planning.plan import Plan
from fin.planning.problem import AppKey, Problem
from fin.planning.solvers import make_plan
from tests.helpers.paper_scenario import LENET, RESNET, alexnet, scenario

COUNTS = range(2, 21, 2)
SOLVERS = ("fin", "optimal", "mcp")

LOADS: Mapping[str, float] = {"light": 1.0, "heavy": 100.0}
"""Inferences per second of each application. At 100/s no B-AlexNet fits its device whole."""

MIX = (
    (alexnet(10), 0.010, 0.80),
    (alexnet(100), 0.012, 0.55),
    (RESNET, 0.005, 0.90),
    (LENET, 0.002, 0.95),
)
"""Model, latency target (s) and accuracy target of the applications, in turn."""


@dataclass(frozen=True, slots=True)
class Together:
    """What a solver makes of ``apps`` applications: watts, how many it admits, and why not all.

    ``bound`` is what the solver has proven for those that it admits. ``saving`` is the share
    of the solver's power that FIN saves, over the ``common`` applications that both admit.
    """

    load: str
    apps: int
    solver: str
    admitted: int
    power: float
    bound: float
    common: int
    saving: float
    obstacles: str | None


def all_together() -> Iterator[Together]:
    """Measure every load and number of applications."""
    for load in LOADS:
        for count in COUNTS:
            yield from together(load, count)


def together(load: str, count: int) -> Iterator[Together]:
    """Plan ``count`` applications by every solver."""
    problem = shared(LOADS[load], count)
    plans = {solver: make_plan(problem, solver=solver) for solver in SOLVERS}
    ours = _powers(problem, plans["fin"])
    for solver, plan in plans.items():
        theirs = _powers(problem, plan)
        common = sorted(ours.keys() & theirs.keys())
        power = sum(theirs[key] for key in common)
        yield Together(
            load=load,
            apps=count,
            solver=solver,
            admitted=len(plan.apps),
            power=sum(theirs.values()),
            bound=plan.power_bound,
            common=len(common),
            saving=1 - sum(ours[key] for key in common) / power if power else 0.0,
            obstacles=_obstacles(plan),
        )


def shared(rate: float, count: int) -> Problem:
    """Give each of ``count`` applications a copy of the device and of its links."""
    base = scenario(*MIX[0])
    device, app = base.node["mobile"], base.apps[0]
    nodes = [node for node in base.nodes if node is not device]
    links = [link for link in base.links if device.name not in (link.source, link.target)]
    apps = []
    for index in range(count):
        model, latency, accuracy = MIX[index % len(MIX)]
        name = f"mobile-{index:02}"
        nodes.append(replace(device, name=name))
        links += [replace(link, source=name) for link in base.links if link.source == device.name]
        links += [replace(link, target=name) for link in base.links if link.target == device.name]
        apps.append(
            replace(
                app,
                name=f"app-{index:02}",
                model=model,
                source=name,
                rate=rate,
                latency=latency,
                min_accuracy=accuracy,
            )
        )
    return replace(base, nodes=tuple(nodes), links=tuple(links), apps=tuple(apps))


def _powers(problem: Problem, plan: Plan) -> dict[AppKey, float]:
    """Watts of each application that is admitted."""
    return {
        each.key: problem.app[each.key].rate
        * evaluate(problem, problem.app[each.key], each.placement).energy
        for each in plan.apps
    }


def _obstacles(plan: Plan) -> str | None:
    found: Counter[str] = Counter()
    for refusal in plan.refusals:
        found.update(refusal.broken or (refusal.reason.value,))
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items())) or None
