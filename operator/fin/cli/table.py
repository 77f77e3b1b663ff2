"""An outcome for people: tables that read well on a terminal and in a file."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from fin.api.quantity import Quantity
from fin.cli.outcome import LinkUse, NodeUse, Outcome, Planned, Refused
from fin.cli.units import percent, seconds, si, size
from fin.planning.problem import AppKey

_BLANK_LINES = re.compile(r"\n{3,}")
_WIDE = 10_000
"""Width where the output goes to a file or a pipe: lines are never broken there."""


def show(outcome: Outcome) -> None:
    """Print an outcome; in colour on a terminal only."""
    console = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    with console.capture() as captured:
        console.print(_everything(outcome))
    text = "\n".join(line.rstrip() for line in captured.get().splitlines())
    sys.stdout.write(_BLANK_LINES.sub("\n\n", text).strip("\n") + "\n")


def _everything(outcome: Outcome) -> Group:
    parts: list[RenderableType] = []
    names = _names(outcome)
    if outcome.planned:
        parts += [_apps(outcome.planned, names), _segments(outcome.planned, names)]
    if outcome.refused:
        parts += [Text("No plan", style="bold red"), *_refused(outcome.refused, names), Text()]
    if outcome.nodes:
        parts.append(_nodes(outcome.nodes))
    busy = sorted((use for use in outcome.links if use.load), key=lambda use: -use.share)
    if busy:
        parts.append(_links(busy))
    return Group(*parts, _summary(outcome))


def _names(outcome: Outcome) -> Mapping[AppKey, str]:
    """Names of apps, with the namespace where there are several."""
    keys = [app.key for app in outcome.apps]
    several = len({namespace for namespace, _ in keys}) > 1
    return {key: "/".join(key) if several else key[1] for key in keys}


def _apps(apps: Iterable[Planned], names: Mapping[AppKey, str]) -> Table:
    table = _table("App", "Exit", ">Accuracy", ">Latency", ">Target", ">Energy", ">Power", ">Gap")
    for app in apps:
        table.add_row(
            Text(names[app.key], style="bold"),
            app.revision.exit,
            percent(app.cost.accuracy),
            seconds(app.latency),
            seconds(app.app.latency),
            si(app.cost.energy, "J"),
            si(app.power, "W"),
            percent(app.gap),
        )
    return table


def _segments(apps: Iterable[Planned], names: Mapping[AppKey, str]) -> Table:
    table = _table("App", "Node", "Tier", "Blocks", ">CPU", ">Memory")
    for app in apps:
        for position, segment in enumerate(app.revision.segments):
            table.add_row(
                Text(names[app.key] if position == 0 else "", style="bold"),
                segment.node,
                app.tiers[segment.node],
                _runs(segment.blocks, app.revision.blocks),
                str(Quantity.of_millicores(segment.millicores)),
                size(segment.memory),
            )
    return table


def _runs(positions: Sequence[int], names: Sequence[str]) -> str:
    """Write blocks as runs: ``conv1 - conv3, fc``."""
    runs: list[list[int]] = []
    for position in positions:
        if runs and position == runs[-1][-1] + 1:
            runs[-1].append(position)
        else:
            runs.append([position])
    return ", ".join(
        names[run[0]] if len(run) == 1 else f"{names[run[0]]} - {names[run[-1]]}" for run in runs
    )


def _refused(apps: Iterable[Refused], names: Mapping[AppKey, str]) -> Iterable[Text]:
    for app in apps:
        yield Text.assemble(
            "  ", (names[app.key], "bold"), "  ", (app.reason, "red"), f": {app.message}"
        )


def _nodes(nodes: Iterable[NodeUse]) -> Table:
    table = _table("Node", "Tier", ">CPU", ">used", ">Memory", ">used", ">Segments")
    for use in nodes:
        table.add_row(
            Text(use.node.name, style="bold"),
            use.node.tier,
            str(Quantity.of_millicores(use.node.millicores)),
            _share(use.compute_share),
            size(use.node.memory),
            _share(use.memory_share),
            str(use.segments),
        )
    return table


def _links(links: Iterable[LinkUse]) -> Table:
    table = _table("Link", ">Load", ">Bandwidth", ">used")
    for use in links:
        table.add_row(
            Text(f"{use.link.source} -> {use.link.target}", style="bold"),
            si(use.load, "bit/s"),
            si(use.link.bandwidth, "bit/s"),
            _share(use.share),
        )
    return table


def _summary(outcome: Outcome) -> Text:
    planned, total = len(outcome.planned), len(outcome.apps)
    return Text.assemble(
        (f"{planned} of {total} apps planned", "bold green" if planned == total else "bold yellow"),
        f" by {outcome.solver}. Total power {si(outcome.power, 'W')}, "
        f"proven lower bound {si(outcome.power_bound, 'W')} (gap {percent(outcome.gap)}).",
    )


def _share(share: float) -> Text:
    style = "red" if share > 0.9 else "yellow" if share > 0.7 else ""
    return Text(percent(share), style=style)


def _table(*headers: str) -> Table:
    """Return an empty table; columns whose header begins with > are set to the right."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for header in headers:
        justify: JustifyMethod = "right" if header[0] == ">" else "left"
        table.add_column(header.lstrip(">"), justify=justify, overflow="fold")
    return table
