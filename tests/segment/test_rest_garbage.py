"""Whatever a client sends: an answer by the protocol, and the server lives on."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.segments import MODEL, Fleet

PATH = f"/v2/models/{MODEL}/infer"
LENGTH = "Inference-Header-Content-Length"
X = {"name": "x", "datatype": "FP32", "shape": [1, 6], "data": [1, 2, 3, 4, 5, 6]}
RAW = {key: value for key, value in X.items() if key != "data"}


def binary(size: Any) -> dict[str, Any]:
    return {"inputs": [{**RAW, "parameters": {"binary_data_size": size}}]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body must be JSON"),
        (b"{", "the body must be JSON"),
        (b"\xff\xfe", "the body must be JSON"),
        ([], "the body must be a JSON object"),
        ({}, "inputs must be a list"),
        ({"inputs": []}, "inputs must be one, x, a FP32[-1, 6]; given: none"),
        ({"inputs": [3]}, "each input must be a JSON object"),
        ({"inputs": [{}]}, "name and datatype must be strings"),
        ({"inputs": [RAW]}, "must have data, or the parameter binary_data_size"),
        ({"inputs": [{**X, "shape": "1x6"}]}, "shape must be a list"),
        ({"inputs": [{**X, "shape": [1.0, 6]}]}, "shape must be integers"),
        ({"inputs": [{**X, "shape": [True, 6]}]}, "shape must be integers"),
        ({"inputs": [{**X, "shape": [-1, 6]}]}, "not [-1, 6]"),
        ({"inputs": [{**X, "shape": [2**62, 6]}]}, "values, and 6 were given"),
        ({"inputs": [{**X, "data": [1, 2]}]}, "shape [1, 6] has 6 values, and 2 were given"),
        ({"inputs": [{**X, "data": [[1, 2, 3], [4]]}]}, "data must be a list of FP32 values"),
        ({"inputs": [{**X, "data": ["1"] * 6}]}, "data must be a list of FP32 values"),
        ({"inputs": [{**X, "data": [None] * 6}]}, "data must be a list of FP32 values"),
        ({"inputs": [{**X, "data": {"a": 1}}]}, "data must be a list of FP32 values"),
        ({"inputs": [{**X, "data": 1}]}, "data must be a list of FP32 values"),
        ({"inputs": [{**X, "parameters": 1}]}, "inputs: parameters must be a JSON object"),
        ({"inputs": [{**X, "parameters": {"shared_memory_region": "a"}}]}, "shared memory"),
        ({"inputs": [X], "outputs": "all"}, "outputs must be a list"),
        ({"inputs": [X], "outputs": [{"name": 3}]}, "the only output is logits"),
        ({"inputs": [X], "id": 3}, "id must be a string"),
        ({"inputs": [X], "parameters": []}, "parameters must be a JSON object"),
        ({"inputs": [X], "parameters": {"timeout": "soon"}}, "in microseconds"),
        ({"inputs": [X], "parameters": {"binary_data_output": 1}}, "must be true or false"),
        (
            {"inputs": [X], "outputs": [{"name": "logits", "parameters": {"classification": 2}}]},
            "classification is not supported",
        ),
        (binary(24), "binary_data_size must be 0"),
        (binary("24"), "binary_data_size must be 0"),
    ],
    ids=str,
)
def test_what_is_malformed_is_a_400_that_says_what_was_expected(
    pair: Fleet, body: Any, words: str
) -> None:
    written = body if isinstance(body, bytes) else orjson.dumps(body)
    reply = pair.entry.ask(PATH, written)
    assert reply.status == 400
    assert words in reply.error


@pytest.mark.parametrize(
    ("length", "size", "raw", "words"),
    [
        (None, 23, bytes(23), "has 24 bytes, and 23 were given"),
        (None, 24, bytes(25), "must be 25, the bytes behind the JSON"),
        ("1000000", 24, bytes(24), "must be the bytes of the JSON"),
        ("-1", 24, bytes(24), "must be the bytes of the JSON"),
        ("three", 24, bytes(24), "must be the bytes of the JSON"),
        ("0", 24, bytes(24), "the body must be JSON"),
    ],
)
def test_wrong_binary_tensors(
    pair: Fleet, length: str | None, size: int, raw: bytes, words: str
) -> None:
    header = orjson.dumps(binary(size))
    reply = pair.entry.ask(PATH, header + raw, {LENGTH: length or str(len(header))})
    assert reply.status == 400
    assert words in reply.error


def test_bytes_that_belong_to_nothing(pair: Fleet) -> None:
    header = orjson.dumps({"inputs": [X]})
    reply = pair.entry.ask(PATH, header + b"more", {LENGTH: str(len(header))})
    assert (reply.status, "no binary_data_size" in reply.error) == (400, True)


def test_nested_data_and_whole_numbers_are_taken(pair: Fleet) -> None:
    nested = {**X, "shape": [2, 6], "data": [[1, 2, 3, 4, 5, 6], [1.5, 0, 0, 0, 0, 0]]}
    reply = pair.entry.ask(PATH, orjson.dumps({"inputs": [nested]}))
    expected, _ = pair.network.answer(np.array(nested["data"], np.float32))
    np.testing.assert_allclose(reply.logits, expected, rtol=1e-4, atol=1e-5)


def test_a_body_that_is_not_what_its_header_says(pair: Fleet) -> None:
    reply = pair.entry.ask(PATH, b"not compressed", {"Content-Encoding": "gzip"})
    assert reply.status == 400
    assert reply.error


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", PATH, 405),
        ("POST", "/v2", 405),
        ("GET", "/v2/models/net/versions/r9", 404),
    ],
)
def test_other_paths_and_methods_are_errors_as_json(
    pair: Fleet, method: str, path: str, status: int
) -> None:
    reply = pair.entry.ask(path, method=method)
    assert reply.status == status
    assert reply.error


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(["name", "datatype", "shape", "data", "parameters"])
NEARLY = st.builds(
    lambda key, value, name, other: {"inputs": [{**X, key: value}], name: other},
    KEYS,
    JSON,
    st.sampled_from(["outputs", "parameters", "id", "extra"]),
    JSON,
)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | (JSON | NEARLY).map(orjson.dumps))
def test_garbage_is_answered_by_the_protocol(pair: Fleet, body: bytes) -> None:
    reply = pair.entry.ask(PATH, body)
    assert reply.status in (200, 400)
    if reply.status == 400:
        assert reply.error
