"""One node: processes in namespaces and control groups of their own."""

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from testbed.nodes.files import NodeSize
from testbed.nodes.network import PREFIX, NodeNetwork, cut, mend
from testbed.process import ProcessGroup, wait_for

_INIT = Path(__file__).with_name("init.sh")
_GROUPS = Path("/sys/fs/cgroup")
_PERIOD = 100_000
"""Microseconds of a period of the CPU quota."""


class Node:
    """A node that can be switched on, and off like by a power cut; its disk stays.

    Parameters
    ----------
    network
        Its place in the network, which is there already.
    disk
        A directory with its configuration, and with all that its runtime and kubelet keep.
    size
        What it may use of this machine.
    processes
        Where its first process runs: it ends with everything else.
    programs
        Paths of `kubelet` and `kube-proxy`.
    """

    def __init__(
        self,
        network: NodeNetwork,
        disk: Path,
        size: NodeSize,
        processes: ProcessGroup,
        programs: Mapping[str, Path],
    ) -> None:
        self.network, self.disk, self.size = network, disk, size
        self._processes, self._programs = processes, programs

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return self.network.name

    def power_on(self) -> None:
        """Start it; it is Ready some seconds later."""
        groups = list(self._make_groups())
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "FIN_NODE": self.name,
            "FIN_ADDRESS": self.network.address,
            "FIN_CONTROLLERS": " ".join(group.parent.name for group in groups),
            "FIN_KUBELET": str(self._programs["kubelet"]),
            "FIN_KUBE_PROXY": str(self._programs["kube-proxy"]),
        }
        enter = "; ".join(f"echo $$ > {group}/cgroup.procs" for group in groups)
        namespaces = "--cgroup --mount --uts --pid --ipc --fork --kill-child --mount-proc"
        self._processes.start(
            self._process,
            [
                "sh", "-c",
                f"{enter}; exec nsenter --net=/run/netns/{self.network.namespace} "
                f"unshare {namespaces} sh {_INIT} {self.disk}",
            ],
            environment,
        )  # fmt: skip

    def power_cut(self) -> None:
        """End everything in it at once; what was on its disk stays."""
        self._processes.stop(self._process, signal.SIGKILL)
        wait_for(lambda: not any(map(_busy, self._groups())), 30, f"{self.name} to be off")
        self._remove_groups()

    def cut_cable(self) -> None:
        """Take it off the network, while all in it goes on."""
        cut(self.network)

    def mend_cable(self) -> None:
        """Put it back on the network."""
        mend(self.network)

    @property
    def _process(self) -> str:
        return f"node-{self.name}"

    def _groups(self) -> Iterable[Path]:
        for hierarchy in sorted(_GROUPS.iterdir()):
            if hierarchy.name != "unified" and (hierarchy / "cgroup.procs").exists():
                yield hierarchy / self.network.namespace

    def _make_groups(self) -> Iterable[Path]:
        for group in self._groups():
            group.mkdir(exist_ok=True)
            match group.parent.name:
                case "cpu":
                    quota = self.size.millicores * _PERIOD // 1000
                    (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
                    (group / "cpu.cfs_quota_us").write_text(str(quota))
                case "cpuset":
                    for each in ("cpuset.cpus", "cpuset.mems"):
                        (group / each).write_text((group.parent / each).read_text())
                case "memory":
                    (group / "memory.use_hierarchy").write_text("1")
            yield group

    def _remove_groups(self) -> None:
        for group in self._groups():
            remove_group(group)


def remove_groups_of_all() -> None:
    """Remove the control groups of all nodes that an earlier cluster left."""
    for hierarchy in _GROUPS.iterdir():
        for group in hierarchy.glob(f"{PREFIX}*"):
            remove_group(group)


def remove_group(group: Path) -> None:
    """Remove a control group with all below it; nothing runs in them."""
    for directory, _, _ in os.walk(group, topdown=False):
        Path(directory).rmdir()


def _busy(group: Path) -> bool:
    return any((Path(each) / "cgroup.procs").read_text() for each, _, _ in os.walk(group))


def machine_size() -> NodeSize:
    """What this machine has: its CPUs and its memory."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return NodeSize(1000 * (os.cpu_count() or 1), pages * page)


def unmount_below(directory: Path) -> None:
    """Unmount what a killed node left mounted below its disk, deepest first."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    below = [each for each in mounted if Path(each).is_relative_to(directory)]
    for each in sorted(below, reverse=True):
        subprocess.run(["umount", "--lazy", each], capture_output=True, check=False)
