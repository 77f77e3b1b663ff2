"""The work of ``fin plan``: read, plan, print."""

from collections.abc import Sequence
from typing import Literal

import typer

from fin.cli import messages
from fin.cli.inputs import load
from fin.cli.outcome import outcome
from fin.cli.problems import BadInput, Fault, subject
from fin.cli.report import to_json, to_yaml
from fin.cluster.render import objects_for_plan
from fin.cluster.settings import SegmentSettings
from fin.planning.options import Options
from fin.planning.solvers import BrokenPlanError, make_plan


def run(
    names: Sequence[str],
    *,
    solver: str,
    options: Options,
    utilisation: float,
    segment_image: str,
    output: Literal["table", "json", "yaml"],
) -> int:
    """Plan what is in the files and print it.

    Returns
    -------
    The exit status.
    """
    try:
        found = load(names, utilisation)
    except BadInput as error:
        for fault in error.faults:
            messages.error(fault)
        return messages.BAD_INPUT
    for warning in messages.warnings(found):
        messages.warning(warning)
    try:
        plan = make_plan(found.world.problem, options=options, solver=solver)
    except BrokenPlanError as error:
        messages.broken_plan(solver, error)
        return messages.DEFECT
    settings = SegmentSettings(segment_image, allow_host_path=True)
    result = outcome(found.world, plan, settings)
    if output == "json":
        typer.echo(to_json(result))
    elif output == "yaml":
        typer.echo(to_yaml(objects_for_plan(found.world, plan, settings)), nl=False)
        for app in result.refused:
            place = found.place("InferenceApp", *app.key)
            named = subject("InferenceApp", *app.key)
            messages.warning(Fault(place, named, "", f"{app.reason}: {app.message}"))
    else:
        from fin.cli.table import show

        show(result)
    return messages.NOT_ALL_PLANNED if result.refused else messages.DONE
