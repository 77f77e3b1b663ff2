from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fin.api import Quantity

POWERS = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "P": Fraction(10**15), "E": Fraction(10**18), "Ki": Fraction(1024), "Mi": Fraction(1024**2),
    "Gi": Fraction(1024**3), "Ti": Fraction(1024**4), "Pi": Fraction(1024**5),
    "Ei": Fraction(1024**6),
}  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (0, 0),
        (3072, 3072),
        (2**63 - 1, 2**63 - 1),
        ("0.5", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("+5", 5),
        ("007", 7),
        ("9.4M", 9_400_000),
        ("64Ki", 65536),
        ("50n", Fraction(50, 10**9)),
        ("5e-11", Fraction(5, 10**11)),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("1e+30", 10**30),
        ("1e-30", Fraction(1, 10**30)),
        ("0.0000000000000000000000000001", Fraction(1, 10**28)),
        ("99999999999999999999999999999999", 10**32 - 1),
    ],
)
def test_a_quantity_is_read_exactly(raw: object, value: Fraction | int) -> None:
    quantity = Quantity.parse(raw)
    assert quantity.value == value
    assert float(quantity) == float(value)
    assert str(quantity) == str(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", "1 ", " 1", "1\n", "-1", "-0", "--1", "1,5", "1K", "1ki", "1kB", "1mi", "1e",
        "e5", ".", "1e31", "1e400", "1e-31", "1.5.2", "1e1.5", "0x10", "1_000", "inf", "nan",
        "NaN", "٣", "½", "1µ", "1" * 33, "M", "Ki", "1GG", None, True, False, 0.5, 2.0,
        float("nan"), float("inf"), -1, 2**63, 10**400, [], {}, b"1", Decimal(1), object(),
    ],
)  # fmt: skip
def test_what_is_no_quantity_is_refused_in_words(raw: object) -> None:
    with pytest.raises(ValueError, match="must be a quantity of 0 or more"):
        Quantity.parse(raw)


@given(st.integers(0, 10**18), st.integers(0, 10**9), st.sampled_from(sorted(POWERS)))
def test_any_number_with_any_suffix_has_its_exact_value(
    whole: int, decimals: int, suffix: str
) -> None:
    number = f"{whole}.{decimals}"
    assert Quantity.parse(number + suffix).value == Fraction(number) * POWERS[suffix]


@given(st.integers(0, 10**20), st.integers(-30, 30), st.sampled_from("eE"))
def test_any_exponent_has_its_exact_value(whole: int, exponent: int, letter: str) -> None:
    quantity = Quantity.parse(f"{whole}{letter}{exponent}")
    assert quantity.value == whole * Fraction(10) ** exponent


def test_quantities_are_equal_and_ordered_by_value() -> None:
    assert Quantity.parse("1") == Quantity.parse("1000m") == Quantity.parse(1)
    assert hash(Quantity.parse("1")) == hash(Quantity.parse("1000m"))
    assert Quantity.parse("1Ki") > Quantity.parse("1k") >= Quantity.parse(1000)
    assert Quantity.parse("1") != 1
    assert not Quantity.parse("0m")
    assert Quantity.parse("1n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00933, "9.33m"),
        (0.187, "187m"),
        (1, "1"),
        (20, "20"),
        (999.4, "999"),
        (999.6, "1k"),
        (1234.5, "1.23k"),
        (9.4e6, "9.4M"),
        (5e-11, "50e-12"),
        (1e-39, "0.000000001e-30"),
        (1e-40, "0"),
        (5e20, "500E"),
        (7e21, "7e21"),
        (1e300, "999e30"),
        (float("inf"), "999e30"),
    ],
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert str(Quantity.of(value)) == text


@given(st.floats(1e-30, 1e32))
def test_what_is_written_is_near_the_number(value: float) -> None:
    assert float(Quantity.of(value)) == pytest.approx(value, rel=0.005)
    assert float(Quantity.of(value, digits=17)) == pytest.approx(value, rel=1e-15)


@given(st.floats(0, allow_infinity=False, allow_nan=False))
def test_every_finite_number_can_be_written(value: float) -> None:
    assert Quantity.of(value).value >= 0


@pytest.mark.parametrize("value", [-1.0, float("nan"), -5e-324])
def test_other_numbers_can_not_be_written(value: float) -> None:
    with pytest.raises(ValueError, match="can't be written"):
        Quantity.of(value)


@given(st.integers(0, 2**62))
def test_bytes_and_millicores_are_written_exactly(count: int) -> None:
    assert Quantity.of_bytes(count).value == count
    assert Quantity.of_millicores(count).value == Fraction(count, 1000)


def test_bytes_and_cores_have_their_usual_form() -> None:
    assert [str(Quantity.of_bytes(n)) for n in (0, 1000, 1536, 100663296, 3 * 2**30)] == [
        "0", "1000", "1536", "96Mi", "3Gi",
    ]  # fmt: skip
    assert [str(Quantity.of_millicores(n)) for n in (0, 10, 250, 1000, 1500)] == [
        "0", "10m", "250m", "1", "1500m",
    ]  # fmt: skip
