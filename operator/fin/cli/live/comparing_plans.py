"""What ``fin whatif`` prints: each app now and then."""

from rich.console import Group
from rich.text import Text

from fin.cli import messages
from fin.cli.console import short_names, table, write
from fin.cli.live.planned import PlannedWorld
from fin.cli.units import seconds, si
from fin.planning.problem import AppKey


def show(now: PlannedWorld, then: PlannedWorld) -> int:
    """Print what changes for each app; return the exit status."""
    keys = sorted({*_apps(now), *_apps(then)})
    names = short_names(keys)
    rows = table("App", ">Power now", ">then", ">Latency now", ">then", "Change")
    for key in keys:
        rows.add_row(
            Text(names[key], style="bold"), *_figures(now, then, key), _change(now, then, key)
        )
    before, after = _total(now), _total(then)
    summary = (
        f"Total power {si(before, 'W')} now, {si(after, 'W')} then ({_against(after, before)})."
    )
    write(Group(rows, Text(summary)))
    broken = any(key not in then.plan.app for key in _apps(then))
    return messages.NOT_ALL_PLANNED if broken else messages.DONE


def _apps(found: PlannedWorld) -> set[AppKey]:
    return {*found.plan.app, *found.plan.refusal, *found.world.rejected}


def _figures(now: PlannedWorld, then: PlannedWorld, key: AppKey) -> list[str]:
    cells = []
    for figure in ("power", "latency"):
        for found in (now, then):
            plan = found.plan.app.get(key)
            if plan is None:
                cells.append("-")
            elif figure == "power":
                cells.append(si(found.power(plan), "W"))
            else:
                cells.append(seconds(found.latency(plan)))
    return cells


def _change(now: PlannedWorld, then: PlannedWorld, key: AppKey) -> Text:
    before, after = now.plan.app.get(key), then.plan.app.get(key)
    if key not in _apps(then):
        return Text("gone", style="yellow")
    if after is None:
        return Text(f"no plan: {then.why_not(key)}", style="red")
    if before is None:
        return Text(f"placed: {then.where(after)}", style="green")
    if before.placement != after.placement:
        return Text(f"moves: {now.where(before)} -> {then.where(after)}", style="yellow")
    if before.millicores != after.millicores:
        reserved = ", ".join(f"{value}m on {node}" for node, value in after.millicores)
        return Text(f"reserves {reserved}", style="yellow")
    return Text("as it is")


def _total(found: PlannedWorld) -> float:
    return sum(found.power(plan) for plan in found.plan.apps)


def _against(after: float, before: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %" if before else "nothing ran"
