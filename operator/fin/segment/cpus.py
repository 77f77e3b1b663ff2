"""The CPUs that this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path


def threads(root: Path = Path("/")) -> int:
    """Return the number of threads that fit the CPU limit: its whole CPUs, and at least one.

    One more would have the kernel stop all of them for a part of each period.

    Parameters
    ----------
    root
        As for ``limit``.
    """
    return max(1, int(limit(root)))


def limit(root: Path = Path("/")) -> float:
    """Return how many CPUs this process may use: by affinity and by the quotas of its cgroups.

    Parameters
    ----------
    root
        Where ``/proc`` and ``/sys`` are.
    """
    return min([float(len(os.sched_getaffinity(0))), *_quotas(root)])


def _quotas(root: Path) -> Iterator[float]:
    """Quotas of the process's cgroup and of those around it, of versions 2 and 1."""
    for group in _groups(root):
        quota, _, period = _text(group / "cpu.max").strip().partition(" ")
        if not quota:
            quota = _text(group / "cpu.cfs_quota_us").strip()
            period = _text(group / "cpu.cfs_period_us").strip()
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)


def _groups(root: Path) -> Iterator[Path]:
    """Directories of cgroups: their tops, which may be all that a container sees, and below."""
    second = root / "sys/fs/cgroup"
    first = second / "cpu"  # version 1 has a tree for each resource
    yield from (second, first)
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, resources, path = line.split(":", 2)
        if resources and "cpu" not in resources.split(","):
            continue
        top = first if resources else second
        group = top / path.strip("/")
        yield from (each for each in (group, *group.parents) if each.is_relative_to(top))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
