"""Tables of the demonstration."""

from collections.abc import Iterable, Mapping

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from fin.cli.units import percent, seconds, si, size
from testbed.demo.client import Answers
from testbed.demo.metrics import BASELINES, Scrape
from testbed.demo.reading import AppView, Key, Workload

_NOTHING = 1e-9
"""Watts below which a difference is rounding."""


def plan_table(apps: Iterable[AppView]) -> Table:
    """Show at which exit each app ends, what it costs and where it runs."""
    table = _table("App", "Exit", ">Accuracy", ">Latency", ">Target", ">Energy", ">Power", "Nodes")
    for app in apps:
        if app.plan:
            table.add_row(
                Text(app.name, style="bold"),
                app.plan.exit,
                percent(app.plan.accuracy),
                seconds(float(app.plan.latency)),
                seconds(float(app.target)),
                si(float(app.plan.energy_per_inference), "J"),
                si(float(app.plan.power), "W"),
                " -> ".join(app.nodes),
            )
    return table


def workload_table(apps: Iterable[AppView], workloads: Mapping[tuple[str, str], Workload]) -> Table:
    """Show the Deployment of each segment: what it runs, where, and its limits."""
    table = _table("Deployment", "Blocks", "Node", ">CPU limit", ">Memory limit", "Ready")
    for app in apps:
        for segment in app.plan.segments if app.plan else ():
            workload = workloads[app.key[0], segment.name]
            table.add_row(
                Text(workload.name, style="bold"),
                _named(segment.blocks),
                workload.node,
                str(workload.limits["cpu"]),
                size(float(workload.limits["memory"])),
                "1/1" if workload.ready else Text("0/1", style="red"),
            )
    return table


def energy_table(found: Scrape) -> Table:
    """Show what each app costs."""
    table = _table("App", ">J/inference", ">Power", ">So far")
    for (_, name), app in found.apps.items():
        table.add_row(
            Text(name, style="bold"),
            si(app.per_inference, "J"),
            si(app.power, "W"),
            si(app.so_far, "J"),
        )
    table.add_section()
    so_far = sum(app.so_far for app in found.apps.values())
    table.add_row(Text("all", style="bold"), "", si(found.power, "W"), si(so_far, "J"))
    return table


def savings_table(found: Scrape) -> Table:
    """Show what each app saves against each baseline."""
    table = _table("App", *(f">{name}" for name in BASELINES))
    for (_, name), app in found.apps.items():
        saved = (_saved(app.saved.get(baseline)) for baseline in BASELINES)
        table.add_row(Text(name, style="bold"), *saved)
    table.add_section()
    sums = (
        sum(app.saved.get(baseline, 0.0) for app in found.apps.values()) for baseline in BASELINES
    )
    table.add_row(Text("all", style="bold"), *map(_saved, sums))
    return table


def move_table(before: Mapping[Key, AppView], after: Mapping[Key, AppView]) -> Table:
    """Show what moved, from where to where, and what it costs."""
    table = _table("App", "From", "To", ">Latency", ">Target", ">Power before", ">after")
    for key, old in before.items():
        new = after[key]
        if old.plan and new.plan and old.plan.revision != new.plan.revision:
            table.add_row(
                Text(new.name, style="bold"),
                " -> ".join(old.nodes),
                " -> ".join(new.nodes),
                seconds(float(new.plan.latency)),
                seconds(float(new.target)),
                si(float(old.plan.power), "W"),
                si(float(new.plan.power), "W"),
            )
    return table


def answer_table(answers: Answers, nodes: Mapping[str, str], planned: Mapping[str, float]) -> Table:
    """Show where the samples left, beside the plan, and what it took.

    Parameters
    ----------
    answers
        What came back.
    nodes, planned
        Of each exit the node, and the share of the samples that is planned to leave there.
    """
    table = _table("Exit", "Node", ">Samples", ">Share", ">Planned", ">Right", ">Mean latency")
    for leaving, node in nodes.items():
        left = answers.at(leaving)
        count = len(left.each)
        table.add_row(
            Text(leaving, style="bold"),
            node,
            str(count),
            percent(count / len(answers.each)),
            percent(planned[leaving]),
            percent(left.accuracy) if count else "-",
            seconds(left.seconds.mean()) if count else "-",
        )
    return table


def _named(blocks: tuple[str, ...]) -> str:
    return blocks[0] if len(blocks) == 1 else f"{blocks[0]} .. {blocks[-1]}"


def _saved(watts: float | None) -> Text:
    if watts is None:
        return Text("-", style="dim")
    if abs(watts) < _NOTHING:
        return Text("0 W")
    if watts < 0:
        return Text(f"-{si(-watts, 'W')}", style="yellow")
    return Text(si(watts, "W"), style="green")


def _table(*headers: str) -> Table:
    """Make an empty table; columns whose header begins with > are set to the right.

    Names, in the first column, stay whole on narrow terminals too.
    """
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for position, header in enumerate(headers):
        justify: JustifyMethod = "right" if header[0] == ">" else "left"
        name = header.lstrip(">")
        table.add_column(name, justify=justify, overflow="fold", no_wrap=position == 0)
    return table
