"""Which tensors of an ONNX graph need which, and parts of a graph as networks of their own."""

from collections.abc import Iterable, Iterator

import onnx
from onnx.utils import Extractor


def inputs(model: onnx.ModelProto) -> list[str]:
    """Return the names of what the network is fed with, without its weights."""
    weights = {each.name for each in model.graph.initializer}
    return [each.name for each in model.graph.input if each.name not in weights]


def outputs(model: onnx.ModelProto) -> list[str]:
    """Return the names of the network's outputs."""
    return [each.name for each in model.graph.output]


def computed(model: onnx.ModelProto) -> set[str]:
    """Return the tensors that depend on an input: neither weights nor constants."""
    found = set(inputs(model))
    for node in model.graph.node:  # in an order in which they can run: ONNX demands it
        if not found.isdisjoint(_reads(node)):
            found.update(filter(None, node.output))
    return found


def needed(model: onnx.ModelProto, tensor: str, given: Iterable[str] = ()) -> set[str]:
    """Return the tensors that a tensor is computed from, with itself, where ``given`` are there."""
    producers = {name: node for node in model.graph.node for name in node.output if name}
    known = set(given)
    found: set[str] = set()
    waiting = [tensor]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name not in known and name in producers:
            waiting.extend(_reads(producers[name]))
    return found


def part(model: onnx.ModelProto, given: str, wanted: list[str]) -> onnx.ModelProto:
    """Return what computes ``wanted`` from ``given`` as a network of its own."""
    return Extractor(model).extract_model([given], wanted)


def with_outputs(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """Return the network with the types of its tensors, and further ones among its outputs."""
    whole = onnx.shape_inference.infer_shapes(model)
    types = {each.name: each for each in whole.graph.value_info}
    present = set(outputs(whole))
    whole.graph.output.extend(types[name] for name in dict.fromkeys(names) if name not in present)
    return whole


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names of what a node reads, its branches' and loops' bodies included."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from _reads(inner)
