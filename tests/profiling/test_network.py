"""Networks become chains of blocks, or it is said why they can't."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from fin.profiling import network as networks
from fin.profiling.cutting import Part
from fin.profiling.errors import ProfileError
from fin.profiling.runtime import Session
from tests.profiling.conftest import NETWORKS, chain, network

Save = Callable[..., Path]


def parts(path: Path, *cuts: str) -> list[Part]:
    return [block.part for block in networks.read(path, cuts)]


def test_outputs_that_others_need_end_blocks_and_the_others_are_exits(saved: Save) -> None:
    assert parts(saved(chain("ea", "b", "a", "ec"))) == [
        Part("x", "a", "ea"),
        Part("a", "b", None),
        Part("b", None, "ec"),
    ]


def test_the_last_of_several_outputs_at_the_end_is_the_last_exit(saved: Save) -> None:
    assert parts(saved(chain("b", "eb", "ec"))) == [Part("x", "b", "eb"), Part("b", None, "ec")]


def test_a_network_with_one_output_is_one_block(saved: Save) -> None:
    (block,) = networks.read(saved(chain("ec")))
    assert block.part == Part("x", None, "ec")
    assert (block.name, block.exit_name) == ("ec", "ec")


def test_a_tensor_that_is_no_output_can_be_a_cut_too(saved: Save) -> None:
    assert parts(saved(chain("ea", "ec")), "a", "b") == [
        Part("x", "a", "ea"),
        Part("a", "b", None),
        Part("b", None, "ec"),
    ]


def test_names_of_tensors_become_names_of_a_model(saved: Save) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["/layer.1/Relu_output"]),
        helper.make_node("Neg", ["/layer.1/Relu_output"], ["::logits"]),
    ]
    path = saved(network(nodes, ["n", 4], ["/layer.1/Relu_output", "::logits"]))
    first, last = networks.read(path)
    assert (first.name, last.name, last.exit_name) == ("layer.1-Relu_output", "logits", "logits")
    assert first.part.output == "/layer.1/Relu_output"


@pytest.mark.parametrize("name", ["digits-lenet", "digits-alexnet", "digits-resnet"])
def test_blocks_of_an_example_in_a_row_are_the_whole(name: str, tmp_path: Path) -> None:
    path = NETWORKS / f"{name}.onnx"
    networks.write(networks.read(path), tmp_path / "blocks")
    blocks = networks.read(tmp_path / "blocks")
    assert [block.part for block in blocks] == parts(path)
    batch = np.load(NETWORKS / "heldout.npz")["inputs"][:16]
    whole = Session(path.read_bytes())
    value = batch
    for block in blocks:
        session = Session((tmp_path / f"blocks/{block.name}.onnx").read_bytes())
        names = [each for each in (block.part.logits, block.part.output) if each]
        found = session.run(value, *names)
        for expected, given in zip(whole.run(batch, *names), found, strict=True):
            np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)
        value = found[-1]


def test_a_residual_around_a_cut_is_refused(saved: Save) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["logits"]),
    ]
    with pytest.raises(ProfileError, match="can't be cut at b: what comes behind it also reads a"):
        networks.read(saved(network(nodes, ["n", 4], ["b", "logits"])))


def test_what_a_branch_reads_counts(saved: Save) -> None:
    value = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    branches = [
        helper.make_graph([helper.make_node(op, ["a"], ["y"])], op, [], [value])
        for op in ("Relu", "Neg")
    ]
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("ReduceMax", ["b"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["sure"], to=onnx.TensorProto.BOOL),
        helper.make_node(
            "If", ["sure"], ["logits"], then_branch=branches[0], else_branch=branches[1]
        ),
    ]
    with pytest.raises(ProfileError, match="also reads a from before it"):
        networks.read(saved(network(nodes, ["n", 4], ["b", "logits"])))


def test_outputs_side_by_side_are_refused(saved: Save) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["x"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["logits"]),
    ]
    with pytest.raises(ProfileError, match="a and b are computed side by side"):
        networks.read(saved(network(nodes, ["n", 4], ["a", "b", "logits"])))


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (("ea", "ec"), "the exit ea follows no block: name with --cut the tensor"),
        (("a", "ea", "eb", "ec"), "ea and eb are both exits of the block that ends with a"),
    ],
)
def test_exits_without_a_place_are_refused(
    saved: Save, outputs: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(ProfileError, match=reason):
        networks.read(saved(chain(*outputs)))


def test_a_cut_that_is_not_there_is_named(saved: Save) -> None:
    with pytest.raises(ProfileError, match="--cut wa: the network computes no such tensor"):
        networks.read(saved(chain("ec")), ["wa"])


def block(*outputs: str) -> onnx.ModelProto:
    return network([helper.make_node("Relu", ["x"], [name]) for name in outputs], ["n", 4], outputs)


def renamed(model: onnx.ModelProto, given: str) -> onnx.ModelProto:
    model.graph.input[0].name = given
    for node in model.graph.node:
        node.input[0] = given
    return model


def test_blocks_of_a_directory_follow_each_other_by_their_tensors(
    saved: Save, tmp_path: Path
) -> None:
    saved(renamed(block("logits"), "h2"), "d/a-last.onnx")
    saved(renamed(block("h2"), "h1"), "d/b-middle.onnx")
    saved(block("h1", "early"), "d/c-first.onnx")
    blocks = networks.read(tmp_path / "d")
    assert [each.name for each in blocks] == ["c-first", "b-middle", "a-last"]
    assert [each.exit_name for each in blocks] == ["early", None, "logits"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "has no file that ends in .onnx"),
        ({"a": ("x", "h"), "b": ("y", "i")}, "2 have an input that no other gives: a.onnx, b.onnx"),
        ({"a": ("x", "h"), "b": ("h", "i"), "c": ("h", "j")}, "b.onnx and c.onnx both follow a"),
        ({"a": ("x", "h"), "b": ("h", "i"), "c": ("i", "h")}, "b.onnx follows itself"),
        ({"a": ("x", "h"), "b": ("y", "z"), "c": ("z", "y")}, "b.onnx follows itself"),
        ({"a": ("x", "h", "i", "j"), "b": ("h", "l")}, "has the outputs i, j"),
        ({"a": ("x", "i", "j")}, "has the outputs i, j"),
        ({"-a": ("x", "i")}, "rename the file"),
        ({"a": ("x", "h", "l"), "b": ("h", "/l")}, "exits must have different names; l is there"),
    ],
)
def test_a_directory_that_is_no_chain_is_refused(
    saved: Save, tmp_path: Path, files: dict[str, tuple[str, ...]], reason: str
) -> None:
    (tmp_path / "d").mkdir()
    for name, (given, *outputs) in files.items():
        saved(renamed(block(*outputs), given), f"d/{name}.onnx")
    with pytest.raises(ProfileError, match=reason):
        networks.read(tmp_path / "d")


def test_a_directory_is_not_cut_again(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="leave --cut out"):
        networks.read(tmp_path, ["a"])


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"not a network", b"\x08\x07" * 40])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ProfileError, match=r"net\.onnx: is no valid ONNX file: "):
        networks.read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"net\.onnx: No such file or directory"):
        networks.read(tmp_path / "net.onnx")


def test_two_inputs_are_refused(saved: Save) -> None:
    model = chain("ec")
    model.graph.input.append(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 4]))
    with pytest.raises(ProfileError, match="must have one input, and has 2: x, y"):
        networks.read(saved(model))
