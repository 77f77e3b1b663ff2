"""Memory of a network: its weights, and the peak while it is loaded and run."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from fin.profiling.errors import ProfileError

_PROCESSES = 3
"""Allocators don't do the same each time, and a limit must hold."""


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
        nothing, network = Path(directory, "nothing.onnx"), Path(directory, "network.onnx")
        given = Path(directory, "batch.npy")
        onnx.save(_identity(), nothing)
        onnx.save(model, network)
        np.save(given, batch)
        found = [_in_a_process(nothing, network, given) for _ in range(_PROCESSES)]
    return max(parameters(model), *found)


def _in_a_process(*files: Path) -> int:
    command = [sys.executable, "-m", "fin.profiling.resident", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or f"exit status {done.returncode}").rpartition("\n")[2]
        raise ProfileError(f"its memory can't be measured: {reason}")
    return int(done.stdout)


def _identity() -> onnx.ModelProto:
    given = onnx.helper.make_tensor_value_info("given", onnx.TensorProto.FLOAT, [1])
    same = onnx.helper.make_tensor_value_info("same", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["given"], ["same"])
    graph = onnx.helper.make_graph([node], "identity", [given], [same])
    return onnx.helper.make_model(
        graph, ir_version=10, opset_imports=[onnx.helper.make_opsetid("", 20)]
    )
