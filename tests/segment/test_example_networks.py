"""Every split of every trained example gives what the whole network gives."""

from itertools import product
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from fin.profiling import network
from fin.segment.compute import load
from fin.segment.config import BlockTensors, SegmentConfig, StageExit, WeightsSource
from fin.segment.exits import confidence
from tests.helpers.splits import run_split

NETWORKS = Path(__file__).parents[2] / "examples/networks"
EXAMPLES = sorted(NETWORKS.glob("*.onnx"))
SAMPLES = 24


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_split_of_an_example_equals_the_whole(path: Path, tmp_path: Path) -> None:
    batch = np.load(NETWORKS / "heldout.npz")["inputs"][:SAMPLES]
    whole = onnxruntime.InferenceSession(path)
    names = [output.name for output in whole.get_outputs()]
    outputs = dict(zip(names, whole.run(None, {whole.get_inputs()[0].name: batch}), strict=True))
    blocks = network.read(path)
    network.write(blocks, tmp_path)
    exits, expected, expected_exits = [], np.zeros((SAMPLES, 10), np.float32), [""] * SAMPLES
    there = np.ones(SAMPLES, bool)
    for block in blocks:
        if block.part.logits is None:
            continue
        logits = outputs[block.part.logits]
        # A third of those that are there leave, and none is near to the threshold.
        ordered = np.sort(confidence(logits[there]))
        threshold = float(ordered[-len(ordered) // 3 :][0] + ordered[-len(ordered) // 3 - 1]) / 2
        leaving = StageExit(name=str(block.exit_name), block=block.name, threshold=threshold)
        exits.append(leaving)
        leave = there & (leaving.rule.leaves(logits) | (block is blocks[-1]))
        expected[leave] = logits[leave]
        for sample in np.flatnonzero(leave):
            expected_exits[sample] = leaving.name
        there &= ~leave
    assert len({*expected_exits}) == len(exits)
    tensors = tuple(
        BlockTensors(name=block.name, output=block.part.output, logits=block.part.logits)
        for block in blocks
    )
    engine = load(
        SegmentConfig(
            name="s",
            app="a",
            model="m",
            blocks=tensors,
            artifact=WeightsSource(path=str(tmp_path)),
        ),
        threads=1,
    )
    for cuts in product([False, True], repeat=len(blocks) - 1):
        found, found_exits = run_split(engine, [b.name for b in blocks], exits, cuts, batch)
        assert found_exits == expected_exits, cuts
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
