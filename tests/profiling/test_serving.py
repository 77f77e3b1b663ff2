"""A segment with the profile's model and blocks does what the profile says."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fin.api.dnnmodel import Block, DNNModel
from fin.api.parsing import parse
from fin.profiling import network, samples
from fin.profiling.document import dnn_model
from fin.profiling.profile import profile
from fin.segment.compute import load
from fin.segment.config import SegmentConfig, Stage
from fin.segment.exits import Criterion
from tests.profiling.conftest import NETWORKS


def stage(blocks: tuple[Block, ...]) -> Stage:
    exits = [
        {
            "name": block.exit_name,
            "block": block.name,
            "criterion": block.exit.criterion,
            "threshold": block.exit.threshold,
        }
        for block in blocks
        if block.exit
    ]
    names = [block.name for block in blocks]
    where = {"segment": "s", "host": "h", "http": 1}
    return Stage.model_validate({**where, "blocks": names, "exits": exits})


@pytest.mark.parametrize(
    ("name", "criterion"),
    [
        ("digits-lenet", "Entropy"),
        ("digits-alexnet", "Confidence"),
        ("digits-resnet", "Confidence"),
    ],
)
def test_exit_shares_and_accuracy_are_those_of_the_profile(
    name: str, criterion: Criterion, tmp_path: Path
) -> None:
    blocks = network.read(NETWORKS / f"{name}.onnx")
    network.write(blocks, tmp_path)
    data = samples.read(NETWORKS / "calibration.npz")
    found = profile(blocks, data, criterion=criterion)
    model = parse(DNNModel, dnn_model(found, name, datetime.now(UTC))).spec
    tensors = [
        {"name": each.name, "output": each.output, "logits": each.exit and each.exit.output}
        for each in model.blocks
    ]
    segment = {"name": "s", "app": "a", "model": name, "artifact": {"path": str(tmp_path)}}
    engine = load(SegmentConfig.model_validate({**segment, "blocks": tensors}), threads=1)
    served = engine.run(stage(model.blocks), data.inputs, last=True)
    one_sample = 1 / len(data)
    for position, leaving in enumerate(found.exits):
        share = float((served.exits == position).mean())
        assert share == pytest.approx(leaving.rate, abs=one_sample)
    assert served.logits is not None
    accuracy = float((np.asarray(served.logits).argmax(axis=1) == data.labels).mean())
    assert accuracy == pytest.approx(found.accuracy, abs=one_sample)
