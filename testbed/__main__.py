"""The command line of the testbed: `python -m testbed`."""

import sys
import time

import typer

from testbed.binaries import ensure
from testbed.controlplane import ControlPlane
from testbed.errors import TestbedError
from testbed.images import ensure_images
from testbed.nodes.cluster import check_machine
from testbed.nodes.sample import sample_cluster
from testbed.progress import Reporter

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@app.callback()
def testbed() -> None:
    """Run a real Kubernetes control plane on this machine, with nodes played by kwok."""


@app.command()
def binaries() -> None:
    """Find the programs of the testbed, or download or build them, and say where each is."""
    for program in ensure(reporter=Reporter()).values():
        print(f"{program.binary.name} ({program.origin}): {program.path}")


@app.command()
def images() -> None:
    """Build the images of the Dockerfile without a registry; say where and how large they are."""
    for image in ensure_images(reporter=Reporter()).values():
        print(f"{image.name} ({image.size / 1e6:.0f} MB): {image.archive}")


@app.command()
def up() -> None:
    """Start a control plane and keep it up until Ctrl-C; then nothing of it is left.

    A Node with the label testbed.finoperator.io/kubelet=kwok and a status.capacity becomes Ready,
    and pods on it run.
    """
    try:
        with ControlPlane(reporter=Reporter()) as control_plane:
            print(f"export KUBECONFIG={control_plane.kubeconfig}")
            print(f"export PATH={control_plane.kubectl_path.parent}:$PATH")
            print(
                f"API server at {control_plane.url}; Ctrl-C ends it.", file=sys.stderr, flush=True
            )
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)


@app.command()
def cluster() -> None:
    """Start a cluster with three real nodes and keep it up until Ctrl-C; then it is gone.

    Its nodes have the images of the Dockerfile: `helm install` works as in any cluster.
    """
    try:
        check_machine(Reporter())
        with sample_cluster(Reporter()) as started:
            control_plane = started.control_plane
            print(f"export KUBECONFIG={control_plane.kubeconfig}")
            print(f"export PATH={control_plane.kubectl_path.parent}:$PATH")
            names = ", ".join(started.nodes)
            print(f"nodes {names} are Ready; Ctrl-C ends it.", file=sys.stderr, flush=True)
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="python -m testbed")
    except TestbedError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
