"""Whatever a file holds, `fin plan` ends with one of its statuses and never with a traceback."""

import copy
import io
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fin.cli.documents import Unreadable, documents
from fin.cli.planning import run
from fin.planning.options import Options
from tests.helpers import objects

TOKENS = [*"abk:-[]{}&*!|>%@,#'\"\n \t01.~?<=\\", "é", "\u2028", "---\n", "\n  ", "<<: ", "a: "]
TEXT = st.lists(st.sampled_from(TOKENS), max_size=40).map("".join)


@settings(max_examples=500)
@given(text=TEXT.map(str.encode) | st.binary(max_size=40), json=st.booleans())
def test_any_text_is_read_or_refused(text: bytes, json: bool) -> None:
    refused = ""
    try:
        found = documents(text, json=json)
    except Unreadable as error:
        refused = str(error)
    if refused:
        assert refused.startswith(("no YAML", "no JSON"))
        assert "\n" not in refused
    else:
        assert isinstance(found, list)


GOOD = [
    objects.node("mobile-0", "mobile"),
    objects.node("edge-0", taints=[{"key": "a", "value": "b", "effect": "NoSchedule"}]),
    objects.pod("busy", "edge-0", objects.container(cpu="100m"), overhead={"cpu": "1m"}),
    objects.topology(
        "default",
        objects.link("mobile", "edge"),
        interfaces=[{"on": {"tier": "mobile"}, "egress": "10M"}],
    ),
    objects.model(tolerations=[{"operator": "Exists"}], image="x:1"),
    objects.app(placement={"localBlocks": 1, "tiers": ["mobile", "edge"]}),
]
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-10, 10)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["0", "1e30", "1e-30", "9E", "1Ki", "edge-0", "edge", "5ms", "10000h"])
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [path, *(p for key, each in children for p in paths(each, (*path, key)))]


PLACES = [path for path in paths(GOOD) if path]


HUGE_CPU = [((1, "status", "allocatable", "cpu"), 9223372036854776.0)]  # beyond 64 bits of millis


HUGE_SOURCE = [((0, "status", "allocatable", "cpu"), "9E")]


@settings(max_examples=400, deadline=None)
@example(changes=HUGE_CPU)
@example(changes=HUGE_SOURCE)
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=2))
def test_any_value_in_any_field_ends_with_a_status(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    found: Any = copy.deepcopy(GOOD)
    for path, value in changes:
        parent = found
        for key in path[:-1]:
            try:
                parent = parent[key]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(parent, dict | list) and (
                isinstance(parent, dict) or (isinstance(path[-1], int) and path[-1] < len(parent))
            ):
                parent[path[-1]] = value
    with pytest.MonkeyPatch.context() as patch:
        text = yaml.safe_dump_all(found).encode()
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        errors = io.StringIO()
        patch.setattr("sys.stderr", errors)
        patch.setattr("sys.stdout", io.StringIO())
        status = run(
            ["-"],
            solver="fin",
            options=Options(),
            utilisation=0.8,
            segment_image="x:1",
            output="json",
        )
    assert status in (0, 2, 3)
    assert (status == 2) == ("error: standard input" in errors.getvalue())
