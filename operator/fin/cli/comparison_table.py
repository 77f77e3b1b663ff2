"""A comparison for people: the solvers in rows, then what each app gets of each of them."""

from collections.abc import Callable, Mapping

from rich.console import Group
from rich.table import Table
from rich.text import Text

from fin.cli.comparison import Compared, Comparison
from fin.cli.console import short_names, table, write
from fin.cli.outcome import Planned
from fin.cli.units import percent, seconds, si


def show(comparison: Comparison) -> None:
    """Print a comparison."""
    parts = [
        _solvers(comparison),
        _apps("Energy", comparison, lambda app: si(app.cost.energy, "J")),
        _apps("Latency", comparison, lambda app: seconds(app.latency)),
        _apps("Accuracy", comparison, lambda app: percent(app.cost.accuracy)),
    ]
    write(Group(*parts))


def _solvers(comparison: Comparison) -> Table:
    rows = table(
        "Solver",
        ">Admitted",
        ">Power",
        ">Gap",
        ">FIN saves",
        ">of apps",
        ">Time",
        "Not admitted for",
    )
    for each in comparison.solvers:
        rows.add_row(
            Text(each.solver, style="bold"),
            f"{len(each.planned)} of {len(comparison.apps)}",
            si(each.outcome.power, "W"),
            percent(each.outcome.gap),
            _saving(each),
            str(each.saving.apps) if each.saving else "-",
            seconds(each.seconds),
            _told(each.obstacles),
        )
    return rows


def _saving(each: Compared) -> Text:
    if each.saving is None:
        return Text("-", style="dim")
    share = round(each.saving.share, 3) + 0.0  # no negative zero
    style = "green" if share > 0 else "yellow" if share < 0 else ""
    return Text(percent(share), style=style)


def _told(obstacles: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in obstacles.items())


def _apps(title: str, comparison: Comparison, value: Callable[[Planned], str]) -> Table:
    """One measure of every app, a column for each solver."""
    names = short_names(comparison.apps)
    rows = table(title, *(f">{each.solver}" for each in comparison.solvers))
    for key in comparison.apps:
        found = (each.planned.get(key) for each in comparison.solvers)
        values = (value(app) if app else "-" for app in found)
        rows.add_row(Text(names[key], style="bold"), *values)
    return rows
