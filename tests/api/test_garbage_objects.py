"""Whatever an object holds, `parse` returns a model or raises InvalidObject."""

import copy
import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fin.api import RESOURCES, InferenceApp, InvalidObject, Resource, parse
from tests.helpers import api_cases as cases

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3),
    st.binary(max_size=5),
    st.dates(),
    st.sampled_from(
        [
            10**400,
            -(10**400),
            "1" * 10_000,
            "9" * 40,
            "1e400",
            math.nan,
            math.inf,
            "\x00",
            "nan",
        ]
    ),
)
keys = st.one_of(
    st.text(max_size=10),
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(["apiVersion", "kind", "metadata", "spec", "blocks", "links", "model", "name"]),
)
garbage = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)
resources = st.sampled_from(RESOURCES)


def parse_or_refuse(resource: type[Resource], raw: object) -> None:
    refused = None
    try:
        assert isinstance(parse(resource, raw), resource)
    except InvalidObject as error:
        refused = error
    if refused:
        assert refused.kind == resource.KIND
        assert refused.errors
        assert all(fault.reason for fault in refused.errors)
        assert str(refused).isprintable()


@given(resources, garbage)
def test_garbage_is_refused(resource: type[Resource], raw: object) -> None:
    parse_or_refuse(resource, raw)


@given(st.sampled_from(cases.VALID), garbage, st.data())
def test_garbage_in_any_field_is_refused_or_taken(
    valid: tuple[type[Resource], cases.Object], value: object, data: st.DataObject
) -> None:
    resource, original = valid
    path = data.draw(st.sampled_from(list(cases.paths(original))))
    parse_or_refuse(resource, cases.changed(original, path, value))


@given(st.sampled_from(cases.VALID), keys, garbage, st.data())
def test_an_unknown_field_anywhere_is_refused(
    valid: tuple[type[Resource], cases.Object], key: object, value: object, data: st.DataObject
) -> None:
    resource, original = valid
    mappings = [
        path
        for path in cases.paths(original)
        if isinstance(_at(original, path), dict) and path[0] == "spec"
    ]
    raw = copy.deepcopy(original)
    _at(raw, data.draw(st.sampled_from(mappings)))[key] = value
    parse_or_refuse(resource, raw)


def _at(value: Any, path: cases.Path) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize(
    "raw",
    [
        None, 0, 1.5, "", "text", b"bytes", [], [[]], (), {}, set(), {1}, {None: None}, object(),
        print, date(2026, 1, 1), datetime(2026, 1, 1), Decimal(1), math.nan, {"spec": {}},
        {"metadata": None}, {"metadata": {"name": ["a"], "namespace": 3}},
        {"kind": {}, "apiVersion": []},
    ],
)  # fmt: skip
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: str(resource.KIND))
def test_objects_of_other_shapes_are_refused(resource: type[Resource], raw: object) -> None:
    with pytest.raises(InvalidObject):
        parse(resource, raw)


@pytest.mark.parametrize("path", [(), ("spec",), ("spec", "source"), ("spec", "rate")])
def test_deep_nesting_is_refused(path: cases.Path) -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"spec": deep}
    raw = cases.app()
    if path:
        raw = cases.changed(raw, path, None)
        _at(raw, path[:-1])[path[-1]] = [deep]
    else:
        raw["spce"] = deep
    with pytest.raises(InvalidObject):
        parse(InferenceApp, raw)


# Python itself refuses to write a number of so many digits as text.
LONG = 10**5000


@pytest.mark.parametrize("key", ["rate", "priority", "minAccuracy", "model", "latency"])
def test_integers_too_long_to_be_written_are_refused(key: str) -> None:
    raw = cases.app()
    raw["spec"][key] = LONG
    with pytest.raises(InvalidObject, match="must be"):
        parse(InferenceApp, raw)


def test_an_integer_too_long_to_be_written_is_no_name_of_a_field() -> None:
    raw = cases.app()
    raw["spec"][LONG] = 1
    with pytest.raises(InvalidObject, match="is not a field"):
        parse(InferenceApp, raw)


def test_an_object_that_holds_itself_is_refused() -> None:
    raw = cases.app()
    raw["spec"]["source"] = raw["spec"]
    raw["spec"]["self"] = raw
    with pytest.raises(InvalidObject):
        parse(InferenceApp, raw)


def test_long_names_do_not_fill_the_terminal() -> None:
    raw = cases.app()
    raw["spec"]["x" * 10_000] = 1
    raw["metadata"] |= {"name": "n" * 10_000, "namespace": "m" * 10_000}
    with pytest.raises(InvalidObject) as refused:
        parse(InferenceApp, raw)
    assert len(str(refused.value)) < 2000
