"""Values that apps are planned with in place of declared ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fin.api import DNNModel
from fin.api.parsing import parse
from fin.cluster.telemetry.adapting import (
    DECLARED,
    Adapted,
    adapted_to,
    exit_rates,
    planned_with,
    read,
    still_valid,
    with_observed,
    written,
)
from fin.cluster.telemetry.seen import Seen
from fin.planning.problem import App, Block, Exit, Model
from tests.helpers.objects import model

ROUND = 1e-3


@st.composite
def cut_models(draw: st.DrawFn) -> tuple[dict[str, float], dict[str, float]]:
    """Exit rates of a model, and observed shares at its first exits, the last of them final."""
    count = draw(st.integers(1, 8))
    weights = draw(st.lists(st.floats(0, 1), min_size=count + 1, max_size=count + 1))
    total = sum(weights) or 1.0
    rates = {f"exit{i}": weight / total for i, weight in enumerate(weights[:-1])}
    deployed = draw(st.integers(1, count + 1))
    seen = draw(st.lists(st.integers(0, 1000), min_size=deployed, max_size=deployed))
    names = [*rates, "last"][:deployed]
    number = sum(seen) or 1
    shares = {name: each / number for name, each in zip(names, seen, strict=True)}
    if not sum(seen):
        shares[names[-1]] = 1.0
    return rates, shares


@given(cut_models())
def test_observed_shares_fit_a_model_that_is_cut(
    case: tuple[dict[str, float], dict[str, float]],
) -> None:
    rates, shares = case
    found = with_observed(rates, shares)
    *early, _ = shares
    assert list(found) == list(rates)
    assert all(rate >= 0 for rate in found.values())
    assert sum(found.values()) <= 1 + 1e-9
    assert all(shares[name] - ROUND <= found[name] <= shares[name] for name in early)
    # Of those that go on, the same share leaves at each later exit as before.
    went_on, goes_on = 1.0, 1.0
    for name, rate in rates.items():
        if name not in early and went_on > 1e-6 and goes_on > 1e-6:
            assert found[name] / goes_on == pytest.approx(rate / went_on, abs=1e-6)
        went_on -= rate
        goes_on -= found[name]


@given(cut_models())
def test_an_app_planned_with_observed_shares_has_them(
    case: tuple[dict[str, float], dict[str, float]],
) -> None:
    rates, shares = case
    exits = [Exit(name, 1.0, 1, rate, 0.9) for name, rate in rates.items()]
    blocks = [Block(each.name, 1.0, 1, 1.0, each) for each in exits]
    last = Block("last", 1.0, 1, 1.0, Exit("last", 1.0, 1, 0.0, 0.9))
    app = App("ns", "app", Model("net", 1.0, (*blocks, last)), "node", 1.0, 1.0, 0.5)
    planned = planned_with(app, Adapted(exit_rates=with_observed(rates, shares)))
    assert exit_rates(planned.model) == with_observed(rates, shares)
    final = len(shares) - 1
    assert planned.reach(final) == pytest.approx([*shares.values()][-1], abs=ROUND * len(shares))
    assert planned_with(app, DECLARED) == app


rates = st.floats(1e-6, 1e9)
adapteds = st.builds(
    Adapted,
    rate=st.none() | rates,
    declared_rate=rates,
    exit_rates=st.none() | st.dictionaries(st.text(max_size=5), st.floats(0, 0.1), max_size=5),
    model=st.text(max_size=8),
)


@given(adapteds)
def test_what_is_written_is_read_again(adapted: Adapted) -> None:
    assert read(written(adapted)) == adapted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '{"rate": "fast"}',
        '{"rate": -1}',
        '{"rate": 0}',
        '{"rate": 1e999}',
        '{"exit_rates": {"a": 0.7, "b": 0.7}}',
        '{"exit_rates": {"a": -0.1}}',
        '{"exit_rates": {"a": null}}',
        '{"exit_rates": 3}',
    ],
)
def test_what_a_person_broke_is_as_declared(text: str) -> None:
    assert read(text) == DECLARED


def observed(rate: float, **shares: float) -> Seen:
    return Seen(60.0, 1200.0, 1.0, rate, 0.1, None, shares)


def adapted(seen: Seen, *aspects: str, now: Adapted = DECLARED) -> Adapted:
    app = App("ns", "app", NET, "node", 10.0, 1.0, 0.5)
    found = planned_with(app, now)
    return adapted_to(seen, set(aspects), now, found, 10.0, SPEC)  # type: ignore[arg-type]


SPEC = parse(DNNModel, model())
NET = Model(
    "net",
    1.0,
    (
        Block("block1", 1.0, 1, 1.0, Exit("block1", 1.0, 1, 0.4, 0.7)),
        Block("block3", 1.0, 1, 1.0, Exit("final", 0.0, 0, 0.0, 0.9)),
    ),
)


def test_only_what_is_off_plan_is_adapted() -> None:
    seen = observed(37.21, block1=0.7, final=0.3)
    assert adapted(seen) == DECLARED
    assert adapted(seen, "latency") == DECLARED
    assert adapted(seen, "rate") == Adapted(rate=37.2, declared_rate=10.0)
    exits = adapted(seen, "exits")
    assert (exits.rate, exits.exit_rates) == (None, {"block1": 0.7})
    both = adapted(seen, "exits", now=adapted(seen, "rate"))
    assert (both.rate, both.exit_rates) == (37.2, {"block1": 0.7})


def test_a_silent_app_keeps_a_tenth_of_its_declared_rate() -> None:
    assert adapted(observed(0.0, final=1.0), "rate").rate == 1.0


def test_what_was_edited_since_is_not_adapted_any_more() -> None:
    found = adapted(observed(37.0, block1=0.7, final=0.3), "rate", "exits")
    assert still_valid(found, 10.0, SPEC) == found
    assert still_valid(found, 12.0, SPEC).rate is None
    assert still_valid(found, 12.0, SPEC).exit_rates == {"block1": 0.7}
    changed = model()
    changed["spec"]["blocks"][0]["exit"]["threshold"] = 0.9
    assert still_valid(found, 10.0, parse(DNNModel, changed)).exit_rates is None
    assert still_valid(found, 10.0, parse(DNNModel, changed)).rate == 37.0
