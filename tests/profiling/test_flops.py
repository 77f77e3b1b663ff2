"""Counted operations are those that one counts by hand."""

import numpy as np
import onnx
import pytest
from onnx import helper

from fin.profiling import flops
from fin.profiling.errors import ProfileError
from tests.profiling.conftest import network


def total(model: onnx.ModelProto, *shape: int) -> float:
    return sum(flops.count(model, "x", np.zeros(shape, np.float32)).values())


@pytest.mark.parametrize("biased", [False, True])
def test_convolution(biased: bool) -> None:
    inputs = ["x", "w", "b"] if biased else ["x", "w"]
    node = helper.make_node("Conv", inputs, ["y"], pads=[1, 1, 1, 1], strides=[2, 2])
    model = network([node], [1, 3, 32, 32], ["y"], {"w": (8, 3, 3, 3), "b": (8,)})
    outputs = 8 * 16 * 16
    assert total(model, 1, 3, 32, 32) == 2 * outputs * 3 * 3 * 3 + biased * outputs


def test_depthwise_convolution() -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=6, pads=[1, 1, 1, 1])
    model = network([node], [1, 6, 8, 8], ["y"], {"w": (6, 1, 3, 3)})
    assert total(model, 1, 6, 8, 8) == 2 * 6 * 8 * 8 * 3 * 3


@pytest.mark.parametrize("biased", [False, True])
def test_fully_connected_layer(biased: bool) -> None:
    inputs = ["x", "w", "b"] if biased else ["x", "w"]
    node = helper.make_node("Gemm", inputs, ["y"], transB=1)
    model = network([node], [1, 20], ["y"], {"w": (7, 20), "b": (7,)})
    assert total(model, 1, 20) == 2 * 20 * 7 + biased * 7


def test_matrix_product() -> None:
    model = network([helper.make_node("MatMul", ["x", "w"], ["y"])], [1, 20], ["y"], {"w": (20, 7)})
    assert total(model, 1, 20) == 2 * 20 * 7


def test_what_is_done_to_each_number_counts_once() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Add", ["a", "x"], ["y"])]
    assert total(network(nodes, [1, 5, 4], ["y"]), 1, 5, 4) == 2 * 20


def test_nodes_of_the_same_name_count_each() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="same"),
        helper.make_node("MatMul", ["a", "w"], ["y"], name="same"),
    ]
    assert total(network(nodes, [1, 6], ["y"], {"w": (6, 6)}), 1, 6) == 2 * 2 * 36


def test_an_unknown_operator_is_named() -> None:
    node = helper.make_node("Bernoulli", ["x"], ["y"])
    with pytest.raises(ProfileError, match=r"can't be counted by onnx-tool: .*Bernoulli"):
        total(network([node], [1, 6], ["y"]), 1, 6)
