"""``fin explain``: why an app is where it is."""

from typing import Annotated

import typer

from fin.cli import parameters
from fin.cli.live.looking import in_namespace, look, namespace_option
from fin.planning.options import Options


def explain(
    app: Annotated[str, typer.Argument(metavar="APP", help="Name of an InferenceApp.")],
    namespace: Annotated[str | None, namespace_option()] = None,
    tolerance: Annotated[float, parameters.tolerance()] = 0.001,
    utilisation: Annotated[float, parameters.utilisation()] = 0.8,
    min_saving: Annotated[float, parameters.min_saving()] = 0.05,
) -> None:
    """Say why an app of the cluster has its plan.

    Plans the app anew as it could run otherwise, the other apps staying where they are: without
    each node that it uses, and whole on one node (of many, those of the least energy for an
    operation); what that would cost, or break. Then what its limits cost: what it could save if
    one were given up.

    Give the planner's options as the operator has them. Exit status: 0 where the app has a plan,
    3 where it has none, 2 where there is no such app or no cluster.
    """
    snapshot = look("fin explain")
    key = in_namespace(namespace), app

    # Not before there is something to explain: this takes a moment.
    from fin.cli import messages
    from fin.cli.live import explaining
    from fin.cli.live.planned import planned_world
    from fin.cli.problems import Fault, subject

    options = Options(tolerance=tolerance, min_saving=min_saving)
    found = planned_world(snapshot, utilisation, options)
    rejection = found.world.rejected.get(key)
    if rejection is not None:
        reason = f"{rejection.reason}: {rejection.message}"
        messages.error(Fault("", subject("InferenceApp", *key), "", reason))
        raise typer.Exit(messages.NOT_ALL_PLANNED)
    if key not in found.world.problem.app:
        reason = "there is none in the cluster; `fin top -A` lists them"
        messages.error(Fault("", subject("InferenceApp", *key), "", reason))
        raise typer.Exit(messages.BAD_INPUT)
    explaining.show(found, key)
    raise typer.Exit(messages.DONE if key in found.plan.app else messages.NOT_ALL_PLANNED)
