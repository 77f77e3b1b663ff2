"""Whatever a client sends over gRPC: an answer by the protocol, and the server lives on."""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as services

from tests.helpers.segments import LOOPBACK, MODEL, Fleet

INVALID = grpc.StatusCode.INVALID_ARGUMENT
BATCH = np.arange(6, dtype=np.float32).reshape(1, 6)


@pytest.fixture(scope="module")
def stub(pair: Fleet) -> Iterator[Any]:
    with grpc.insecure_channel(f"{LOOPBACK}:{pair.entry.grpc}") as channel:
        yield services.GRPCInferenceServiceStub(channel)


def tensor(**changes: Any) -> Any:
    described = {"name": "x", "datatype": "FP32", "shape": [1, 6], **changes}
    return messages.ModelInferRequest.InferInputTensor(**described)


def values(**contents: Any) -> Any:
    return tensor(contents=messages.InferTensorContents(**contents))


def test_values_are_taken_as_bytes_are(stub: Any, pair: Fleet) -> None:
    expected, _ = pair.network.answer(BATCH)
    typed = messages.ModelInferRequest(
        model_name=MODEL, inputs=[values(fp32_contents=BATCH.ravel())]
    )
    raw = messages.ModelInferRequest(
        model_name=MODEL, inputs=[tensor()], raw_input_contents=[BATCH.tobytes()]
    )
    for request in (typed, raw):
        answer = stub.ModelInfer(request)
        found = np.frombuffer(answer.raw_output_contents[0], np.float32).reshape(1, 4)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "given: none"),
        ({"inputs": [tensor()]}, "has 6 values, and 0 were given"),
        ({"inputs": [values(fp32_contents=[1, 2])]}, "has 6 values, and 2 were given"),
        ({"inputs": [values(int_contents=[1] * 6)]}, "has 6 values, and 0 were given"),
        ({"inputs": [tensor()], "raw_input_contents": [b"x"]}, "has 24 bytes, and 1 were given"),
        ({"inputs": [tensor()], "raw_input_contents": [bytes(24)] * 2}, "the bytes of each input"),
        ({"inputs": [tensor(datatype="BYTES")]}, "datatype must be FP32, not BYTES"),
        ({"inputs": [tensor(shape=[2**62, 6])]}, "values, and 0 were given"),
        ({"inputs": [tensor(shape=[-1, 6])]}, "not [-1, 6]"),
    ],
    ids=str,
)
def test_what_is_malformed_says_what_was_expected(
    stub: Any, content: dict[str, Any], words: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(messages.ModelInferRequest(model_name=MODEL, **content))
    assert refused.value.code() is INVALID
    assert words in refused.value.details()


def test_a_timeout_must_be_a_number(stub: Any) -> None:
    request = messages.ModelInferRequest(
        model_name=MODEL, inputs=[tensor()], raw_input_contents=[bytes(24)]
    )
    request.parameters["timeout"].string_param = "soon"
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(request)
    assert (refused.value.code(), "in microseconds" in refused.value.details()) == (INVALID, True)


def test_what_other_servers_can_is_unimplemented(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelConfig(messages.ModelConfigRequest(name=MODEL))
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


TENSORS = st.builds(
    lambda name, datatype, shape: tensor(name=name, datatype=datatype, shape=shape),
    st.sampled_from(["x", "", "y"]),
    st.sampled_from(["FP32", "FP16", "INT64", "BYTES", ""]),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 6), max_size=4),
)
EXPECTED = (grpc.StatusCode.OK, INVALID, grpc.StatusCode.NOT_FOUND)
REQUESTS = st.builds(
    lambda inputs, raw: messages.ModelInferRequest(
        model_name=MODEL, inputs=inputs, raw_input_contents=raw
    ).SerializeToString(),
    st.lists(TENSORS, max_size=2),
    st.lists(st.binary(max_size=24), max_size=2),
)


@settings(max_examples=100, deadline=None)
@given(REQUESTS | st.binary(max_size=64))
def test_garbage_is_answered_by_the_protocol(pair: Fleet, written: bytes) -> None:
    with grpc.insecure_channel(f"{LOOPBACK}:{pair.entry.grpc}") as channel:
        method = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        code = method.future(written, timeout=20).code()
    assert code in EXPECTED
    assert "Traceback" not in pair.entry.log
