"""A seeded convolutional network that takes about so many milliseconds on one CPU."""

import statistics
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]

CHANNELS, SIZE, CLASSES = 32, 32, 10
SHAPE = (1, 3, SIZE, SIZE)
"""One sample: as those of CIFAR."""

_LAYERS = 64
_TIMED = 30


def sample() -> Floats:
    """One sample, batch of one."""
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def write(file: Path, milliseconds: float) -> float:
    """Write a network that takes about so long; returns how long it takes, milliseconds."""
    _save(file, _LAYERS)
    layers = max(1, round(_LAYERS * milliseconds / _measure(file)))
    _save(file, layers)
    return _measure(file)


def session(file: Path) -> onnxruntime.InferenceSession:
    """A session as a segment has it, with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _measure(file: Path) -> float:
    model, given = session(file), {"x": sample()}
    seconds = []
    for _ in range(_TIMED):
        start = time.perf_counter()
        model.run(None, given)
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def _save(file: Path, layers: int) -> None:
    random = np.random.default_rng(1)
    nodes, constants, current, channels = [], [], "x", SHAPE[1]
    for number in range(layers):
        scale = (9 * channels) ** -0.5
        weights = random.normal(size=(CHANNELS, channels, 3, 3), scale=scale)
        constants.append(numpy_helper.from_array(weights.astype(np.float32), f"w{number}"))
        nodes += [
            helper.make_node("Conv", [current, f"w{number}"], [f"c{number}"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"c{number}"], [f"r{number}"]),
        ]
        current, channels = f"r{number}", CHANNELS
    head = random.normal(size=(CHANNELS, CLASSES)).astype(np.float32)
    constants.append(numpy_helper.from_array(head, "head"))
    nodes += [
        helper.make_node("GlobalAveragePool", [current], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["logits"]),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *SHAPE[1:]])
    told = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", CLASSES])
    graph = helper.make_graph(nodes, "network", [given], [told], constants)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), file)
