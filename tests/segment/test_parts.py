"""Parts of a segment that need no process: threads, trace context, frames, values of tensors."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fin.segment import cpus
from fin.segment.blocks import Tensor
from fin.segment.config import Way
from fin.segment.datatypes import NUMPY
from fin.segment.errors import Kind, Refusal
from fin.segment.frames import (
    Answer,
    Passed,
    Visit,
    pack_answer,
    pack_passed,
    unpack_answer,
    unpack_passed,
)
from fin.segment.protocol import GivenTensor, from_values
from fin.segment.trace import trace

WAY = Way.model_validate(
    {
        "hops": [
            {
                "segment": "app-1",
                "host": "fd00::1",
                "http": 8080,
                "blocks": ["b"],
                "exits": [{"name": "e", "block": "b", "criterion": "Entropy", "threshold": 0.25}],
                "blockJoules": [1e-9],
                "inputJoules": 0.1,
            }
        ]
    }
)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000\n", 64),
        ("250000 100000\n", 2),
        ("1000 100000\n", 1),
        ("garbage", 64),
    ],
)
def test_threads_fit_the_cpu_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64))
    assert cpus.threads(tmp_path) == 64
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text(quota)
    assert cpus.threads(tmp_path) == expected


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("parent", [PARENT, PARENT.replace("00-", "cc-", 1) + "-more"])
def test_a_valid_trace_context_is_passed_on(parent: str) -> None:
    assert trace(parent, "a=b").headers == {"traceparent": parent, "tracestate": "a=b"}
    assert trace(parent, None).headers == {"traceparent": parent}
    assert trace(parent, "a=b\r\nx: y").headers == {"traceparent": parent}


@pytest.mark.parametrize(
    "parent",
    [None, "", "x", PARENT.upper(), PARENT + "-" + "a" * 600, "ff" + PARENT[2:], PARENT[:-1],
     f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01"],
)  # fmt: skip
def test_another_begins_where_there_is_none(parent: str | None) -> None:
    begun = trace(parent, "a=b")
    assert begun.parent != parent
    assert begun.state == ""
    assert trace(begun.parent, None).parent == begun.parent


TENSORS = st.sampled_from([*NUMPY.values()]).flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=4, max_side=5))
)


@given(TENSORS)
def test_samples_on_their_way_come_as_they_were_sent(batch: Any) -> None:
    sent = Passed("net", "r1", WAY, batch)
    came = unpack_passed(pack_passed(sent))
    assert (came.model, came.revision, came.way) == ("net", "r1", WAY)
    assert (came.batch.dtype, came.batch.shape) == (batch.dtype, batch.shape)
    assert came.batch.tobytes() == batch.tobytes()


def test_answers_come_as_they_were_sent() -> None:
    logits = np.arange(6, dtype=np.float32).reshape(3, 2)
    sent = Answer(logits, ("b", "a", "b"), (Visit("s", 0.5, 0.25), Visit("t", 0, 1)))
    came = unpack_answer(pack_answer(sent))
    assert (came.exits, came.visits) == (sent.exits, sent.visits)
    np.testing.assert_array_equal(came.logits, logits)


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda raw: b"\0\0\0\x02{}" + raw))
def test_garbage_is_no_frame(raw: bytes) -> None:
    for unpack in (unpack_passed, unpack_answer):
        with pytest.raises(Refusal):
            unpack(raw)


@pytest.mark.parametrize(
    "change",
    [{"datatype": "FP31"}, {"shape": [7]}, {"shape": "x"}, {"shape": [-1, 0]}, {"way": 1},
     {"way": {"hops": []}}, {"datatype": None}, {"datatype": [1]}],
)  # fmt: skip
def test_frames_that_are_not_consistent(change: dict[str, Any]) -> None:
    frame = pack_passed(Passed("net", "r1", WAY, np.zeros((2, 3), np.float32)))
    length = int.from_bytes(frame[:4])
    header = orjson.dumps(orjson.loads(frame[4 : 4 + length]) | change)
    with pytest.raises(Refusal) as refused:
        unpack_passed(len(header).to_bytes(4) + header + frame[4 + length :])
    assert refused.value.kind is Kind.INVALID


def test_ipv6_addresses_are_bracketed() -> None:
    assert WAY.hops[0].address == "[fd00::1]:8080"


@pytest.mark.parametrize(
    ("datatype", "values", "right"),
    [
        ("INT8", [-128, 127], True),
        ("INT8", [0, 128], False),
        ("UINT8", [0, 255], True),
        ("UINT8", [-1, 0], False),
        ("UINT64", [0, 2**64 - 1], True),
        ("INT64", [-(2**63), 2**63 - 1], True),
        ("INT32", [1.0, 2.0], False),
        ("INT32", [True, False], False),
        ("BOOL", [True, False], True),
        ("BOOL", [1, 0], False),
        ("FP16", [1, 0.5], True),
        ("FP64", [1e300, -1], True),
        ("FP32", [True, False], False),
    ],
)
def test_values_must_be_of_the_type(datatype: str, values: list[Any], right: bool) -> None:
    described = GivenTensor("x", datatype, (2,))
    if right:
        found = from_values(described, values)
        assert found.dtype == NUMPY[datatype]
        assert found.tolist() == values
    else:
        with pytest.raises(Refusal) as refused:
            from_values(described, values)
        assert datatype in refused.value.message


def test_a_tensor_says_what_it_takes() -> None:
    tensor = Tensor("x", "FP32", (-1, 3, -1))
    assert tensor.takes((5, 3, 7))
    assert not tensor.takes((5, 4, 7))
    assert not tensor.takes((5, 3))
    assert str(tensor) == "FP32[-1, 3, -1]"
