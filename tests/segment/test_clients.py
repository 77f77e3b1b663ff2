"""Clients that nobody changed: tritonclient over HTTP and gRPC."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from google.protobuf.json_format import MessageToDict
from tritonclient.utils import InferenceServerException

from fin.segment.protocol import VERSION
from tests.helpers.segments import LOOPBACK, MODEL, REVISION, Fleet


@pytest.fixture(scope="module", params=["http", "grpc"])
def client(request: pytest.FixtureRequest, pair: Fleet) -> Iterator[Any]:
    module = {"http": tritonclient.http, "grpc": tritonclient.grpc}[request.param]
    port = {"http": pair.entry.http, "grpc": pair.entry.grpc}[request.param]
    with module.InferenceServerClient(f"{LOOPBACK}:{port}") as connected:
        yield connected


def over_http(client: Any) -> bool:
    return isinstance(client, tritonclient.http.InferenceServerClient)


def tensor(client: Any, batch: Any, binary: bool = True, name: str = "x") -> Any:
    kind = np.dtype(batch.dtype).name.upper().replace("FLOAT", "FP")
    if over_http(client):
        given = tritonclient.http.InferInput(name, batch.shape, kind)
        return given.set_data_from_numpy(batch, binary_data=binary)
    return tritonclient.grpc.InferInput(name, batch.shape, kind).set_data_from_numpy(batch)


def parameters(client: Any, result: Any) -> dict[str, str]:
    response = result.get_response()
    if over_http(client):
        return dict(response["parameters"])
    return {name: value.string_param for name, value in response.parameters.items()}


def plain(client: Any, answer: Any) -> Any:
    return answer if over_http(client) else MessageToDict(answer, preserving_proto_field_name=True)


def test_the_server_and_the_model_are_live_and_ready(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, REVISION)
    assert not client.is_model_ready(MODEL, "r2")


def test_metadata(client: Any) -> None:
    server = plain(client, client.get_server_metadata())
    assert (server["name"], server["version"]) == ("fin-segment", VERSION)
    assert "binary_tensor_data" in server["extensions"]
    model = plain(client, client.get_model_metadata(MODEL))
    assert (model["name"], model["versions"]) == (MODEL, [REVISION])
    given, answered = model["inputs"], model["outputs"]
    assert [(t["name"], t["datatype"], [*map(int, t["shape"])]) for t in given] == [
        ("x", "FP32", [-1, 6])
    ]
    assert [(t["name"], t["datatype"], [*map(int, t["shape"])]) for t in answered] == [
        ("logits", "FP32", [-1, 4])
    ]


@pytest.mark.parametrize("binary", [True, False])
def test_a_batch_whose_samples_leave_at_different_exits(
    client: Any, pair: Fleet, binary: bool
) -> None:
    batch = pair.network.batch(50, seed=1)
    expected, exits = pair.network.answer(batch)
    assert len({*exits}) == 3
    outputs = None
    if over_http(client):
        outputs = [tritonclient.http.InferRequestedOutput("logits", binary_data=binary)]
    result = client.infer(
        MODEL, [tensor(client, batch, binary)], request_id="seven", outputs=outputs
    )
    np.testing.assert_allclose(result.as_numpy("logits"), expected, rtol=1e-4, atol=1e-5)
    told = parameters(client, result)
    assert told["exits"].split(",") == exits
    assert told["segments"] == "app-0,app-1"
    assert all(int(each) >= 0 for key in ("compute_us", "wait_us") for each in told[key].split(","))
    response = plain(client, result.get_response())
    assert (response["id"], response["model_version"]) == ("seven", REVISION)


def test_a_batch_that_leaves_at_once_is_not_passed_on(client: Any, pair: Fleet) -> None:
    batch = pair.network.batch(200, seed=2)
    _, exits = pair.network.answer(batch)
    early = batch[[name == "exit-block0" for name in exits]]
    result = client.infer(MODEL, [tensor(client, early)])
    assert parameters(client, result)["segments"] == "app-0"


def test_compression(client: Any, pair: Fleet) -> None:
    batch = pair.network.batch(50)
    given = [tensor(client, batch)]
    if over_http(client):
        result = client.infer(MODEL, given, request_compression_algorithm="gzip")
    else:
        result = client.infer(MODEL, given, compression_algorithm="gzip")
    expected, _ = pair.network.answer(batch)
    np.testing.assert_allclose(result.as_numpy("logits"), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "other"}, "model other is not served here; served: net"),
        ({"version": "r9"}, "revision r9 is not known here; known: r1"),
        ({"shape": (3, 5)}, r"shape must be \[-1, 6\]"),
        ({"shape": (0, 6)}, "that of the batch, at least 1"),
        ({"shape": (6,)}, r"not \[6\]"),
        ({"dtype": np.int32}, "datatype must be FP32, not INT32"),
        ({"name": "y"}, r"must be one, x, a FP32\[-1, 6\]; given: y"),
        ({"twice": True}, "given: x, x"),
        ({"output": "scores"}, "the only output is logits; given: scores"),
        ({"timeout": 1}, "deadline has passed"),
        ({"shape": (5000, 6)}, "must have at most 100000 bytes; send smaller batches"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(client: Any, change: dict[str, Any], words: str) -> None:
    batch = np.zeros(change.get("shape", (3, 6)), change.get("dtype", np.float32))
    given = [tensor(client, batch, name=change.get("name", "x"))]
    given *= 1 + ("twice" in change)
    module = tritonclient.http if over_http(client) else tritonclient.grpc
    outputs = [module.InferRequestedOutput(change["output"])] if "output" in change else None
    with pytest.raises(InferenceServerException, match=words) as refused:
        client.infer(
            change.get("model", MODEL), given, model_version=change.get("version", ""),
            outputs=outputs, timeout=change.get("timeout"),
        )  # fmt: skip
    expected = ("400", "StatusCode.INVALID_ARGUMENT")
    if "model" in change or "version" in change:
        expected = ("404", "StatusCode.NOT_FOUND")
    if "timeout" in change:
        expected = ("504", "StatusCode.DEADLINE_EXCEEDED")
    assert refused.value.status() == expected[not over_http(client)]


def test_a_segment_that_is_no_entry_says_so(pair: Fleet) -> None:
    second = pair.segments[1]
    assert second.ask("/v2/health/ready").status == 200
    assert second.ask(f"/v2/models/{MODEL}/ready").status == 404
    refused = second.infer(pair.network.batch(1))
    assert refused.status == 404
    assert "segment app-1 is no entry" in refused.error
    named = second.infer(pair.network.batch(1), REVISION)
    assert "requests of revision r1 enter at segment app-0" in named.error


def test_requests_are_counted(pair: Fleet) -> None:
    def count(code: str) -> float:
        return pair.entry.metric("fin_segment_requests_total", protocol="rest", code=code)

    batch = pair.network.batch(1)
    before = count("200"), count("400"), count("404")
    pair.entry.infer(batch)
    pair.entry.infer(batch[:, :3])
    pair.entry.infer(batch, "r9")
    assert (count("200"), count("400"), count("404")) == tuple(each + 1 for each in before)
    for name in ("request", "compute", "network", "wait"):
        assert pair.entry.metric(f"fin_segment_{name}_duration_seconds_count") > 0
    assert pair.entry.metric("fin_segment_sent_bytes_total") > 0
    assert pair.entry.metric("fin_segment_queue_requests") == 0
    assert pair.entry.metric("fin_segment_in_flight_requests") == 0


def test_what_is_far_too_large_is_refused_before_it_is_read(pair: Fleet) -> None:
    batch = np.zeros((100_000, 6), np.float32)
    with tritonclient.grpc.InferenceServerClient(f"{LOOPBACK}:{pair.entry.grpc}") as client:
        with pytest.raises(InferenceServerException, match="larger than max") as refused:
            client.infer(MODEL, [tensor(client, batch)])
        assert refused.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
    reply = pair.entry.ask(f"/v2/models/{MODEL}/infer", batch.tobytes())
    assert (reply.status, "at most 100000 bytes" in reply.error) == (400, True)
