"""Power of the processor by RAPL, the energy counters that Linux shows of Intel's and AMD's."""

from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/class/powercap")
_COUNTED = ("package", "dram")
"""Zones that don't count each other's energy; a package has its cores', psys has everything."""


class Counters:
    """Energy counters of this machine, read when they are made."""

    def __init__(self, root: Path = _ROOT) -> None:
        """Read the counters below a directory; there are none where it can't be read."""
        self._zones = list(_zones(root))
        self._before = [_number(zone / "energy_uj") for zone in self._zones]

    @property
    def readable(self) -> bool:
        """Whether there is any, and all of them can be read; often only root can."""
        return bool(self._zones) and None not in self._before

    def joules(self) -> float | None:
        """Return the energy since the counters were made; None where that can't be read.

        A counter that began anew once meanwhile is understood.
        """
        total = 0
        for zone, before in zip(self._zones, self._before, strict=True):
            now = _number(zone / "energy_uj")
            if now is None or before is None:
                return None
            if now < before:
                now += _number(zone / "max_energy_range_uj") or 0
            total += now - before
        return total * 1e-6 if self._zones else None


def _zones(root: Path) -> Iterator[Path]:
    try:
        zones = sorted(root.glob("intel-rapl:*"))
    except OSError:
        return
    for zone in zones:
        if _text(zone / "name").startswith(_COUNTED):
            yield zone


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
