"""Durations as Go writes them, read exactly and written back for people.

``durationpy`` would be the library for this, but it counts in whole microseconds: it reads
``500ns``, a fair round-trip time between processes, as 0.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Final, Self

from fin.api.exact import MAX_LENGTH, Exact, scaled

PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$"
_FORM: Final = (
    "numbers with a unit (ns, us, ms, s, m or h), in at most 32 characters, such as 20ms, 1.5s or "
    "1m30s"
)
MESSAGE: Final = f"must be a duration: {_FORM}"

_GRAMMAR: Final = re.compile(PATTERN.removeprefix("^").removesuffix("$"))
_TERM: Final = re.compile(r"([0-9.]+)([^0-9.]+)")
_SECONDS: Final = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 10**3),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_UNIT: Final = {-9: "ns", -6: "us", -3: "ms", 0: "s"}
_IS_DURATION: Final = f"self.matches(r'{PATTERN}')"


@dataclass(frozen=True, slots=True, eq=False)
class Duration(Exact):
    """A time span of 0 or more, its value in seconds: ``20ms``, ``1.5s``, ``1m30s``."""

    SCHEMA: ClassVar[dict[str, Any]] = {
        "x-note": "A duration, such as 20ms or 1.5s.",
        "type": "string",
        "maxLength": MAX_LENGTH,
        "pattern": PATTERN,
        "x-kubernetes-validations": [{"rule": _IS_DURATION, "message": MESSAGE}],
    }
    # Of a text in this form, the value is above 0 where any digit is.
    POSITIVE_RULE: ClassVar[str] = f"{_IS_DURATION} && self.matches('[1-9]')"
    POSITIVE_MESSAGE: ClassVar[str] = f"must be a duration above 0: {_FORM}"

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Read a duration such as ``20ms`` or ``1m30s``.

        Raises
        ------
        ValueError
            If ``raw`` is no string of that form, or longer than 32 characters.
        """
        if not isinstance(raw, str) or len(raw) > MAX_LENGTH or not _GRAMMAR.fullmatch(raw):
            raise ValueError(MESSAGE)
        terms = (Fraction(number) * _SECONDS[unit] for number, unit in _TERM.findall(raw))
        return cls(raw, sum(terms, Fraction(0)))

    @classmethod
    def of(cls, seconds: float, digits: int = 3) -> Self:
        """Write seconds for people, rounded to so many significant digits: ``18.7ms``.

        What is too short or too long for a duration becomes 0 or the longest that there is.

        Raises
        ------
        ValueError
            If ``seconds`` is negative or not a number.
        """
        number, exponent = scaled(min(seconds, 9.99e29), digits, lowest=-9, highest=0)
        return cls.parse(number + _UNIT[exponent])
