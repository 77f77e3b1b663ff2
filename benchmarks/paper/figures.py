"""The figures of the page, drawn from the results."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.paper.points import Point
from benchmarks.paper.results import Results, best, feasible, label
from benchmarks.paper.slots import Slots
from benchmarks.paper.together import COUNTS, LOADS, Together
from fin.cli.drawing import COLOURS, MARKERS, figure, plain

FIN, OPTIMUM, MCP = COLOURS[0], COLOURS[1], COLOURS[6]
NAMES = {"fin": "FIN", "optimal": "optimum", "mcp": "MCP"}
STYLES = {
    "mcp": {"color": MCP, "marker": "v"},
    "fin": {"color": FIN, "marker": "o"},
    "optimal": {"color": OPTIMUM, "marker": "x", "linestyle": "none"},
}


def all_figures(results: Results) -> Mapping[str, Figure]:
    """Draw every figure, by the name of its file."""
    return {
        "energy": energy(results),
        "savings": savings(results),
        "gamma": gamma(results.slots),
        "together": together(results.together),
    }


def energy(results: Results) -> Figure:
    """Energy over each of the targets; the other one is that of the largest saving."""
    made = figure(9, 2.3 * len(results.models))
    grid = made.subplots(len(results.models), 2, squeeze=False, sharey="row")
    for (left, right), model in zip(grid, results.models, strict=True):
        at, rows = best(results, model), feasible(results, model)
        over_latency = [each for each in rows if each.accuracy == at.accuracy]
        over_accuracy = [each for each in rows if each.latency == at.latency]
        _energies(left, [each.latency for each in over_latency], over_latency)
        _energies(right, [100 * each.accuracy for each in over_accuracy], over_accuracy)
        left.set_title(f"{label(model)}, accuracy of at least {at.accuracy:.0%}", fontsize=9)
        right.set_title(f"{label(model)}, latency of at most {at.latency:g} ms", fontsize=9)
        left.set_ylabel("mJ per inference")
    grid[-1][0].set_xlabel("latency target, ms")
    grid[-1][1].set_xlabel("accuracy target, %")
    handles, labels = grid[0][0].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return made


def _energies(axes: Axes, targets: Sequence[float], rows: Sequence[Point]) -> None:
    def of(name: str) -> list[float]:
        return [1e3 * (getattr(each, name) or np.nan) for each in rows]

    low, high = of("mcp_cheapest"), of("mcp_dearest")
    axes.fill_between(targets, low, high, color=MCP, alpha=0.2, linewidth=0, label="MCP's ties")
    axes.plot(targets, of("mcp"), color=MCP, marker="v", markersize=4, label="MCP")
    axes.plot(targets, of("fin"), color=FIN, marker="o", markersize=4, label="FIN")
    axes.plot(targets, of("optimum"), color=OPTIMUM, marker="x", linestyle="none", label="optimum")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(_few))
    axes.yaxis.set_minor_formatter(FuncFormatter(_few))
    plain(axes)


def _few(value: float, _: int) -> str:
    """Label a logarithmic axis at 1, 2 and 5 times the powers of ten."""
    text = f"{value:.6g}"
    return text if text.strip("0.") in ("1", "2", "5") else ""


def savings(results: Results) -> Figure:
    """What FIN saves against MCP at every point, by its tie rule and for the dearest tie."""
    made = figure(9, 2.2 * len(results.models))
    grid = made.subplots(len(results.models), 2, squeeze=False, sharex=True)
    colours = colormaps["viridis"].with_extremes(bad="#eeeeee")
    for row, model in zip(grid, results.models, strict=True):
        points = [each for each in results.points if each.model == model]
        latencies = sorted({each.latency for each in points})
        accuracies = sorted({each.accuracy for each in points})
        for axes, name in zip(row, ("mcp", "mcp_dearest"), strict=True):
            shares = np.full((len(latencies), len(accuracies)), np.nan)
            for each in points:
                saving = each.saving(getattr(each, name))
                if saving is not None:
                    at = latencies.index(each.latency), accuracies.index(each.accuracy)
                    shares[at] = 100 * saving
            image = axes.imshow(
                shares, origin="lower", aspect="auto", vmin=0, vmax=100, cmap=colours
            )
            axes.set_xticks(range(0, len(accuracies), 2), [f"{a:.0%}" for a in accuracies[::2]])
            axes.set_yticks(range(0, len(latencies), 3), [f"{t:g}" for t in latencies[::3]])
            against = "MCP" if name == "mcp" else "the dearest of MCP's ties"
            axes.set_title(f"{label(model)}, against {against}", fontsize=9)
        row[0].set_ylabel("latency target, ms")
    for axes in grid[-1]:
        axes.set_xlabel("accuracy target")
    made.colorbar(image, ax=grid, label="saved, %", shrink=0.5)
    return made


def gamma(rows: Sequence[Slots]) -> Figure:
    """What few slots cost: plans that are missed, and energy."""
    made = figure(9, 3.8)
    left, right = made.subplots(1, 2)
    for number, model in enumerate(dict.fromkeys(each.model for each in rows)):
        mine = [each for each in rows if each.model == model and each.gamma is not None]
        slots = [each.gamma or 0 for each in mine]
        style = {"color": COLOURS[number], "marker": MARKERS[number], "markersize": 4}
        missed = [100 * (1 - each.planned / each.points) for each in mine]
        left.plot(slots, missed, label=label(model), **style)
        excess = [100 * each.mean_excess for each in mine]
        right.plot(slots, excess, label=label(model), **style)
    left.set_ylabel("points without a plan, %")
    right.set_ylabel("energy above the optimum, %")
    for axes in (left, right):
        axes.set_xlabel("slots of the latency target (gamma)")
        plain(axes)
    handles, labels = left.get_legend_handles_labels()
    made.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)
    return made


def together(rows: Sequence[Together]) -> Figure:
    """Power and admission of several applications that share the system."""
    made = figure(9, 5.2)
    grid = made.subplots(2, len(LOADS), squeeze=False, sharex=True)
    for column, (load, rate) in enumerate(LOADS.items()):
        power, admitted = grid[0][column], grid[1][column]
        for solver, style in STYLES.items():
            mine = [each for each in rows if (each.load, each.solver) == (load, solver)]
            counts = [each.apps for each in mine]
            for axes, values in (
                (power, [each.power for each in mine]),
                (admitted, [each.admitted for each in mine]),
            ):
                axes.plot(counts, values, label=NAMES[solver], markersize=5, **style)
        power.set_title(f"{rate:g} inferences/s each", fontsize=9)
        admitted.set_xlabel("applications")
        for axes in (power, admitted):
            axes.set_ylim(bottom=0)
            axes.set_xticks(list(COUNTS))
            plain(axes)
    grid[0][0].set_ylabel("power of those admitted, W")
    grid[1][0].set_ylabel("admitted")
    handles, labels = grid[0][0].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return made
