"""The CPUs that this process may use, and work on some of them only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        top = root / "sys/fs/cgroup"
        if controllers:  # version 1: a tree for each
            if "cpu" not in controllers.split(","):
                continue
            top /= "cpu"
        group = top / path.strip("/")
        for each in (group, *group.parents):
            yield from _quota(each)
            if each == top:
                break


def _quota(group: Path) -> Iterator[float]:
    quota, _, period = _text(group / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _text(group / "cpu.cfs_quota_us").strip()
        period = _text(group / "cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit():
        yield int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


@contextmanager
def only(count: int) -> Iterator[None]:
    """Run on so many of the CPUs that this process may use, and threads that it starts too."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
