"""``fin top``: every app with its watts, its latency, and where it runs."""

from typing import Annotated

import typer

from fin.cli.live.looking import in_namespace, look, namespace_option


def top(
    namespace: Annotated[str | None, namespace_option()] = None,
    everywhere: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Apps of all namespaces.")
    ] = False,
) -> None:
    """Show what the apps of the cluster use.

    Power is that of the plan, modelled, and as observed: with the requests and exits that there
    are. Latency is the plan's, as observed from the source on, and the target. The most power
    comes first.

    It uses the cluster of KUBECONFIG, as `kubectl` does: `kubectl fin top` is the same.
    """
    apps = look("fin top").apps
    there = None if everywhere else in_namespace(namespace)

    # Not before there is something to list: this takes a moment.
    from fin.cli.live.listing import show

    show(apps, there)
