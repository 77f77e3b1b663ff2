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
    """Quotas of the process's cgroup and of those around it (version 2), or of version 1's."""
    groups = root / "sys/fs/cgroup"
    lines = _text(root / "proc/self/cgroup").splitlines()
    path = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), "")
    inner = groups / path
    for group in (inner, *inner.parents):
        quota, _, period = _text(group / "cpu.max").strip().partition(" ")
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)
        if group == groups:
            break
    quota = _text(groups / "cpu/cpu.cfs_quota_us").strip()
    period = _text(groups / "cpu/cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit():
        yield int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
