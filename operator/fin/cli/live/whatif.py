"""``fin whatif``: what a change would do."""

from typing import Annotated

import typer

from fin.cli import parameters
from fin.cli.live.looking import in_namespace, look
from fin.planning.options import Options


def whatif(
    filename: Annotated[list[str] | None, parameters.filename()] = None,
    delete: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND/NAME",
            help="Object that would be gone, such as node/edge-0 or inferenceapp/camera; "
            "in another namespace: inferenceapp/NAMESPACE/NAME. May be given several times.",
        ),
    ] = None,
    tolerance: Annotated[float, parameters.tolerance()] = 0.001,
    utilisation: Annotated[float, parameters.utilisation()] = 0.8,
    min_saving: Annotated[float, parameters.min_saving()] = 0.05,
) -> None:
    """Plan a change on what the cluster holds, without touching it.

    Reads DNNModel, InferenceApp, NetworkTopology, Node and Pod objects, as `kubectl apply` would
    take them: what a file says of an object that is there already replaces its spec, and adds to
    its labels and annotations. Then it plans as the operator would, and tells for each app what
    would change.

    Give the planner's options as the operator has them. Exit status: 0 where every app that has
    a plan keeps one and the new ones get one, 3 where one has none, 2 for bad input.
    """
    if not filename and not delete:
        raise typer.BadParameter("name a file, or what would be deleted", param_hint="-f, --delete")
    snapshot = look("fin whatif")
    here = in_namespace(None)

    # Not before there is something to plan: this takes a moment.
    from fin.cli import messages
    from fin.cli.live import changed, comparing_plans
    from fin.cli.live.planned import planned_world
    from fin.cli.problems import BadInput

    options = Options(tolerance=tolerance, min_saving=min_saving)
    try:
        then = changed.changed(snapshot, filename or (), delete or (), here)
    except BadInput as error:
        raise typer.Exit(messages.bad_input(error)) from None
    before = planned_world(snapshot, utilisation, options)
    after = planned_world(then, utilisation, options)
    raise typer.Exit(comparing_plans.show(before, after))
