"""Where the tests run: on the testbed's nodes, or on those of a cluster that its user names."""

import json
import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from kubernetes.client import ApiClient, Configuration
from kubernetes.config import load_kube_config
from kubernetes.utils.quantity import parse_quantity

from fin.api.names import GROUP, LABEL_FLOPS, LABEL_GFLOPS_PER_WATT, LABEL_TIER
from testbed import commands
from testbed.binaries import ensure
from testbed.nodes.cluster import Cluster
from testbed.nodes.sample import NODES
from tests.e2e.inside import Inside
from tests.helpers.api import Object, condition

ROOT = Path(__file__).parents[2]
_LABELS = (LABEL_TIER, LABEL_FLOPS, LABEL_GFLOPS_PER_WATT)
_FLOPS_PER_CORE = 100e6
"""Of the testbed's nodes: what a core does of so small a network."""


class Site(ABC):
    """A cluster with a camera, a gateway and a server.

    The tests call them camera-0, gateway-0 and server-0, as examples/networks/digit-reader.yaml
    does.
    """

    nodes: Mapping[str, str]
    """What the cluster calls them."""
    values: Sequence[str] = ()
    """What helm is to set, of the form KEY=VALUE."""

    def named(self, text: str) -> str:
        """Put the cluster's names of the nodes into a text that has the tests'."""
        for role, node in self.nodes.items():
            text = text.replace(role, node)
        return text

    def role(self, node: str) -> str:
        """Return what the tests call a node of the cluster."""
        return {theirs: ours for ours, theirs in self.nodes.items()}.get(node, node)

    @abstractmethod
    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an administrator."""

    @abstractmethod
    def helm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run helm as an administrator."""

    @abstractmethod
    def make_client(self) -> ApiClient:
        """Make a client of the API, as an administrator."""

    @abstractmethod
    def python(self, node: str, *arguments: str) -> subprocess.Popen[str]:
        """Start Python in the network of a node; its directory is like this project's root."""


class OwnSite(Site):
    """The testbed, which can do more: cut power, slow links, count bytes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.nodes = {spec.name: spec.name for spec in NODES}

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002
        check: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as an administrator."""
        run = self.cluster.control_plane.kubectl
        return run(*arguments, input=input, check=check, timeout=timeout)

    def helm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run helm as an administrator."""
        return self.cluster.control_plane.helm(*arguments)

    def make_client(self) -> ApiClient:
        """Make a client of the API, as an administrator."""
        return self.cluster.control_plane.make_client()

    def python(self, node: str, *arguments: str) -> subprocess.Popen[str]:
        """Start this Python in the network of a node, beside all that limits its pods."""
        namespace = self.cluster.nodes[node].network.namespace
        return subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


class GivenSite(Site):
    """Any cluster with three nodes for pods, such as kind's.

    These have the labels of a camera, a gateway and a server while the tests run, and in the end
    what they had before. Clients are pods.

    Parameters
    ----------
    kubeconfig
        An administrator's, as in the variable KUBECONFIG.
    values
        What helm is to set, of the form KEY=VALUE.

    Raises
    ------
    AssertionError
        The cluster has too few nodes, or fin-operator's kinds: what is of them would be deleted.
    """

    def __init__(self, kubeconfig: str, values: Sequence[str]) -> None:
        self._kubeconfig, self.values = Path(kubeconfig), values
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._programs = ensure(("kubectl", "helm"))
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            chosen = self._choose()
            self.nodes = {role: node["metadata"]["name"] for role, node in chosen.items()}
            for spec in NODES:
                node = chosen[spec.name]
                cores = float(parse_quantity(node["status"]["allocatable"]["cpu"]))
                labels = {**spec.labels, LABEL_FLOPS: f"{_FLOPS_PER_CORE * cores:.0f}"}
                stack.callback(self._label, node, node["metadata"]["labels"])
                self._label(node, labels)
            self._inside = Inside(
                self.kubectl, self._programs["kubectl"].path, self._environment, self._directory
            )
            stack.callback(self._inside.close)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    def kubectl(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002
        check: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the kubeconfig's user."""
        return self._run("kubectl", arguments, input, check=check, timeout=timeout)

    def helm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run helm as the kubeconfig's user."""
        return self._run("helm", arguments, None, check=True, timeout=180)

    def make_client(self) -> ApiClient:
        """Make a client of the API, as the kubeconfig's user."""
        configuration = Configuration()
        load_kube_config(str(self._kubeconfig), client_configuration=configuration)
        return ApiClient(configuration)

    def python(self, node: str, *arguments: str) -> subprocess.Popen[str]:
        """Start Python in a pod on a node."""
        return self._inside.start(node, arguments)

    def _choose(self) -> dict[str, Object]:
        kinds = self.kubectl("get", "crd", "-o", "name").stdout
        assert GROUP not in kinds, (
            "the cluster has fin-operator's kinds, and these tests delete them with all that is "
            "of them: use a cluster of its own"
        )
        told = json.loads(self.kubectl("get", "nodes", "-o", "json").stdout)
        found = [node for node in told["items"] if _takes_pods(node)]
        assert len(found) >= len(NODES), (
            f"these tests need {len(NODES)} nodes that are Ready and have no taint; there are "
            f"{len(found)}"
        )
        return {spec.name: node for spec, node in zip(NODES, found, strict=False)}

    def _label(self, node: Object, labels: Mapping[str, str]) -> None:
        patch = {"metadata": {"labels": {each: labels.get(each) for each in _LABELS}}}
        self.kubectl("patch", "node", node["metadata"]["name"], f"--patch={json.dumps(patch)}")

    @property
    def _environment(self) -> dict[str, str]:
        return commands.environment(self._kubeconfig, self._directory)

    def _run(
        self,
        program: str,
        arguments: Sequence[str],
        stdin: str | None,
        *,
        check: bool,
        timeout: float,
    ) -> subprocess.CompletedProcess[str]:
        return commands.run(
            [str(self._programs[program].path), *arguments],
            kubeconfig=self._kubeconfig,
            directory=self._directory,
            stdin=stdin,
            check=check,
            timeout=timeout,
        )


def _takes_pods(node: Object) -> bool:
    is_ready = condition(node, "Ready").get("status") == "True"
    return is_ready and not node["spec"].get("taints")
