"""Small early-exit networks as ONNX blocks, and what they must answer, by NumPy alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fin.segment.exits import ExitRule

Floats = NDArray[np.float32]

CLASSES = 4
WIDTH = 6


@dataclass(frozen=True)
class Layer:
    """A block: ``relu(x @ weights)``; its exit, if any, ``relu(x @ weights) @ head``."""

    name: str
    weights: Floats
    head: Floats | None
    rule: ExitRule = field(default_factory=ExitRule)


@dataclass(frozen=True)
class Network:
    """A chain of layers; the last has an exit."""

    layers: tuple[Layer, ...]

    def answer(self, batch: Floats) -> tuple[Floats, list[str]]:
        """Return the logits and the exit of each sample, one sample at a time."""
        logits, exits = zip(*(self._sample(sample[None]) for sample in batch), strict=True)
        return np.concatenate(logits), list(exits)

    def _sample(self, current: Floats) -> tuple[Floats, str]:
        for layer in self.layers:
            current = np.maximum(current @ layer.weights, 0)
            if layer.head is not None:
                logits = current @ layer.head
                if layer is self.layers[-1] or layer.rule.leaves(logits)[0]:
                    return logits, f"exit-{layer.name}"
        raise AssertionError("the last layer has no exit")

    def write(self, directory: Path) -> Path:
        """Write an ONNX file for each block."""
        directory.mkdir(parents=True, exist_ok=True)
        for position, layer in enumerate(self.layers):
            last = position == len(self.layers) - 1
            onnx.save(block(layer.weights, layer.head, last), directory / f"{layer.name}.onnx")
        return directory

    def batch(self, count: int, seed: int = 0) -> Floats:
        """Return samples."""
        random = np.random.default_rng(seed)
        return random.normal(size=(count, WIDTH)).astype(np.float32)


def network(exits: Sequence[ExitRule | None], seed: int = 0) -> Network:
    """Return a network with one block for each entry, with an exit where there is a rule."""
    random = np.random.default_rng(seed)

    def weights(columns: int) -> Floats:
        return random.normal(size=(WIDTH, columns), scale=0.9).astype(np.float32)

    return Network(
        tuple(
            Layer(
                f"block{position}",
                weights(WIDTH),
                None if rule is None else weights(CLASSES),
                rule or ExitRule(),
            )
            for position, rule in enumerate(exits)
        )
    )


def block(weights: Floats, head: Floats | None, last: bool = False) -> Any:
    """Return an ONNX model of a block."""
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["product"]),
        helper.make_node("Relu", ["product"], ["features"]),
    ]
    constants = [numpy_helper.from_array(weights, "weights")]
    outputs = [] if last else [_tensor("features", weights.shape[1])]
    if head is not None:
        nodes.append(helper.make_node("MatMul", ["features", "head"], ["logits"]))
        constants.append(numpy_helper.from_array(head, "head"))
        outputs.append(_tensor("logits", head.shape[1]))
    graph = helper.make_graph(nodes, "block", [_tensor("x", weights.shape[0])], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def _tensor(name: str, size: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
