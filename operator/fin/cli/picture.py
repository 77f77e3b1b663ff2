"""A comparison as a picture: power, and each app's energy, latency and accuracy."""

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fin.cli.comparison import Compared, Comparison
from fin.cli.console import short_names
from fin.cli.drawing import COLOURS, MARKERS, figure, plain
from fin.cli.outcome import Planned
from fin.cli.units import percent, seconds, si

MOST_ROWS = 300
"""Apps for which a picture grows; with more their rows move together."""


def draw(comparison: Comparison) -> Figure:
    """Draw a comparison, at a height that fits the number of apps."""
    apps = min(max(len(comparison.apps), 4), MOST_ROWS)
    made = figure(11, 3.4 + 0.3 * apps + 0.25 * len(comparison.solvers))
    heights = (3.4 + 0.6 * len(comparison.solvers), 2 + apps)
    grid = made.add_gridspec(2, 1, height_ratios=heights)
    above, below = made.add_subfigure(grid[0]), made.add_subfigure(grid[1])
    _power(above.subplots(), comparison)
    left, middle, right = below.subplots(1, 3, sharey=True)
    _apps(left, comparison, "Energy per inference, J", lambda app: app.cost.energy)
    if any(app.cost.energy for each in comparison.solvers for app in each.outcome.planned):
        left.set_xscale("log")
    _apps(middle, comparison, "Latency / target", lambda app: app.latency / app.app.latency)
    middle.axvline(1, color="#888888", linewidth=1)
    middle.set_xlim(0, 1.05)
    _apps(right, comparison, "Accuracy", lambda app: app.cost.accuracy)
    handles, labels = left.get_legend_handles_labels()
    below.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return made


def _power(axes: Axes, comparison: Comparison) -> None:
    """A bar for each solver, and beside it how it was made and what it leaves out."""
    shown = list(comparison.solvers)
    names = [each.solver for each in shown]
    axes.barh(names, [each.outcome.power for each in shown], color=COLOURS, height=0.6)
    for row, each in enumerate(shown):
        axes.annotate(
            _label(each, len(comparison.apps)),
            (each.outcome.power, row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
        )
    axes.invert_yaxis()
    axes.margins(x=0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel("Power of the apps that are admitted, W")
    plain(axes)
    axes.grid(visible=False, axis="y")


def _label(each: Compared, apps: int) -> str:
    parts = [
        si(each.outcome.power, "W"),
        f"{len(each.planned)} of {apps} apps",
        f"in {seconds(each.seconds)}",
    ]
    if each.saving:
        parts.append(
            f"FIN saves {percent(round(each.saving.share, 3) + 0.0)} of {each.saving.apps} apps"
        )
    return ", ".join(parts)


def _apps(
    axes: Axes, comparison: Comparison, title: str, value: Callable[[Planned], float]
) -> None:
    """A row for each app, a mark for each solver that has a plan for it."""
    names = short_names(comparison.apps)
    rows = {key: row for row, key in enumerate(comparison.apps)}
    count = len(comparison.solvers)
    for number, each in enumerate(comparison.solvers):
        shift = 0.6 * (number / max(count - 1, 1) - 0.5)
        axes.plot(
            [value(app) for app in each.planned.values()],
            [rows[key] + shift for key in each.planned],
            linestyle="none",
            marker=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            label=each.solver,
        )
    axes.set_yticks(list(rows.values()), [names[key] for key in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(title)
    plain(axes)
