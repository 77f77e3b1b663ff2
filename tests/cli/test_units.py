import pytest

from fin.cli.units import percent, seconds, si, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 J"),
        (0.00933, "9.33 mJ"),
        (1.0, "1 J"),
        (1234.5, "1.23 kJ"),
        (999.6, "1 kJ"),
        (5e-8, "50 nJ"),
        (2.5e-7, "250 nJ"),
        (3e13, "30 TJ"),
        (6.06e-10, "606 pJ"),
    ],
)
def test_si(value: float, text: str) -> None:
    assert si(value, "J") == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0187, "18.7 ms"), (90, "90 s"), (5e-10, "0.5 ns"), (2e-5, "20 µs")]
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(96 * 2**20, "96 MiB"), (1.5 * 2**30, "1.5 GiB"), (10, "10 B")]
)
def test_size(value: float, text: str) -> None:
    assert size(value) == text


def test_percent() -> None:
    assert percent(0.7919) == "79.2 %"
