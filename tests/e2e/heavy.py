"""A network whose blocks take several milliseconds of a core, so that little else counts.

Random convolutions; the exits' classifiers are fitted to samples that differ in colour. It is made
here because nothing of its size is small enough to be kept, and because a ConfigMap takes 1 MiB:
layers of a stage share their weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES, COUNT, SIZE = 4, 160, 112
STAGES = (("stage1", 64, 6), ("stage2", 96, 24))
"""Each stage's name, channels and layers after its first."""

Floats = NDArray[np.float32]


@dataclass
class _Graph:
    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def weight(self, name: str, values: NDArray[np.floating]) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def stage(self, name: str, given: str, channels: tuple[int, int], layers: int) -> str:
        """Convolutions of one shape with the same weights, then a quarter of the resolution."""
        first = self._kernel(f"{name}/first", channels)
        again = self._kernel(f"{name}/again", (channels[1], channels[1]))
        current = given
        for layer in range(layers + 1):
            at = f"{name}/{layer}"
            kernel = again if layer else first
            current = self.add("Conv", [current, kernel], f"{at}/conv", pads=[1, 1, 1, 1])
            current = self.add("Relu", [current], f"{at}/relu")
        return self.add("MaxPool", [current], name, kernel_shape=[4, 4], strides=[4, 4])

    def _kernel(self, name: str, channels: tuple[int, int]) -> str:
        given, made = channels
        spread = np.sqrt(2 / (9 * given))
        return self.weight(name, self.random.normal(size=(made, given, 3, 3), scale=spread))

    def exit(self, name: str, stage: str, head: NDArray[np.floating]) -> str:
        mean = self.add("ReduceMean", [stage], f"{name}/mean", axes=[2, 3], keepdims=0)
        weights = self.weight(f"{name}/head", head[:-1])
        scores = self.add("MatMul", [mean, weights], f"{name}/scores")
        return self.add("Add", [scores, self.weight(f"{name}/bias", head[-1])], name)

    def model(self, outputs: Sequence[str]) -> onnx.ModelProto:
        given = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "heavy", [given], made, self.weights)
        opset = [helper.make_opsetid("", 17)]
        return onnx.shape_inference.infer_shapes(
            helper.make_model(graph, opset_imports=opset, ir_version=9), data_prop=True
        )


def samples() -> tuple[Floats, NDArray[np.int64]]:
    """Images of a colour each, some so noisy that only later layers tell which."""
    random = np.random.default_rng(1)
    labels = random.integers(0, CLASSES, COUNT)
    colours = random.normal(size=(CLASSES, 3))
    noise = np.where(random.random(COUNT) < 0.5, 0.3, 5.0)
    shade = colours[labels] + random.normal(size=(COUNT, 3)) * noise[:, None] * 0.2
    images = shade[:, :, None, None] + random.normal(size=(COUNT, 3, SIZE, SIZE)) * 0.5
    return images.astype(np.float32), labels


def write(directory: Path) -> tuple[Path, Path]:
    """Write the network and its samples; return their paths."""
    images, labels = samples()
    graph = _Graph(np.random.default_rng(0))
    given, before = "image", 3
    for name, channels, layers in STAGES:
        given = graph.stage(name, given, (before, channels), layers)
        before = channels
    bare = graph.model([name for name, _, _ in STAGES])
    session = onnxruntime.InferenceSession(
        bare.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [name for name, _, _ in STAGES]
    parts = [session.run(names, {"image": images[at : at + 8]}) for at in range(0, COUNT, 8)]
    for name, features in zip(names, zip(*parts, strict=True), strict=True):
        graph.exit(f"{name}-exit", name, _head(np.concatenate(features), labels))
    model = graph.model(["stage1", "stage1-exit", "stage2-exit"])
    network, data = directory / "heavy.onnx", directory / "samples.npz"
    onnx.save(model, network)
    np.savez_compressed(data, inputs=images, labels=labels)
    return network, data


def _head(features: Floats, labels: NDArray[np.int64]) -> NDArray[np.floating]:
    """Least squares from the means of the channels to the classes, the bias last."""
    means = features.mean(axis=(2, 3), dtype=np.float64)
    means = np.hstack([means, np.ones((len(means), 1))])
    found, *_ = np.linalg.lstsq(means, 4.0 * np.eye(CLASSES)[labels], rcond=1e-6)
    return np.asarray(found)
