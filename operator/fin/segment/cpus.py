"""How many CPUs this process may use."""

import os
from pathlib import Path
from typing import Final

_CGROUP: Final = Path("/sys/fs/cgroup")


def threads() -> int:
    """Return the number of threads that fit the CPU limit: its whole CPUs, and at least one.

    One more would have the kernel stop all of them for a part of each period.
    """
    limits = [float(len(os.sched_getaffinity(0))), *_quota(_CGROUP)]
    return max(1, int(min(limits)))


def _quota(cgroup: Path) -> list[float]:
    """Return the CPUs that the control group allows, if it says so (version 2, else 1)."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        except OSError:
            return []
    try:
        cpus = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return []
    return [cpus] if cpus > 0 else []
