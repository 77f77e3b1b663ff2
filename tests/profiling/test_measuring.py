"""Costs and shares of real networks on real samples."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from fin.api.dnnmodel import DNNModel
from fin.api.parsing import InvalidObject, parse
from fin.profiling import evaluation, memory
from fin.profiling import network as networks
from fin.profiling import samples as labelled
from fin.profiling.document import default_name, dnn_model
from fin.profiling.errors import ProfileError
from fin.profiling.profile import Profile, outcome, profile
from fin.profiling.progress import silent
from fin.profiling.samples import Samples
from fin.segment.exits import ExitRule
from tests.profiling.conftest import NETWORKS, chain, network

Save = Callable[..., Path]
MEASURED = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def lenet() -> Profile:
    blocks = networks.read(NETWORKS / "digits-lenet.onnx")
    return profile(blocks, labelled.read(NETWORKS / "calibration.npz"))


def test_operations_are_those_counted_by_hand(lenet: Profile) -> None:
    conv1 = 2 * 64 * 6 * 25 + 64 * 6 + 64 * 6 + 64 * 6  # convolution, bias, ReLU, pooling
    conv2 = 2 * 16 * 16 * 6 * 9 + 3 * 16 * 16
    final = 2 * 64 * 84 + 2 * 84 + 2 * 84 * 48 + 2 * 48 + 2 * 48 * 10 + 10
    assert [cost.block.flops for cost in lenet.costs] == [conv1, conv2, final]
    assert [cost.exit and cost.exit.flops for cost in lenet.costs] == [2 * 96 * 10 + 10, None, 0]
    assert lenet.whole == conv1 + 1930 + conv2 + final


def test_weights_and_bytes_are_those_counted_by_hand(lenet: Profile) -> None:
    conv1, conv2, final = lenet.costs
    assert conv1.block.parameters == 4 * (6 * 25 + 6)
    assert conv1.exit is not None
    # The classifier's weights, and the two whole numbers of the shape that it reshapes to.
    assert conv1.exit.parameters == 4 * (96 * 10 + 10) + 2 * 8
    assert conv2.block.parameters == 4 * (16 * 6 * 9 + 16)
    assert final.block.parameters == 4 * (64 * 84 + 84 + 84 * 48 + 48 + 480 + 10) + 2 * 8
    assert [cost.input_bytes for cost in lenet.costs] == [4 * 64, 4 * 96, 4 * 64]
    assert [cost.output_bytes for cost in lenet.costs] == [4 * 96, 4 * 64, 4 * 10]


def test_early_exits_save_most_of_the_work_and_no_accuracy(lenet: Profile) -> None:
    samples = labelled.read(NETWORKS / "calibration.npz")
    last = evaluation.logits(lenet.blocks, samples, silent)[-1]
    assert lenet.accuracy >= (last.argmax(axis=1) == samples.labels).mean()
    assert lenet.work < 0.5 * lenet.whole
    assert sum(leaving.rate for leaving in lenet.exits) == pytest.approx(1)


@pytest.mark.parametrize("name", ["digits-lenet", "digits-alexnet", "digits-resnet"])
def test_held_out_samples_are_classified_as_well(name: str) -> None:
    blocks = networks.read(NETWORKS / f"{name}.onnx")
    logits = evaluation.logits(blocks, labelled.read(NETWORKS / "heldout.npz"), silent)
    labels = labelled.read(NETWORKS / "heldout.npz").labels
    rules = [ExitRule(0.8)] * (len(logits) - 1) + [ExitRule()]
    assert outcome(rules, logits, labels)[-1].accuracy > 0.97


def test_memory_is_that_of_weights_and_of_what_is_computed() -> None:
    side = 1024
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    model = network(nodes, ["n", side], ["y"], {"w": (side, side)})
    weights = 4 * side * side
    assert memory.parameters(model) == weights
    small = memory.peak(model, np.zeros((1, side), np.float32))
    assert weights <= small < 5 * weights
    large = memory.peak(model, np.zeros((8 * side, side), np.float32))
    assert large - weights > 4 * 8 * side * side  # the output alone


def test_a_model_that_runs_at_one_sample_at_a_time_is_profiled(saved: Save) -> None:
    model = chain("a", "ea", "ec")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    random = np.random.default_rng(1)
    samples = Samples(random.normal(size=(9, 4)).astype(np.float32), random.integers(0, 3, 9))
    found = profile(networks.read(saved(onnx.shape_inference.infer_shapes(model))), samples)
    assert found.samples == 9
    assert [cost.block.flops for cost in found.costs] == [2 * 16, 2 * 2 * 16 + 2 * 12]


def test_the_document_says_what_was_measured_and_when(lenet: Profile) -> None:
    found = dnn_model(lenet, "digits", MEASURED)
    parsed = parse(DNNModel, found)
    assert found["metadata"]["annotations"] == {
        "finoperator.io/profiled-at": "2026-11-25T12:30:00Z",
        "finoperator.io/profiled-samples": "359",
    }
    conv1, conv2, final = parsed.spec.blocks
    assert [block.name for block in parsed.spec.blocks] == ["conv1", "conv2", "final"]
    assert [block.output for block in parsed.spec.blocks] == ["conv1", "conv2", None]
    assert conv2.exit is None
    assert conv1.exit is not None
    assert final.exit is not None
    assert (conv1.exit.name, conv1.exit.output) == ("early", "early")
    assert conv1.exit.threshold == lenet.exits[0].rule.threshold
    assert conv1.exit.exit_rate == lenet.exits[0].rate
    assert final.exit.threshold is None
    for block, cost in zip(parsed.spec.blocks, lenet.costs, strict=True):
        assert cost.block.memory <= float(block.memory) < cost.block.memory + 1024


def test_a_name_that_no_object_can_have_is_refused(lenet: Profile) -> None:
    with pytest.raises(InvalidObject, match=r"metadata\.name"):
        dnn_model(lenet, "My Net", MEASURED)


@pytest.mark.parametrize(
    ("stem", "name"), [("My_Net-2", "my-net-2"), ("...", "model"), ("a" * 80, "a" * 63)]
)
def test_a_file_gives_its_name(stem: str, name: str) -> None:
    assert default_name(stem) == name


@pytest.mark.parametrize(
    ("inputs", "labels", "reason"),
    [
        (np.zeros((3, 5), np.float32), [0, 1, 2], "inputs are 5 each, and the network takes 4"),
        (np.zeros((3, 4, 1), np.float32), [0, 1, 2], "inputs are 4 x 1 each"),
        (np.zeros((3, 4), np.complex64), [0, 1, 2], "inputs are complex64, and the network takes"),
        (
            np.zeros((3, 4), np.float32),
            [0, 1, 3],
            "classes 0 to 2, and there are labels from 0 to 3",
        ),
        (np.zeros((3, 4), np.float32), [-1, 1, 2], "there are labels from -1 to 2"),
    ],
)
def test_samples_that_do_not_fit_are_refused(
    saved: Save, inputs: Any, labels: list[int], reason: str
) -> None:
    blocks = networks.read(saved(chain("ec")))
    with pytest.raises(ProfileError, match=reason):
        profile(blocks, Samples(inputs, np.array(labels)))


def test_an_exit_that_does_not_give_classes_is_refused(saved: Save) -> None:
    nodes = [helper.make_node("Unsqueeze", ["x", "axes"], ["y"])]
    model = network(nodes, ["n", 4], [])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1]), "axes"))
    model.graph.output.append(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None))
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_param = "n"
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 1
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 4
    samples = Samples(np.zeros((3, 4), np.float32), np.zeros(3, np.int64))
    with pytest.raises(ProfileError, match="exit y: must give samples by classes, and gives"):
        profile(networks.read(saved(model)), samples)


def test_an_accuracy_out_of_reach_says_what_can_be_reached() -> None:
    blocks = networks.read(NETWORKS / "digits-lenet.onnx")
    with pytest.raises(ProfileError, match=r"reach an accuracy of 1 on these 359.*found is 0\.98"):
        profile(blocks, labelled.read(NETWORKS / "calibration.npz"), accuracy=1.0)


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"inputs": np.zeros(3)}, "labels is not a file in the archive; it must be"),
        ({"inputs": np.zeros(3), "labels": np.zeros(3)}, "labels must be one whole number"),
        (
            {"inputs": np.zeros(3), "labels": np.zeros((3, 1), int)},
            "labels must be one whole number",
        ),
        ({"inputs": np.zeros(2), "labels": np.zeros(3, int)}, "there are 3 labels for 2 inputs"),
        ({"inputs": np.zeros(0), "labels": np.zeros(0, int)}, "there are 0 labels for 0 inputs"),
        ({"inputs": np.array(3), "labels": np.zeros(3, int)}, "there are 3 labels for no inputs"),
        ({"inputs": np.array([{}]), "labels": np.zeros(1, int)}, "must be an .npz file with"),
    ],
)
def test_a_file_without_samples_is_refused(
    tmp_path: Path, arrays: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ProfileError, match=reason):
        labelled.read(npz(tmp_path / "data.npz", **arrays))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04garbage", b"text", b"\x93NUMPY\x01"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=r"data\.npz: must be an \.npz file with"):
        labelled.read(path)


def test_one_array_is_not_enough(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", np.zeros(3))
    with pytest.raises(ProfileError, match=r"must be an \.npz file with"):
        labelled.read(tmp_path / "data.npy")


def test_samples_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"data\.npz: No such file"):
        labelled.read(tmp_path / "data.npz")
