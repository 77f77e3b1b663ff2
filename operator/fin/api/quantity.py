"""Kubernetes quantities, read exactly and written back for people."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Final, Self

from fin.api.exact import MAX_LENGTH, Exact, scaled

# The syntax of Kubernetes without the minus sign. An exponent goes to 30 either way: far beyond
# any device, and products of a few quantities stay finite as floats.
PATTERN: Final = (
    r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
    r"([eE][+-]?([0-2]?[0-9]|30)|[numkMGTPE]|[KMGTPE]i)?$"
)
_FORM: Final = (
    'an integer, or a quoted string of at most 32 characters such as "0.5", "250m", "9.4M", "64Ki" '
    'or "5e-11"'
)
MESSAGE: Final = f"must be a quantity of 0 or more: {_FORM}"

_GRAMMAR: Final = re.compile(
    r"\+?(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
    r"(?:[eE](?P<exponent>[+-]?(?:[0-2]?[0-9]|30))|(?P<suffix>[numkMGTPE]|[KMGTPE]i))?"
)
_DECIMAL: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_FACTOR: Final = {suffix: Fraction(10) ** power for suffix, power in _DECIMAL.items()} | {
    suffix: Fraction(2**power) for suffix, power in _BINARY.items()
}
_SUFFIX: Final = {power: suffix for suffix, power in _DECIMAL.items()}
_INT64_MAX: Final = 2**63 - 1
_IS_QUANTITY: Final = f"string(self).matches(r'{PATTERN}')"


@dataclass(frozen=True, slots=True, eq=False)
class Quantity(Exact):
    """A Kubernetes quantity of 0 or more: ``250m``, ``64Ki``, ``1.5G``, ``"5e-11"``."""

    SCHEMA: ClassVar[dict[str, Any]] = {
        "x-note": "A quantity: an integer, or a quoted string such as 250m, 64Ki or 9.4M.",
        "x-kubernetes-int-or-string": True,
        "maxLength": MAX_LENGTH,
        "pattern": PATTERN,
        "x-kubernetes-validations": [{"rule": _IS_QUANTITY, "message": MESSAGE}],
    }
    POSITIVE_RULE: ClassVar[str] = (
        f"{_IS_QUANTITY} && quantity(string(self)).isGreaterThan(quantity('0'))"
    )
    POSITIVE_MESSAGE: ClassVar[str] = f"must be a quantity above 0: {_FORM}"

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Read an integer or a string in the syntax of Kubernetes.

        Raises
        ------
        ValueError
            If ``raw`` is no quantity of 0 or more, is longer than 32 characters or, as an
            integer, does not fit in 64 bits.
        """
        if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= _INT64_MAX:
            return cls(str(raw), Fraction(raw))
        if not isinstance(raw, str) or len(raw) > MAX_LENGTH:
            raise ValueError(MESSAGE)
        match = _GRAMMAR.fullmatch(raw)
        if match is None:
            raise ValueError(MESSAGE)
        exponent = match["exponent"]
        factor = Fraction(10) ** int(exponent) if exponent else _FACTOR[match["suffix"] or ""]
        return cls(raw, Fraction(match["number"]) * factor)

    @classmethod
    def of(cls, value: float, digits: int = 3) -> Self:
        """Write a number for people, rounded to so many significant digits: ``9.33m``.

        What is too small or too large for a quantity becomes 0 or the largest that there is.

        Raises
        ------
        ValueError
            If ``value`` is negative or not a number.
        """
        number, exponent = scaled(min(value, 9.99e32), digits, lowest=-30, highest=30)
        return cls.parse(number + _SUFFIX.get(exponent, f"e{exponent}"))

    @classmethod
    def of_bytes(cls, count: int) -> Self:
        """Write a whole number of bytes exactly, with the largest binary suffix that divides it."""
        for suffix, power in reversed(_BINARY.items()):
            if count and count % 2**power == 0:
                return cls.parse(f"{count >> power}{suffix}")
        return cls.parse(count)

    @classmethod
    def of_millicores(cls, count: int) -> Self:
        """Write a whole number of millicores exactly: ``250m``, or ``2`` for whole cores."""
        return cls.parse(f"{count}m") if count % 1000 else cls.parse(str(count // 1000))
