"""Errors and warnings on standard error, and the exit status that goes with them."""

from collections.abc import Iterator

import typer

from fin.cli.inputs import Input
from fin.cli.problems import BadInput, Fault, subject

DONE, DEFECT, BAD_INPUT, NOT_ALL_PLANNED = 0, 1, 2, 3


def error(fault: Fault) -> None:
    """Say what is wrong."""
    _say("error", "red", fault)


def warning(fault: Fault) -> None:
    """Say what may be wrong."""
    _say("warning", "yellow", fault)


def broken_plan(solver: str, reason: object) -> None:
    """Say that a solver has a defect."""
    said = f"its plan breaks a constraint, so it is not shown: {reason}. Please report this"
    error(Fault("", f"solver {solver}", "", said))


def bad_input(fault: BadInput) -> int:
    """Say everything that is wrong with the input; return the exit status."""
    for each in fault.faults:
        error(each)
    return BAD_INPUT


def warnings(found: Input) -> Iterator[Fault]:
    """What of the input counts less than its author may think."""
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
