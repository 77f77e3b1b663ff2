"""A whole cluster with real nodes as a context manager."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed import cache
from testbed.binaries import ensure
from testbed.controlplane import ControlPlane
from testbed.errors import TestbedError
from testbed.nodes import dns, network
from testbed.nodes.files import NodeSize, write_files
from testbed.nodes.links import Links, ShapedLink
from testbed.nodes.network import GATEWAY, NodeNetwork
from testbed.nodes.node import Node, machine_size, remove_groups_of_all, unmount_below
from testbed.nodes.tools import tools_image
from testbed.packages import ensure_packages
from testbed.process import wait_for
from testbed.progress import Reporter
from testbed.versions import NODE_BINARIES

_PROGRAMS = (
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
)
_GROUPS_OF_VERSION_1 = Path("/sys/fs/cgroup/memory/cgroup.procs")
_READY_TIMEOUT = 120.0


@dataclass(frozen=True)
class NodeSpec:
    """A node to make: its name, what its pods may use, and its labels."""

    name: str
    size: NodeSize
    labels: Mapping[str, str] = field(default_factory=dict)


class Cluster:
    """A control plane, and nodes that really run what is scheduled to them.

    Only one at a time on a machine: another waits. What one leaves that was killed, the next one
    removes.

    Parameters
    ----------
    specs
        The nodes.
    images
        Archives of images, of docker's form, that every node has.
    reporter
        Is told what is missing and made.
    links
        Bandwidth and round-trip time between nodes; without any the network is as fast as this
        machine.

    Raises
    ------
    TestbedError
        On entering: this machine can't do it, or something did not start; the text says why.
    """

    control_plane: ControlPlane
    nodes: dict[str, Node]
    links: Links | None = None

    def __init__(
        self,
        specs: Sequence[NodeSpec],
        images: Sequence[Path] = (),
        reporter: Reporter | None = None,
        links: Sequence[ShapedLink] = (),
    ) -> None:
        self._shaped = tuple(links)
        self._specs, self._images = tuple(specs), tuple(images)
        self._reporter = reporter or Reporter()
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        check_machine(self._reporter)
        programs = ensure(NODE_BINARIES, reporter=self._reporter)
        tools = tools_image()
        with ExitStack() as stack:
            stack.enter_context(cache.only_one("nodes"))
            networks = [NodeNetwork(spec.name, each) for each, spec in enumerate(self._specs)]
            _clean_up()
            stack.callback(_clean_up)
            network.set_up(networks)
            self.control_plane = stack.enter_context(
                ControlPlane(
                    address=GATEWAY, kwok=False, fast_node_loss=True, reporter=self._reporter
                )
            )
            stack.callback(self._end_nodes)
            if self._shaped:
                self.links = Links(networks, self._shaped, self.control_plane.processes)
            self._bind_proxies()
            paths = {name: program.path for name, program in programs.items()}
            names = dns.command(
                paths["coredns"], self.control_plane.directory, self.control_plane.kubeconfig
            )
            self.control_plane.processes.start("coredns", names)
            self.nodes = {
                spec.name: self._make(spec, place, paths, (tools, *self._images))
                for spec, place in zip(self._specs, networks, strict=True)
            }
            for node in self.nodes.values():
                node.power_on()
            for spec in self._specs:
                self.await_ready(spec.name)
                labels = [f"{key}={value}" for key, value in spec.labels.items()]
                self.control_plane.kubectl("label", "node", spec.name, *labels)
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    def await_ready(self, name: str, *, ready: bool = True) -> None:
        """Wait until a node is Ready, or is not."""
        what = f"node {name} to be {'Ready' if ready else 'lost'}"
        wait_for(lambda: self._is_ready(name) == ready, _READY_TIMEOUT, what)

    def _is_ready(self, name: str) -> bool:
        told = self.control_plane.kubectl(
            "get", "node", name, "--ignore-not-found",
            "-o", 'jsonpath={.status.conditions[?(@.type=="Ready")].status}',
        )  # fmt: skip
        return told.stdout == "True"

    def _make(
        self,
        spec: NodeSpec,
        place: NodeNetwork,
        programs: Mapping[str, Path],
        images: Sequence[Path],
    ) -> Node:
        control_plane = self.control_plane
        disk = control_plane.directory / "nodes" / spec.name
        (disk / "images").mkdir(parents=True)
        for image in images:
            shutil.copy(image, disk / "images")
        write_files(disk, place, spec.size, machine_size(), control_plane.ca)
        identity = control_plane.kubeconfig_for_user(f"system:node:{spec.name}", ["system:nodes"])
        shutil.copy(identity, disk / "kubelet.kubeconfig")
        proxy = control_plane.kubeconfig_for_user("system:kube-proxy")
        shutil.copy(proxy, disk / "kube-proxy.kubeconfig")
        return Node(place, disk, spec.size, control_plane.processes, programs)

    def _bind_proxies(self) -> None:
        self.control_plane.kubectl(
            "create", "clusterrolebinding", "fin-kube-proxy", "--clusterrole=system:node-proxier",
            "--user=system:kube-proxy",
        )  # fmt: skip

    def _end_nodes(self) -> None:
        for node in getattr(self, "nodes", {}).values():
            node.power_cut()
        unmount_below(self.control_plane.directory)


def check_machine(reporter: Reporter) -> None:
    """Make sure that nodes can run here, and install what they need.

    Raises
    ------
    TestbedError
        They can't; the text says why.
    """
    if cache.operating_system() != "linux" or os.geteuid() != 0:
        raise TestbedError("real nodes need Linux and root; elsewhere use kind: kind-config.yaml")
    if not _GROUPS_OF_VERSION_1.exists():
        raise TestbedError(
            "real nodes need control groups of version 1, which this machine does not have; "
            "use kind instead: kind-config.yaml"
        )
    ensure_packages(_PROGRAMS, reporter)


def _clean_up() -> None:
    network.tear_down()
    remove_groups_of_all()
