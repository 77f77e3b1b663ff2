"""The whole model and every split give the same outputs and the same exits."""

from itertools import groupby, product
from pathlib import Path

import numpy as np
import pytest

from fin.segment.compute import Engine, load
from fin.segment.config import SegmentConfig, StageExit
from fin.segment.exits import ExitRule
from tests.helpers.networks import network
from tests.helpers.segments import Fleet
from tests.helpers.splits import run_split

# Exits after the first, the third and the last of four blocks, of both kinds.
NETWORK = network([ExitRule(0.6), None, ExitRule(0.5, "Entropy"), ExitRule()], seed=3)
BATCH = NETWORK.batch(64)


def test_samples_of_the_batch_leave_at_every_exit() -> None:
    _, exits = NETWORK.answer(BATCH)
    assert {*exits} == {"exit-block0", "exit-block2", "exit-block3"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    models = NETWORK.write(tmp_path_factory.mktemp("models"))
    blocks = [
        {"name": layer.name, "logits": (layer.head is not None and "logits") or None}
        for layer in NETWORK.layers
    ]
    config = {
        "name": "s", "app": "a", "model": "m", "blocks": blocks, "artifact": {"path": str(models)},
    }  # fmt: skip
    return load(SegmentConfig.model_validate(config), threads=1)


@pytest.mark.parametrize("cuts", [*product([False, True], repeat=3)])
def test_every_split_equals_the_whole(engine: Engine, cuts: tuple[bool, ...]) -> None:
    names = [layer.name for layer in NETWORK.layers]
    exits_of = [
        StageExit(
            name=f"exit-{layer.name}",
            block=layer.name,
            criterion=layer.rule.criterion,
            threshold=layer.rule.threshold,
        )
        for layer in NETWORK.layers
        if layer.head is not None
    ]
    logits, exits = run_split(engine, names, exits_of, cuts, BATCH)
    expected, expected_exits = NETWORK.answer(BATCH)
    assert exits == expected_exits
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_chains_of_processes_equal_the_whole(tmp_path: Path, length: int) -> None:
    exits = [ExitRule(0.7), None, ExitRule(0.7), ExitRule(0.7, "Entropy"), ExitRule()]
    chained = network(exits)
    batch = chained.batch(40)
    expected, expected_exits = chained.answer(batch)
    assert len({*expected_exits}) == 4
    stages = [(min(block, length - 1), block) for block in range(5)]
    runs = [
        (segment, [block for _, block in run]) for segment, run in groupby(stages, lambda p: p[0])
    ]
    with Fleet(chained, tmp_path, runs) as fleet:
        reply = fleet.entry.infer(batch)
        assert reply.status == 200, reply.body
        np.testing.assert_allclose(reply.logits, expected, rtol=1e-4, atol=1e-5)
        assert reply.exits == expected_exits
        names = [segment.name for segment in fleet.segments]
        assert reply.json["parameters"]["segments"] == ",".join(names)
        for segment, (_, run) in zip(fleet.segments, runs, strict=True):
            at = [f"exit-block{block}" for block in run if exits[block] is not None]
            for name in at:
                counted = segment.metric("fin_segment_samples_total", exit=name)
                assert counted == expected_exits.count(name)


def test_a_way_may_come_back_to_a_segment(tmp_path: Path) -> None:
    expected, expected_exits = NETWORK.answer(BATCH)
    with Fleet(NETWORK, tmp_path, [(0, [0]), (1, [1, 2]), (0, [3])]) as fleet:
        reply = fleet.entry.infer(BATCH)
        np.testing.assert_allclose(reply.logits, expected, rtol=1e-4, atol=1e-5)
        assert reply.exits == expected_exits
        assert reply.json["parameters"]["segments"] == "app-0,app-1,app-0"
        on = sum(name != "exit-block0" for name in expected_exits)
        last = expected_exits.count("exit-block3")
        assert fleet.entry.metric("fin_segment_energy_joules_total", component="compute") == (
            len(BATCH) + last
        )
        # What came in, and what went on.
        assert fleet.entry.metric("fin_segment_energy_joules_total", component="network") == (
            0.5 * (len(BATCH) + on)
        )
        second = fleet.segments[1]
        assert second.metric("fin_segment_energy_joules_total", component="compute") == 2 * on
        # Once from the client, and once more when the way came back.
        served = "fin_segment_request_duration_seconds_count"
        assert [fleet.entry.metric(served, origin=each) for each in ("client", "hop")] == [1, 1]
