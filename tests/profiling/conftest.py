"""Small real networks, made by onnx's own helpers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

Onnx = Callable[..., onnx.ModelProto]
EXAMPLES = Path(__file__).parents[2] / "examples"
NETWORKS = EXAMPLES / "networks"


def network(
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str],
    outputs: Sequence[str],
    weights: Mapping[str, tuple[int, ...]] | None = None,
) -> onnx.ModelProto:
    """Make a network with the input x; weights are random, seeded, of the shapes given."""
    random = np.random.default_rng(5)
    constants = [
        onnx.numpy_helper.from_array(random.normal(size=size).astype(np.float32), name)
        for name, size in (weights or {}).items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        constants,
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def chain(*outputs: str) -> onnx.ModelProto:
    """Make x -> a -> b -> c (of 4 numbers each), with the logits ea, eb, ec of each."""
    nodes = [
        helper.make_node("MatMul", [given, f"w{name}"], [name])
        for given, name in (("x", "a"), ("a", "b"), ("b", "c"))
    ]
    nodes += [helper.make_node("MatMul", [name, f"v{name}"], [f"e{name}"]) for name in "abc"]
    weights = {f"w{name}": (4, 4) for name in "abc"} | {f"v{name}": (4, 3) for name in "abc"}
    return network(nodes, ["n", 4], outputs, weights)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    """Write a network to a file."""

    def save(model: onnx.ModelProto, name: str = "net.onnx") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        return path

    return save
