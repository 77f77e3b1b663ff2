"""Every point of the authors' grid, one application: FIN, the optimum, and MCP with its ties."""

from collections.abc import Iterator
from dataclasses import dataclass

from fin.planning.evaluation import evaluate
from fin.planning.mcp_ties import mcp_ties
from fin.planning.plan import Placement
from fin.planning.problem import Problem
from fin.planning.solvers import make_plan
from fin.planning.system import system_left
from tests.helpers.paper_scenario import ACCURACIES, GRID, scenario


@dataclass(frozen=True, slots=True)
class Point:
    """A latency target (ms) and an accuracy target, and what comes out; J per inference.

    Nodes are the initials of those that run the blocks, in order. None where a solver has
    no plan. ``exit_part`` and ``split_part`` are the shares of MCP's energy that FIN saves
    by its exit and by its nodes: between the two lies MCP's placement, cut at FIN's exit.
    """

    model: str
    latency: float
    accuracy: float
    fin: float | None = None
    fin_nodes: str | None = None
    optimum: float | None = None
    mcp: float | None = None
    mcp_nodes: str | None = None
    mcp_cheapest: float | None = None
    mcp_dearest: float | None = None
    exit_part: float | None = None
    split_part: float | None = None

    def saving(self, against: float | None) -> float | None:
        """Share of another energy that FIN saves; None where one of the two is missing."""
        if self.fin is None or not against:
            return None
        return 1 - self.fin / against


def points() -> Iterator[Point]:
    """Measure the whole grid."""
    for name, (_, latencies) in GRID.items():
        for latency in latencies:
            for accuracy in ACCURACIES:
                yield point(name, latency, accuracy)


def point(name: str, latency: float, accuracy: float) -> Point:
    """Measure one point; the latency in seconds."""
    problem = scenario(GRID[name][0], latency, accuracy)
    app = problem.apps[0]
    placed = {solver: _placed(problem, solver) for solver in ("fin", "optimal", "mcp")}
    fin, optimal, mcp = (placed[solver] for solver in ("fin", "optimal", "mcp"))
    energies = {
        solver: evaluate(problem, app, placement).energy if placement else None
        for solver, placement in placed.items()
    }
    ties = mcp_ties(system_left(problem), app) if mcp else None
    exit_part = split_part = None
    if fin and mcp and energies["fin"] and energies["mcp"]:
        blocks = len(fin.nodes)
        cut = Placement(mcp.nodes[:blocks], mcp.routes[:blocks])
        between = evaluate(problem, app, cut).energy
        exit_part = 1 - between / energies["mcp"]
        split_part = (between - energies["fin"]) / energies["mcp"]
    return Point(
        model=name,
        latency=round(latency * 1e3, 9),
        accuracy=accuracy,
        fin=energies["fin"],
        fin_nodes=_initials(fin),
        optimum=energies["optimal"] if optimal else None,
        mcp=energies["mcp"],
        mcp_nodes=_initials(mcp),
        mcp_cheapest=ties.cheapest[0] if ties else None,
        mcp_dearest=ties.dearest[0] if ties else None,
        exit_part=exit_part,
        split_part=split_part,
    )


def _placed(problem: Problem, solver: str) -> Placement | None:
    plan = make_plan(problem, solver=solver)
    return plan.apps[0].placement if plan.apps else None


def _initials(placement: Placement | None) -> str | None:
    return "".join(name[0] for name in placement.nodes) if placement else None
