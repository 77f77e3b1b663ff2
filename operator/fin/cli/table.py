"""An outcome for people: tables that read well on a terminal and in a file."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fin.api.quantity import Quantity
from fin.cli.console import short_names, table, write
from fin.cli.outcome import LinkUse, NodeUse, Outcome, Planned, Refused
from fin.cli.running import Staying
from fin.cli.units import percent, seconds, si, size
from fin.planning.problem import AppKey


def show(outcome: Outcome) -> None:
    """Print an outcome."""
    write(_everything(outcome))


def _everything(outcome: Outcome) -> Group:
    parts: list[RenderableType] = []
    names = short_names(app.key for app in outcome.apps)
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


def _apps(apps: Iterable[Planned], names: Mapping[AppKey, str]) -> Table:
    rows = table("App", "Exit", ">Accuracy", ">Latency", ">Target", ">Energy", ">Power", ">Gap")
    for app in apps:
        rows.add_row(
            Text(names[app.key], style="bold"),
            app.revision.exit,
            percent(app.cost.accuracy),
            seconds(app.latency),
            seconds(app.app.latency),
            si(app.cost.energy, "J"),
            si(app.power, "W"),
            percent(app.gap),
        )
    return rows


def _segments(apps: Iterable[Planned], names: Mapping[AppKey, str]) -> Table:
    rows = table("App", "Node", "Tier", "Blocks", ">CPU", ">Memory")
    for app in apps:
        for position, segment in enumerate(app.revision.segments):
            rows.add_row(
                Text(names[app.key] if position == 0 else "", style="bold"),
                segment.node,
                app.tiers[segment.node],
                _runs(segment.blocks, app.revision.blocks),
                str(Quantity.of_millicores(segment.millicores)),
                size(segment.memory),
            )
    return rows


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
    rows = table("Node", "Tier", ">CPU", ">used", ">Memory", ">used", ">Segments")
    for use in nodes:
        rows.add_row(
            Text(use.node.name, style="bold"),
            use.node.tier,
            str(Quantity.of_millicores(use.node.millicores)),
            _share(use.compute_share),
            size(use.node.memory),
            _share(use.memory_share),
            str(use.segments),
        )
    return rows


def _links(links: Iterable[LinkUse]) -> Table:
    rows = table("Link", ">Load", ">Bandwidth", ">used")
    for use in links:
        rows.add_row(
            Text(f"{use.link.source} -> {use.link.target}", style="bold"),
            si(use.load, "bit/s"),
            si(use.link.bandwidth, "bit/s"),
            _share(use.share),
        )
    return rows


def _staying(staying: Staying | None) -> str:
    if staying is None:
        return ""
    said = f"\nOf what runs, {staying.kept} stay as they are and {staying.moved} change. "
    if staying.best is None or staying.cost is None:
        return said + "If nothing ran, other apps would have a plan."
    return (
        f"{said}If nothing ran, {si(staying.best, 'W')} were enough: "
        f"staying costs {si(staying.cost, 'W')}."
    )


def _summary(outcome: Outcome) -> Text:
    planned, total = len(outcome.planned), len(outcome.apps)
    return Text.assemble(
        (f"{planned} of {total} apps planned", "bold green" if planned == total else "bold yellow"),
        f" by {outcome.solver}. Total power {si(outcome.power, 'W')}, "
        f"proven lower bound {si(outcome.power_bound, 'W')} (gap {percent(outcome.gap)}).",
        _staying(outcome.staying),
    )


def _share(share: float) -> Text:
    style = "red" if share > 0.9 else "yellow" if share > 0.7 else ""
    return Text(percent(share), style=style)
