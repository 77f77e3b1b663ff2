"""What counts of segments tell, and when it has left the plan's tolerance."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fin.cluster.telemetry.counts import Counts, Reading, counted
from fin.cluster.telemetry.offplan import Deviation, Promise, off_plan
from fin.cluster.telemetry.pace import LEAST
from fin.cluster.telemetry.seen import Latency, Seen, faded, quantile, seen

BOUNDS = (0.001, 0.01, 0.1, math.inf)
PROMISE = Promise(
    rate=20.0, shares={"early": 0.4, "final": 0.6}, target=0.05, statistic="Mean", from_source=0.01
)
SEEN = Seen(
    seconds=60.0,
    requests=1200.0,
    batch=1.0,
    rate=20.0,
    power=0.1,
    latency=Latency(0.02, 0.08),
    shares={"early": 0.4, "final": 0.6},
)

whole = st.integers(0, 1000).map(float)
counts = st.builds(
    Counts,
    seconds=st.just(0.0),
    samples=st.dictionaries(st.sampled_from(["early", "final"]), whole),
    asked=whole,
    served=whole,
    latency=whole,
    buckets=st.dictionaries(st.sampled_from(BOUNDS), whole),
    joules=whole,
)


def of_one(pod: str, at: float, found: Counts) -> Mapping[str, Reading]:
    return {"entry": Reading(pod, at, found)}


@given(counts, counts)
def test_what_was_counted_lies_between_two_readings(before: Counts, more: Counts) -> None:
    found = counted(of_one("a", 1.0, before), of_one("a", 4.0, before.plus(more)), "entry")
    assert found is not None
    assert found.seconds == 3.0
    assert list(found.values()) == list(before.scaled(0.0).plus(more).values())


@given(counts, counts)
def test_a_container_that_starts_again_counts_from_zero(before: Counts, after: Counts) -> None:
    assume(after.asked < before.asked)
    found = counted(of_one("a", 1.0, before), of_one("a", 2.0, after), "entry")
    assert found is not None
    assert found.asked == after.asked
    assert found.samples == after.samples


def test_another_pod_tells_nothing_of_the_time_before() -> None:
    before = {**of_one("a", 1.0, Counts(asked=5)), "next": Reading("b", 1.0, Counts())}
    after = {**of_one("a", 2.0, Counts(asked=9)), "next": Reading("c", 2.0, Counts(joules=7))}
    assert counted(before, after, "entry") is None
    assert counted({}, after, "entry") is None


def test_segments_count_together() -> None:
    before = {**of_one("a", 1.0, Counts()), "next": Reading("b", 1.0, Counts(joules=1))}
    ran = Counts(samples={"final": 3.0}, joules=4)
    after = {**of_one("a", 3.0, Counts(samples={"early": 2.0})), "next": Reading("b", 3.5, ran)}
    found = counted(before, after, "entry")
    assert found is not None
    assert (found.seconds, found.joules, found.samples) == (2.0, 3.0, {"early": 2.0, "final": 3.0})


@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 1)), min_size=1, max_size=60),
    st.floats(0.1, 60),
)
def test_shares_and_rate_stay_within_what_was_counted(
    intervals: list[tuple[float, float]], seconds: float
) -> None:
    """However it fades: each is a mean of what the intervals had, and shares add up to 1."""
    window = Counts()
    for number, share in intervals:
        new = Counts(
            seconds=seconds,
            samples={"early": number * share, "final": number * (1 - share)},
            asked=number,
            served=number,
        )
        window = faded(window, seconds, 60).plus(new)
    found = seen(window, ["early", "final"])
    rates = [number / seconds for number, _ in intervals]
    assert min(rates) * (1 - 1e-9) <= found.rate <= max(rates) * (1 + 1e-9)
    if found.shares is not None:
        assert sum(found.shares.values()) == pytest.approx(1)
        shares = [share for number, share in intervals if number]
        assert min(shares) - 1e-9 <= found.shares["early"] <= max(shares) + 1e-9
    else:
        assert sum(number for number, _ in intervals) < LEAST or window.served < LEAST


def test_a_seldom_asked_app_is_observed_over_a_longer_time() -> None:
    window = Counts()
    for _ in range(1000):
        new = Counts(15.0, {"final": 1.0}, asked=1.0, served=1.0)
        window = faded(window, 15.0, 60.0).plus(new)
    found = seen(window, ["final"])
    assert LEAST < found.requests < 2 * LEAST + 2
    assert found.rate == pytest.approx(1 / 15)
    assert found.shares == {"final": 1.0}


def test_silence_lets_the_rate_sink_and_leaves_the_rest() -> None:
    window = Counts(60.0, {"early": 400.0, "final": 800.0}, asked=1200.0, served=1200.0)
    for _ in range(100):
        window = faded(window, 15.0, 60.0).plus(Counts(15.0))
    found = seen(window, ["early", "final"])
    assert found.rate < 0.15
    assert found.shares == pytest.approx({"early": 1 / 3, "final": 2 / 3})


def test_after_a_long_silence_a_rate_is_seen_within_minutes() -> None:
    window = Counts(60.0, {"final": 1200.0}, asked=1200.0, served=1200.0)
    for _ in range(5000):
        window = faded(window, 15.0, 60.0).plus(Counts(15.0))
    assert seen(window, ["final"]).shares is None
    steps = 0
    while seen(window, ["final"]).rate < 16:
        new = Counts(15.0, {"final": 300.0}, asked=300.0, served=300.0)
        window = faded(window, 15.0, 60.0).plus(new)
        steps += 1
    assert steps * 15 <= 6 * 60


def test_refused_requests_are_asked_for_too() -> None:
    window = Counts(10.0, {"final": 400.0}, asked=300.0, served=100.0)
    assert seen(window, ["final"]).rate == 120.0


@given(
    st.lists(st.floats(1e-6, 20), min_size=1, max_size=300),
    st.floats(0.01, 1),
)
def test_a_quantile_lies_in_the_bucket_of_the_true_one(times: list[float], share: float) -> None:
    bounds = np.array(BOUNDS)
    places = np.searchsorted(bounds, times)
    buckets = {bound: float((places == place).sum()) for place, bound in enumerate(BOUNDS)}
    true = sorted(times)[max(math.ceil(share * len(times) - 1e-6), 1) - 1]
    found = quantile(buckets, share)
    place = int(np.searchsorted(bounds, true))
    below = ([0.0, *BOUNDS])[place]
    assert below * (1 - 1e-9) <= found <= min(bounds[place], BOUNDS[-2]) * (1 + 1e-9)


# --- off plan ------------------------------------------------------------------------------


def reasons(found: Seen, promise: Promise = PROMISE, **before: bool) -> list[str]:
    already = {name for name in ("rate", "latency", "exits") if before.get(name)}
    return [each.reason for each in off_plan(found, promise, already)]  # type: ignore[arg-type]


def test_what_is_as_planned_is_not_off_plan() -> None:
    assert reasons(SEEN) == []


@pytest.mark.parametrize(
    ("rate", "expected"), [(30.0, ["RateAbovePlan"]), (10.0, ["RateBelowPlan"]), (22.0, [])]
)
def test_the_rate_has_left_the_plan(rate: float, expected: list[str]) -> None:
    assert reasons(replace(SEEN, rate=rate)) == expected


def test_a_silent_app_is_off_plan() -> None:
    silent = replace(SEEN, rate=0.0, requests=0.0, latency=None, shares=None)
    assert reasons(silent) == ["RateBelowPlan"]


def test_latency_is_compared_with_the_target_from_the_source_on() -> None:
    assert reasons(replace(SEEN, latency=Latency(0.039, 0.5))) == []
    late = replace(SEEN, latency=Latency(0.041, 0.5))
    (found,) = off_plan(late, PROMISE, frozenset())
    assert found == Deviation("latency", "LatencyAboveTarget", "mean latency 51ms, target 50ms")
    of_each = replace(PROMISE, statistic="Max")
    assert reasons(replace(SEEN, latency=Latency(0.001, 0.041)), of_each) == ["LatencyAboveTarget"]


def test_exits_have_left_the_plan() -> None:
    off = replace(SEEN, shares={"early": 0.2, "final": 0.8})
    (found,) = off_plan(off, PROMISE, frozenset())
    assert found.reason == "ExitsOffPlan"
    assert found.message == ("leaving at early 20.0% (planned 40.0%), final 80.0% (planned 60.0%)")


def test_too_few_requests_say_nothing_of_exits() -> None:
    assert reasons(replace(SEEN, shares=None, latency=None)) == []


@given(st.floats(0, 60), st.floats(0, 1), st.floats(0.001, 0.1))
def test_what_is_off_plan_comes_back_later_than_it_leaves(
    rate: float, early: float, mean: float
) -> None:
    found = replace(
        SEEN, rate=rate, shares={"early": early, "final": 1 - early}, latency=Latency(mean, mean)
    )
    fresh = {each.aspect for each in off_plan(found, PROMISE, frozenset())}
    again = {each.aspect for each in off_plan(found, PROMISE, {"rate", "latency", "exits"})}
    assert fresh <= again


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 200), st.floats(0, 1), st.integers(1, 32))
def test_chance_alone_leaves_no_plan(seed: int, rate: float, early: float, batch: int) -> None:
    """Requests at random, samples that leave at random, all as planned: almost never off plan."""
    random = np.random.default_rng(seed)
    promise = replace(PROMISE, rate=rate, shares={"early": early, "final": 1 - early})
    window, off = Counts(), 0
    for step in range(200):
        requests = float(random.poisson(15 * rate / batch))
        leaving = float(random.binomial(int(requests), early)) * batch
        samples = {"early": leaving, "final": requests * batch - leaving}
        new = Counts(15.0, samples, asked=requests, served=requests)
        window = faded(window, 15.0, 60.0).plus(new)
        # Before the first request nobody knows how many samples it will have.
        if step and window.served:
            off += bool(off_plan(seen(window, ["early", "final"]), promise, frozenset()))
    assert off <= 8
