"""The operator as a process of its own, with the rights that the chart gives and no more."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from testbed.components import ADDRESS
from testbed.controlplane import ControlPlane
from testbed.demo.metrics import answers
from testbed.demo.stage import DemoError, Stage
from testbed.ports import free_ports
from testbed.versions import BINARIES

CHART = "helm/fin-operator"
NAMESPACE = "fin-system"
RELEASE = "fin-operator"
IMAGE = "fin-segment:0.1.0"

_FIN = Path(sys.executable).with_name("fin")
_PROCESS = "fin"
_PARTS = ("crds", "serviceaccount", "rbac")


def chart_parts(cluster: ControlPlane) -> str:
    """Render the chart's CRDs, ServiceAccount and roles: the one source of the operator's rights.

    Its Deployment is left out: on nodes that kwok plays no container would run.
    """
    shown = [f"--show-only=templates/{part}.yaml" for part in _PARTS]
    version = f"--kube-version={BINARIES['kube-apiserver'].version}"
    return cluster.helm("template", RELEASE, CHART, "-n", NAMESPACE, version, *shown).stdout


def plan_of_files(directory: Path) -> Mapping[tuple[str, str], bool]:
    """Ask `fin plan` which apps of a directory are feasible.

    Raises
    ------
    DemoError
        It can't read the files.
    """
    argv = [str(_FIN), "plan", "-f", str(directory), "-o", "json"]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode not in (0, 3):
        raise DemoError(f"`fin plan -f {directory}` can't read it:\n{result.stderr.strip()}")
    apps = json.loads(result.stdout)["apps"]
    return {(app["namespace"], app["name"]): app["feasible"] for app in apps}


class Operator:
    """`fin run`, as a ServiceAccount."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._cluster = cluster
        self._kubeconfig = cluster.kubeconfig_for_service_account(NAMESPACE, RELEASE)
        metrics, health = (f"{ADDRESS}:{port}" for port in free_ports(ADDRESS, 2))
        self.argv = [
            *("fin", "run", f"--segment-image={IMAGE}", f"--lease-namespace={NAMESPACE}"),
            *(f"--metrics-address={metrics}", f"--health-address={health}"),
            "--observe-every=24h",  # nobody answers at the addresses that kwok gives to pods
        ]
        self.metrics_url = f"http://{metrics}/metrics"
        self._ready_url = f"http://{health}/readyz"

    def start(self, stage: Stage) -> None:
        """Start it and wait until it is ready."""
        env = {**os.environ, "KUBECONFIG": str(self._kubeconfig)}
        self._cluster.processes.start(_PROCESS, [str(_FIN), *self.argv[1:]], env)
        stage.until(
            lambda: answers(self._ready_url), 30, "the operator to be ready", self.check_running
        )

    def who(self) -> str:
        """Ask the API server whom it takes the operator for."""
        argv = ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
        return self._cluster.kubectl(*argv, kubeconfig=self._kubeconfig).stdout

    def check_running(self) -> None:
        """Make sure that it runs.

        Raises
        ------
        DemoError
            It has ended.
        """
        status = self._cluster.processes.status(_PROCESS)
        if status is not None:
            raise DemoError(f"the operator has ended with status {status}")

    @property
    def log_tail(self) -> str:
        """The last lines of its log."""
        return self._cluster.processes.log_tail(_PROCESS)
