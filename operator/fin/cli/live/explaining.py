"""What ``fin explain`` prints."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fin.cli.console import table, write
from fin.cli.live.planned import PlannedWorld
from fin.cli.units import percent, seconds, si
from fin.planning.alternatives import Alternative, Kind, alternatives
from fin.planning.plan import gap
from fin.planning.problem import AppKey

_SHOWN = 12
"""Alternatives that are shown, the rest counted: a cluster may have thousands of nodes."""


def show(found: PlannedWorld, key: AppKey) -> None:
    """Print the plan of an app, what else it could have, and what its limits cost."""
    others = alternatives(found.world.problem, found.plan, key, found.options)
    instead = [each for each in others if each.kind is Kind.INSTEAD]
    relaxed = [each for each in others if each.kind is Kind.RELAXED]
    parts: list[RenderableType] = [_plan(found, key), Text()]
    if instead:
        parts.append(_rows(found, key, "Instead", instead))
    if relaxed:
        parts.append(_rows(found, key, "If", relaxed))
    else:
        parts.append(Text("No limit of the app costs anything: giving one up would save nothing."))
    write(Group(*parts))


def _plan(found: PlannedWorld, key: AppKey) -> Text:
    name = Text("/".join(key), style="bold")
    plan, app = found.plan.app.get(key), found.world.problem.app[key]
    if plan is None:
        return Text.assemble(name, " has no plan: ", (found.why_not(key), "red"))
    power = found.power(plan)
    bound = gap(power, app.rate * plan.bound)
    return Text.assemble(
        name, f": {found.where(plan)}\n",
        f"{si(power, 'W')}, latency {seconds(found.latency(plan))} of {seconds(app.latency)}; ",
        f"no plan can save more than {percent(bound)}.",
    )  # fmt: skip


def _rows(found: PlannedWorld, key: AppKey, title: str, others: Iterable[Alternative]) -> Table:
    rows = table(title, ">Power", ">against it", ">Latency", "Where, or what is in the way")
    others = list(others)
    plan, rate = found.plan.app.get(key), found.world.problem.app[key].rate
    now = found.power(plan) if plan else 0.0
    for each in others[:_SHOWN]:
        if each.plan is None:
            rows.add_row(each.what, "-", "-", "-", Text(each.reason, style="red"))
            continue
        power = rate * each.energy
        change = f"{100 * (power / now - 1):+.1f} %" if now else "-"
        rows.add_row(
            each.what, si(power, "W"), change, seconds(each.latency), found.where(each.plan)
        )
    if len(others) > _SHOWN:
        rows.add_row(f"{len(others) - _SHOWN} more", "", "", "", "")
    return rows
