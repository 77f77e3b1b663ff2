"""The work of ``fin plan``: read, plan, print."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import typer

from fin.cli import messages
from fin.cli.inputs import Input, load
from fin.cli.outcome import outcome
from fin.cli.problems import BadInput, Fault, subject
from fin.cli.report import to_json, to_yaml
from fin.cli.running import Read, Staying, read, staying
from fin.cluster.render import objects_for_plan
from fin.cluster.settings import SegmentSettings
from fin.planning.evaluation import evaluate
from fin.planning.options import Options
from fin.planning.plan import Plan
from fin.planning.solvers import BrokenPlanError, make_plan


def run(
    names: Sequence[str],
    *,
    solver: str,
    options: Options,
    utilisation: float,
    segment_image: str,
    output: Literal["table", "json", "yaml"],
    running: str | None = None,
) -> int:
    """Plan what is in the files and print it.

    Returns
    -------
    The exit status.
    """
    try:
        found = load(names, utilisation)
        runs = Read((), ()) if running is None else read(running, found.world)
    except BadInput as error:
        return messages.bad_input(error)
    for warning in (*messages.warnings(found), *runs.warnings):
        messages.warning(warning)
    settings = SegmentSettings(segment_image, allow_host_path=True)
    try:
        plan = make_plan(found.world.problem, runs.running, options, solver)
        result = outcome(found.world, plan, settings)
        if running is not None:
            best = make_plan(found.world.problem, options=options, solver=solver)
            result = replace(result, staying=_staying(found, runs, plan, best, result.power))
    except BrokenPlanError as error:
        messages.broken_plan(solver, error)
        return messages.DEFECT
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


def _staying(found: Input, runs: Read, plan: Plan, best: Plan, power: float) -> Staying:
    """What it costs to leave in place what runs, against the plan if nothing ran."""
    problem = found.world.problem
    alike = frozenset(plan.app) == frozenset(best.app)
    watts = sum(
        problem.app[key].rate * evaluate(problem, problem.app[key], each.placement).energy
        for key, each in best.app.items()
    )
    return staying(runs.running, plan.app, power, watts if alike else None)
