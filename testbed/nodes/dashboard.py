"""Draws the chart's Grafana dashboard from a live Prometheus, panel by panel."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import SubFigure
from matplotlib.ticker import EngFormatter

from fin.cli.drawing import COLOURS, figure, plain, save
from testbed.nodes.prometheus import Prometheus, Series

_CHART = Path(__file__).parents[2] / "helm" / "fin-operator"
_DASHBOARD = _CHART / "files" / "grafana" / "fin-operator.json"
_SCALED = {"watt": "W", "joule": "J", "s": "s"}
"""Units that take prefixes, by what Grafana calls them."""
_COUNTED = {"reqps": "requests/s", "ops": "per second", "none": ""}
_WIDTH, _INCHES = 13.0, 0.3
"""Inches of the picture, and of a row of the grid that Grafana lays panels on."""


@dataclass(frozen=True)
class Panel:
    """A panel of the dashboard: what it asks Prometheus, and how it shows the answers."""

    title: str
    stat: bool
    unit: str
    place: Mapping[str, int]
    queries: tuple[tuple[str, str], ...]
    """Expressions, each with the form of its series' names."""


def panels() -> Iterator[Panel]:
    """Read them from the chart's file."""
    for each in json.loads(_DASHBOARD.read_text())["panels"]:
        yield Panel(
            title=each["title"],
            stat=each["type"] == "stat",
            unit=each["fieldConfig"]["defaults"]["unit"],
            place=each["gridPos"],
            queries=tuple((one["expr"], one["legendFormat"]) for one in each["targets"]),
        )


def draw(prometheus: Prometheus, file: Path, seconds: float) -> None:
    """Draw what all panels show of the last seconds.

    Raises
    ------
    OSError
        The file can't be written.
    """
    shown = list(panels())
    rows = {each.place["y"]: each.place["h"] for each in shown}
    made = figure(_WIDTH, _INCHES * sum(rows.values()))
    heights = [rows[top] for top in sorted(rows)]
    bands = cast("list[SubFigure]", made.subfigures(len(rows), height_ratios=heights))
    for band, top in zip(bands, sorted(rows), strict=True):
        _row(band, [each for each in shown if each.place["y"] == top], prometheus, seconds)
    save(made, file)


def _row(band: SubFigure, shown: Sequence[Panel], prometheus: Prometheus, seconds: float) -> None:
    for panel, axes in zip(shown, band.subplots(1, len(shown), squeeze=False)[0], strict=True):
        axes.set_title(panel.title, loc="left", fontsize=9, fontweight="bold")
        if panel.stat:
            _stat(axes, panel, prometheus)
        else:
            _lines(axes, panel, prometheus, seconds)


def _stat(axes: Axes, panel: Panel, prometheus: Prometheus) -> None:
    ((expression, _),) = panel.queries
    (series,) = prometheus.query(expression)
    axes.axis("off")
    text = _text(series.values[-1][1], panel.unit)
    axes.text(0.0, 0.4, text, fontsize=20, transform=axes.transAxes)


def _lines(axes: Axes, panel: Panel, prometheus: Prometheus, seconds: float) -> None:
    plain(axes)
    count = 0
    for expression, form in panel.queries:
        for series in prometheus.range(expression, seconds):
            times = [datetime.fromtimestamp(at, UTC) for at, _ in series.values]
            values = [value for _, value in series.values]
            colour = COLOURS[count % len(COLOURS)]
            axes.plot(
                cast("Any", times), values, color=colour, label=_name(form, series), linewidth=1.2
            )
            count += 1
    axes.set_ylim(bottom=0)
    axes.set_ylabel(_COUNTED.get(panel.unit, ""), fontsize=7)
    axes.yaxis.set_major_formatter(lambda value, _: _text(value, panel.unit))
    now = datetime.now(UTC)
    axes.set_xlim(cast("Any", now - timedelta(seconds=seconds)), cast("Any", now))
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    dates = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(dates)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6, frameon=False, loc="best")


def _text(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit in _SCALED:
        return EngFormatter(_SCALED[unit]).format_data(float(f"{value:.4g}"))
    return f"{value:.4g}"


def _name(form: str, series: Series) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: series.labels.get(found[1], ""), form)
