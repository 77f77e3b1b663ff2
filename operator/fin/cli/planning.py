"""The work of ``fin plan``: read, plan, print."""

from collections.abc import Iterator, Sequence
from typing import Literal

import typer

from fin.cli.inputs import Input, load
from fin.cli.outcome import outcome
from fin.cli.problems import BadInput, Fault, subject
from fin.cli.report import to_json, to_yaml
from fin.cluster.render import objects_for_plan
from fin.cluster.settings import SegmentSettings
from fin.planning.options import Options
from fin.planning.solvers import BrokenPlanError, make_plan

PLANNED, DEFECT, BAD_INPUT, NOT_ALL_PLANNED = 0, 1, 2, 3


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
            _say("error", "red", fault)
        return BAD_INPUT
    for warning in _warnings(found):
        _say("warning", "yellow", warning)
    try:
        plan = make_plan(found.world.problem, options=options, solver=solver)
    except BrokenPlanError as error:
        reason = f"its plan breaks a constraint, so it is not shown: {error}"
        _say("error", "red", Fault("", f"solver {solver}", "", f"{reason}. Please report this"))
        return DEFECT
    settings = SegmentSettings(segment_image, allow_host_path=True)
    result = outcome(found.world, plan, settings)
    if output == "json":
        typer.echo(to_json(result))
    elif output == "yaml":
        typer.echo(to_yaml(objects_for_plan(found.world, plan, settings)), nl=False)
        for app in result.refused:
            place = found.place("InferenceApp", *app.key)
            named = subject("InferenceApp", *app.key)
            _say("warning", "yellow", Fault(place, named, "", f"{app.reason}: {app.message}"))
    else:
        from fin.cli.table import show

        show(result)
    return NOT_ALL_PLANNED if result.refused else PLANNED


def _warnings(found: Input) -> Iterator[Fault]:
    """What counts less than its author may think."""
    world = found.world
    for finding in world.findings:
        identity = finding.kind, finding.namespace, finding.name
        yield Fault(found.place(*identity), subject(*identity), "", finding.message)
    for name, state in world.nodes.items():
        if state.tier is not None and not state.ready:
            identity = "Node", "", name
            reason = "it is not Ready, and takes no part"
            yield Fault(found.place(*identity), subject(*identity), "", reason)
    for key, model in world.models.items():
        artifact = model.spec.segment.artifact
        if artifact is not None and artifact.host_path is not None:
            identity = "DNNModel", *key
            yield Fault(
                found.place(*identity),
                subject(*identity),
                "spec.segment.artifact.hostPath",
                "the operator takes it only with --allow-host-path",
            )


def _say(word: str, colour: str, fault: Fault) -> None:
    typer.echo(f"{typer.style(f'{word}:', fg=colour, bold=True)} {fault}", err=True)
