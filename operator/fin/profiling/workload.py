"""What a machine is measured with, where nobody gives a network: an ordinary convolutional one.

Convolutions of 3 by 3 and of 1 by 1, as in residual networks (K. He, X. Zhang, S. Ren, J. Sun,
CVPR 2016), on features of 56 by 56 and of 28 by 28: about 1.3 GFLOP, and 2 MB of weights.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_LAYERS = ((64, 64, 3, 1), (64, 64, 3, 1), (64, 128, 3, 2), (128, 128, 3, 1), (128, 256, 1, 1))
"""Channels in and out, side of the kernel, stride."""

_SHAPE = (1, 64, 56, 56)
_CLASSES = 1000


def network() -> onnx.ModelProto:
    """Return the network; its weights are random and always the same."""
    random = np.random.default_rng(0)
    nodes, weights, tensor = [], [], "features"
    for position, (inputs, outputs, side, stride) in enumerate(_LAYERS):
        scale = np.sqrt(2 / (inputs * side * side))
        kernel = random.normal(0, scale, (outputs, inputs, side, side)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"kernel{position}"))
        convolved, tensor, before = f"convolved{position}", f"layer{position}", tensor
        nodes += [
            helper.make_node(
                "Conv",
                [before, f"kernel{position}"],
                [convolved],
                strides=[stride, stride],
                pads=[side // 2] * 4,
            ),
            helper.make_node("Relu", [convolved], [tensor]),
        ]
    channels = _LAYERS[-1][1]
    matrix = random.normal(0, 0.05, (channels, _CLASSES)).astype(np.float32)
    weights.append(numpy_helper.from_array(matrix, "matrix"))
    nodes += [
        helper.make_node("GlobalAveragePool", [tensor], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "workload",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, _SHAPE)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, _CLASSES))],
        weights,
    )
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
