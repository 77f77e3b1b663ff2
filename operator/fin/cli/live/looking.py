"""What the commands for the live cluster share: reading it, and words where that fails."""

from typing import TYPE_CHECKING, Any

import typer

from fin.cli.needs import extra

if TYPE_CHECKING:
    from fin.cluster.snapshot import Snapshot


def namespace_option() -> Any:
    """Option: where the app is."""
    return typer.Option(
        "--namespace",
        "-n",
        metavar="NAMESPACE",
        help="Namespace of the app. Default: that of the kubeconfig's current context.",
    )


def look(command: str) -> "Snapshot":
    """Read the cluster of KUBECONFIG; end the program with words where that fails."""
    with extra("operator", command):
        from fin.controller import viewing
        from fin.controller.connection import NoClusterError
        from fin.controller.kube import ApiError
        from fin.controller.snapshots import UnknownKindError
    from fin.cli import messages
    from fin.cli.problems import Fault

    try:
        return viewing.view()
    except (NoClusterError, ApiError, UnknownKindError) as error:
        messages.error(Fault("", "", "", str(error)))
        raise typer.Exit(messages.BAD_INPUT) from None


def in_namespace(named: str | None) -> str:
    """Return the namespace that is asked for: after ``look`` only, which needs the extra."""
    if named is not None:
        return named
    from fin.controller.viewing import current_namespace

    return current_namespace()
