"""The work of ``fin compare``: read, plan by every solver, print and draw."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import typer

from fin.cli import messages
from fin.cli.comparison import Compared, Comparison, compared, to_json
from fin.cli.inputs import load
from fin.cli.outcome import Outcome, outcome
from fin.cli.problems import BadInput, Fault
from fin.cluster.settings import SegmentSettings
from fin.cluster.world import World
from fin.planning.options import Options
from fin.planning.solvers import SOLVERS, BrokenPlanError, make_plan

REFERENCE = "fin"
"""The solver that the others are compared with."""


def run(
    names: Sequence[str],
    *,
    options: Options,
    utilisation: float,
    output: Literal["table", "json"],
    picture: Path | None,
) -> int:
    """Compare the solvers on what is in the files.

    Returns
    -------
    The exit status.
    """
    try:
        found = load(names, utilisation)
    except BadInput as error:
        return messages.bad_input(error)
    for warning in messages.warnings(found):
        messages.warning(warning)
    results: list[Compared] = []
    for solver in (REFERENCE, *(name for name in SOLVERS if name != REFERENCE)):
        try:
            reference = results[0].outcome if results else None
            results.append(compared(*_timed(found.world, options, solver), reference))
        except BrokenPlanError as error:
            messages.broken_plan(solver, error)
            return messages.DEFECT
    comparison = Comparison(tuple(results))
    if output == "json":
        typer.echo(to_json(comparison))
    else:
        from fin.cli.comparison_table import show

        show(comparison)
    return _draw(comparison, picture) if picture is not None else messages.DONE


def _timed(world: World, options: Options, solver: str) -> tuple[Outcome, float]:
    """Plan, and tell how many seconds that took."""
    start = time.perf_counter()
    plan = make_plan(world.problem, options=options, solver=solver)
    seconds = time.perf_counter() - start
    return outcome(world, plan, SegmentSettings("fin-segment", allow_host_path=True)), seconds


def _draw(comparison: Comparison, file: Path) -> int:
    from fin.cli.drawing import save
    from fin.cli.picture import draw

    try:
        save(draw(comparison), file)
    except OSError as error:
        messages.error(Fault(str(file), "", "", f"can't be written: {error.strerror or error}"))
        return messages.BAD_INPUT
    return messages.DONE
