"""A process that tells what a network adds to its memory: ``python -m fin.profiling.resident``.

It does nothing else, so that nothing else is in the measurement.
"""

import re
import sys
from pathlib import Path

import numpy as np

from fin.profiling.errors import ProfileError
from fin.profiling.runtime import Session

_RUNS = 3


def main(nothing: str, network: str, given: str) -> int:
    """Load and run a network, and return by how many bytes the peak is above what was there before.

    Parameters
    ----------
    nothing
        ONNX file that does nothing with one number: what it takes is the runtime's own.
    network
        ONNX file.
    given
        NumPy file with a batch for it.
    """
    Session(Path(nothing).read_bytes(), threads=1).run(np.zeros(1, np.float32))
    batch = np.load(given)
    _forget_peak()
    before = _status("VmRSS")
    session = Session(Path(network).read_bytes(), threads=1)
    for _ in range(_RUNS):
        session.run(batch)
    return max(0, _status("VmHWM") - before)


def _forget_peak() -> None:
    """Set the peak back to what is resident now; where that is refused, it may read too high."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _status(field: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    if found is None:
        raise ProfileError(f"this system does not tell {field} in /proc/self/status")
    return 1024 * int(found[1])


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
