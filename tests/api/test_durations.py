from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fin.api import Duration

SECONDS = {
    "ns": Fraction(1, 10**9), "us": Fraction(1, 10**6), "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600),
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("20ms", Fraction(20, 1000)),
        ("1.5s", Fraction(3, 2)),
        ("1m30s", 90),
        ("1h1m1s1ms1us1ns", 3661 + Fraction(1_001_001, 10**9)),
        ("500ns", Fraction(500, 10**9)),
        ("0.1ns", Fraction(1, 10**10)),
        ("250µs", Fraction(250, 10**6)),
        ("1s1s", 2),
    ],
)
def test_a_duration_is_read_exactly(text: str, seconds: Fraction | int) -> None:
    duration = Duration.parse(text)
    assert duration.value == seconds
    assert float(duration) == float(seconds)
    assert str(duration) == text


@pytest.mark.parametrize(
    "raw",
    [
        "", "20", "0", "20 ms", " 20ms", "20ms ", "20ms\n", "-1s", "+1s", "1d", "1w", "1mm", "1y",
        ".5s", "5.s", "ms", "1S", "1Ms", "1e3s", "1,5s", "1μs", "1s-1s", "1" * 31 + "ms", "٣s",
        "inf", None, 20, 0.02, True, [], {}, b"1s",
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused_in_words(raw: object) -> None:
    with pytest.raises(ValueError, match="must be a duration"):
        Duration.parse(raw)


@given(
    st.lists(
        st.tuples(st.integers(0, 999), st.integers(0, 99), st.sampled_from(sorted(SECONDS))),
        min_size=1,
        max_size=3,
    )
)
def test_terms_add_up_exactly(terms: list[tuple[int, int, str]]) -> None:
    text = "".join(f"{whole}.{decimals}{unit}" for whole, decimals, unit in terms)
    total = sum(Fraction(f"{whole}.{decimals}") * SECONDS[unit] for whole, decimals, unit in terms)
    assert Duration.parse(text).value == total


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0187, "18.7ms"),
        (0.02, "20ms"),
        (0.00025, "250us"),
        (5e-7, "500ns"),
        (1e-12, "0.001ns"),
        (1e-30, "0s"),
        (1.5, "1.5s"),
        (90, "90s"),
        (0.99996, "1s"),
        (1e300, "999000000000000000000000000000s"),
        (float("inf"), "999000000000000000000000000000s"),
    ],
)
def test_seconds_are_written_for_people(seconds: float, text: str) -> None:
    assert str(Duration.of(seconds)) == text


@given(st.floats(1e-15, 1e29))
def test_what_is_written_is_near_the_seconds(seconds: float) -> None:
    assert float(Duration.of(seconds)) == pytest.approx(seconds, rel=0.005)


@given(st.floats(0, allow_infinity=False, allow_nan=False))
def test_every_finite_time_can_be_written(seconds: float) -> None:
    assert Duration.of(seconds).value >= 0


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_other_times_can_not_be_written(seconds: float) -> None:
    with pytest.raises(ValueError, match="can't be written"):
        Duration.of(seconds)


def test_durations_are_equal_and_ordered_by_value() -> None:
    assert Duration.parse("1s") == Duration.parse("1000ms")
    assert hash(Duration.parse("1s")) == hash(Duration.parse("1000ms"))
    assert Duration.parse("1m") > Duration.parse("59s")
    assert not Duration.parse("0h")
