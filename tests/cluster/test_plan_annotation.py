"""The running plan is read back as it was written, or not at all."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fin.cluster import annotation
from fin.cluster.naming import digest
from fin.cluster.revision import BlockRun, Facts, Revision, Segment, Share, Template
from fin.planning.plan import Placement

Json = dict[str, Any]

REVISION = Revision(
    digest="0a1b2c3d",
    generation=7,
    model="net",
    blocks=("conv1", "conv2"),
    exits=((1, "exit2"),),
    placement=Placement(("mobile-0", "edge-0"), (("mobile-0",), ("mobile-0", "gw", "edge-0"))),
    segments=(
        Segment("camera-11111111", "11111111", "mobile-0", (0,), 250, 1 << 26),
        Segment("camera-22222222", "22222222", "edge-0", (1,), 1500, (1 << 26) + 1),
    ),
    template=Template(
        "image:1",
        ("registry",),
        "runner",
        ({"key": "gpu", "operator": "Exists"},),
        {"configMap": {"name": "weights"}},
    ),
    traffic=((("mobile-0", "gw"), 0.1 + 0.2), (("gw", "edge-0"), 1e6)),
    facts=Facts(
        *(0.83, 0.0187, 9.33e-3, 0.187, 0.004),
        shares=(
            (Share("compute", "edge-0", "edge"), 9e-3),
            (Share("network", "gw", "hub"), 3.3e-4),
        ),
    ),
    runs=(
        BlockRun("features", None, "Confidence", None, 1e-3, 0.0),
        BlockRun(None, "logits", "Entropy", 0.25, 8e-3, 3.3e-4),
    ),
)


def test_it_is_read_as_it_was_written() -> None:
    assert annotation.read(annotation.written(REVISION)) == REVISION


def test_it_is_json_that_a_person_can_read() -> None:
    found = json.loads(annotation.written(REVISION))["revision"]
    assert found["placement"]["nodes"] == ["mobile-0", "edge-0"]
    assert found["segments"][1]["millicores"] == 1500
    assert found["exits"] == [[1, "exit2"]]


def test_one_of_a_version_that_wrote_neither_shares_nor_runs_is_read() -> None:
    content = json.loads(annotation.written(REVISION))["revision"]
    del content["facts"]["shares"]
    del content["runs"]
    text = json.dumps({"checksum": digest(content), "revision": content})
    read = annotation.read(text)
    assert read is not None
    assert read == replace(REVISION, facts=replace(REVISION.facts, shares=()), runs=())


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "{}", '{"revision": 1}', "\x00", "[" * 9999]
)
def test_garbage_is_no_plan(text: str) -> None:
    assert annotation.read(text) is None


@given(st.text())
def test_any_text_is_no_plan(text: str) -> None:
    assert annotation.read(text) is None


@given(st.data())
@settings(max_examples=200)
def test_an_edited_one_is_no_plan(data: st.DataObject) -> None:
    written = annotation.written(REVISION)
    position = data.draw(st.integers(0, len(written) - 1))
    character = data.draw(st.characters(codec="ascii"))
    edited = written[:position] + character + written[position + 1 :]
    assert annotation.read(edited) in (None, REVISION)


def _change(path: tuple[Any, ...], value: Any) -> Callable[[Json], None]:
    def change(content: Json) -> None:
        *parents, last = path
        target: Any = content
        for step in parents:
            target = target[step]
        target[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _change(("blocks",), []),
        _change(("blocks",), ["conv1"]),
        _change(("exits",), []),
        _change(("exits", 0, 0), 0),
        _change(("segments",), []),
        _change(("segments", 0, "node"), "edge-9"),
        _change(("segments", 0, "name"), ""),
        _change(("placement", "routes", 0), []),
        _change(("placement", "nodes"), []),
        _change(("facts", "energy"), -1.0),
        _change(("facts", "shares", 0, 1), -1.0),
        _change(("traffic", 0, 1), -1.0),
        _change(("runs",), [[None, None, "Confidence", None, 0.0, 0.0]]),
        _change(("runs", 0, "joules"), -1.0),
        _change(("runs", 1, "input_joules"), -1.0),
    ],
)
def test_parts_that_do_not_fit_are_no_plan_though_the_checksum_is_right(
    change: Callable[[Json], None],
) -> None:
    content = json.loads(annotation.written(REVISION))["revision"]
    change(content)
    text = json.dumps({"checksum": digest(content), "revision": content})
    assert annotation.read(text) is None
