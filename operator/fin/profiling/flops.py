"""Floating-point operations of a network, counted by onnx-tool."""

import math
import warnings
from typing import Any

import onnx
import onnx_tool
from numpy.typing import NDArray

from fin.profiling.errors import ProfileError

_MULTIPLY_ADD = frozenset(
    {
        "Attention",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "GRU",
        "Gemm",
        "LSTM",
        "MatMul",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
    }
)
"""Operators whose unit in onnx-tool is a multiply-add; that of the others is one operation."""

_WITH_BIAS = {"Conv": 3, "ConvTranspose": 3, "Gemm": 3}
"""Inputs of an operator when the last of them is added to each output: one operation, not two."""


def count(model: onnx.ModelProto, given: str, value: NDArray[Any]) -> dict[str, float]:
    """Count the operations of a network for one input.

    Parameters
    ----------
    model
        The network.
    given
        Its input.
    value
        A batch of one sample for it.

    Returns
    -------
    dict[str, float]
        The operations of each node, by the tensor that it computes first. A multiply-add counts
        as two; exponentials and the like as many as onnx-tool says.

    Raises
    ------
    ProfileError
        If onnx-tool doesn't know an operator, or can't follow the shapes.
    """
    named = onnx.ModelProto()
    named.CopyFrom(model)
    for position, node in enumerate(named.graph.node):
        node.name = f"{node.op_type}-{position}"  # onnx-tool keeps nodes by their names
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = onnx_tool.Model(named).graph
            graph.shape_infer({given: value})
            graph.profile()
    except Exception as error:  # of any kind, for operators or shapes that it doesn't know
        raise ProfileError(f"its operations can't be counted by onnx-tool: {error}") from error
    return {node.output[0]: _flops(node) for node in graph.nodemap.values() if node.output}


def _flops(node: Any) -> float:
    units = float(node.macs[0])
    if node.op_type not in _MULTIPLY_ADD:
        return units
    bias = math.prod(node.outshape) if len(node.input) == _WITH_BIAS.get(node.op_type) else 0
    return 2 * units - bias
