"""A network's profile for people: tables, and accuracy against work as a plot."""

import math
import shutil
import sys

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from uniplot import plot_to_string

from fin.cli.console import table, write
from fin.cli.units import percent, si, size
from fin.profiling.profile import Profile

_WIDTH, _HEIGHT = 60, 12
_CONFIDENCE = 1.96
"""Standard errors on each side of an interval that has the truth in it 19 times out of 20."""


def show(profile: Profile) -> None:
    """Print a profile."""
    parts: list[RenderableType] = [_blocks(profile), _exits(profile)]
    if len(profile.frontier) > 1:
        parts += [Text.from_ansi(_plot(profile)), Text()]
    write(Group(*parts, _summary(profile)))


def _blocks(profile: Profile) -> Table:
    rows = table("Block", ">FLOP", ">Parameters", ">Memory", ">Output", "Exit", ">FLOP", ">Memory")
    for block, cost in zip(profile.blocks, profile.costs, strict=True):
        leaving = ("", "", "")
        if cost.exit:
            leaving = (block.exit_name or "", si(cost.exit.flops, ""), size(cost.exit.memory))
        rows.add_row(
            Text(block.name, style="bold"),
            si(cost.block.flops, ""),
            size(cost.block.parameters),
            size(cost.block.memory),
            size(cost.output_bytes) if block.part.output else "",
            *leaving,
        )
    return rows


def _exits(profile: Profile) -> Table:
    rows = table("Exit", "Samples leave where", ">Leave", ">Accuracy if cut here", ">95 %")
    names = [block.exit_name for block in profile.blocks if block.exit_name]
    for name, leaving in zip(names, profile.exits, strict=True):
        rule = leaving.rule
        sign = ">=" if rule.criterion == "Confidence" else "<="
        never = "never" if name != names[-1] else "all that are left"
        rows.add_row(
            Text(name, style="bold"),
            never if rule.threshold is None else f"{rule.criterion} {sign} {rule.threshold:.6g}",
            percent(leaving.rate),
            percent(leaving.accuracy),
            _interval(leaving.accuracy, profile.samples),
        )
    return rows


def _interval(share: float, samples: int) -> str:
    """Wilson's interval of a share (E. B. Wilson, JASA 1927), which holds near 0 and 1 too."""
    z = _CONFIDENCE
    middle = share + z * z / (2 * samples)
    spread = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    scale = 1 + z * z / samples
    return f"{percent((middle - spread) / scale)} - {percent((middle + spread) / scale)}"


def _plot(profile: Profile) -> str:
    """Draw accuracy against expected work: what was found, and what was chosen."""
    most = max(point.work for point in profile.frontier)
    power = 10 ** (math.floor(math.log10(max(most, 1)) / 3) * 3)
    unit = si(power, "FLOP").removeprefix("1 ")
    colour = sys.stdout.isatty()
    drawn: str = plot_to_string(
        xs=[[point.work / power for point in profile.frontier], [profile.work / power]],
        ys=[
            [100 * point.correct / profile.samples for point in profile.frontier],
            [100 * profile.accuracy],
        ],
        title="Accuracy against expected work: + found, x chosen",
        x_unit=f" {unit}",
        y_unit=" %",
        width=min(_WIDTH, shutil.get_terminal_size().columns - 15),
        height=_HEIGHT,
        color=colour,
        character_set="ascii",
    )
    return drawn


def _summary(profile: Profile) -> Text:
    return Text.assemble(
        (f"{percent(profile.accuracy)} accurate", "bold green"),
        f" at {si(profile.work, 'FLOP')} expected, {percent(profile.work / profile.whole)} of "
        f"the {si(profile.whole, 'FLOP')} of the whole network. "
        f"{profile.samples} samples, which also chose the thresholds.",
    )
