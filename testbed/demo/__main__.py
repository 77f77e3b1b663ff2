"""Command line of the demonstration."""

import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from kubernetes.client import ApiException

from testbed.binaries import ensure
from testbed.controlplane import ControlPlane
from testbed.demo.operator import Operator
from testbed.demo.stage import Stage
from testbed.demo.steps import KUBELET, NODE, Demo
from testbed.errors import TestbedError
from testbed.progress import Reporter
from testbed.versions import BINARIES

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_FAILURES = (TestbedError, ApiException, OSError, subprocess.SubprocessError)


@app.command()
def demo(
    examples: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Directory of what is applied.")
    ] = Path("examples"),
) -> None:
    """Show fin-operator on a real control plane on this machine, and leave nothing behind.

    On a terminal it stays up at the end until Ctrl-C. The status is 0 where every step did what
    it claims.
    """
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    stage = Stage()
    try:
        ensure(reporter=Reporter())
        _play(stage, examples)
    except _FAILURES as error:
        stage.fail(error, log="")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        stage.say("\nInterrupted. Nothing of it is left.")
        raise typer.Exit(130) from None


def _play(stage: Stage, examples: Path) -> None:
    with ExitStack() as stack:
        with stage.step("Start a Kubernetes control plane on this machine"):
            cluster = stack.enter_context(ControlPlane(fast_node_loss=True))
            version = BINARIES["kube-apiserver"].version
            stage.say(f"API server {version}, scheduler, controllers, etcd and kwok: {cluster.url}")
        scenes = Demo(stage, cluster, examples)
        try:
            operator = scenes.run()
            done = f"Every step did what it says, in {stage.seconds:.0f} s."
            stage.say(f"\n{done}", style="bold green")
            if sys.stdin.isatty() and sys.stdout.isatty():
                _stay_up(stage, cluster, operator, scenes.model_url)
        except _FAILURES as error:
            stage.fail(error, scenes.log_tail)
            raise typer.Exit(1) from None
    stage.say("\nNothing of it is left.")


def _stay_up(stage: Stage, cluster: ControlPlane, operator: Operator, model_url: str) -> None:
    """Let the user look around until Ctrl-C."""
    stage.say("\nIt stays up until Ctrl-C. In another terminal:", style="bold")
    for line in (
        f"export KUBECONFIG={cluster.kubeconfig}",
        f"export PATH={cluster.kubectl_path.parent}:$PATH",
        "kubectl get iapp -o wide",
        "kubectl describe iapp gate-camera",
        "kubectl delete deployment -l finoperator.io/app=gate-camera   # it comes back",
        f"kubectl label node {NODE} {KUBELET}   # the node is back",
        "kubectl patch iapp drone-pilot --type=merge "
        """-p '{"spec":{"latency":{"target":"200ms"},"rate":5}}'   # can be met""",
        f"curl -s {operator.metrics_url} | grep ^fin_",
        f"curl -s {model_url}   # the segments are still there too",
    ):
        stage.print_to_copy(line)
    try:
        while True:
            time.sleep(1)
            operator.check_running()
    except KeyboardInterrupt:
        return


def _end(signum: int, _frame: FrameType | None) -> NoReturn:
    """End as after Ctrl-C: children first."""
    sys.exit(128 + signum)


if __name__ == "__main__":
    app(prog_name="python -m testbed.demo")
