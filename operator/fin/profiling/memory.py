"""Peak memory of a network: measured in a process of its own, ``python -m fin.profiling.memory``.

Nothing else that this program does is in the measurement, and nothing of an earlier one.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fin.profiling.errors import ProfileError
from fin.profiling.runtime import Session

_RUNS = 3
"""Processes, and runs in each: allocators don't do the same each time, and a limit must hold."""


def parameters(model: onnx.ModelProto) -> int:
    """Return the bytes of a network's weights."""
    return sum(onnx.numpy_helper.to_array(each).nbytes for each in model.graph.initializer)


def peak(model: onnx.ModelProto, batch: NDArray[Any]) -> int:
    """Measure what loading and running a network adds to a process with ONNX Runtime.

    Parameters
    ----------
    model
        The network.
    batch
        What to run it on.

    Returns
    -------
    int
        Bytes: the most of several runs, and no less than the weights take.

    Raises
    ------
    ProfileError
        If the process fails, or this system doesn't tell a process's memory.
    """
    with tempfile.TemporaryDirectory() as directory:
        network, given = Path(directory, "network.onnx"), Path(directory, "batch.npy")
        onnx.save(model, network)
        np.save(given, batch)
        found = [_in_a_process(network, given) for _ in range(_RUNS)]
    return max(parameters(model), *found)


def _in_a_process(network: Path, given: Path) -> int:
    command = [sys.executable, "-m", __name__, str(network), str(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").rpartition("\n")[2]
        raise ProfileError(f"its memory can't be measured: {reason}")
    bytes_: int = json.loads(done.stdout)
    return bytes_


def _measure(network: Path, given: Path) -> int:
    Session(_identity()).run(np.zeros(1, np.float32))  # what the runtime itself takes, once
    batch = np.load(given)
    _forget_peak()
    before = _status("VmRSS")
    session = Session(network.read_bytes(), threads=1)
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


def _identity() -> bytes:
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    same = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "identity", [value], [same])
    model = onnx.helper.make_model(
        graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)]
    )
    content: bytes = model.SerializeToString()
    return content


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), Path(sys.argv[2]))))
