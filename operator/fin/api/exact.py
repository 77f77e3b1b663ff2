"""What quantities and durations have in common: a text, and the exact number behind it."""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from functools import total_ordering
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_LENGTH = 32


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """A finite number of 0 or more, with the text that it was written as.

    ``str(x)`` is the text, ``float(x)`` the nearest float in the base unit. Two are equal when
    their values are, whatever the text.

    Attributes
    ----------
    text
        The number as it was written.
    value
        The exact number, in the base unit.
    """

    text: str
    value: Fraction = field(repr=False)

    SCHEMA: ClassVar[dict[str, Any]]
    POSITIVE_RULE: ClassVar[str]
    POSITIVE_MESSAGE: ClassVar[str]

    @classmethod
    @abstractmethod
    def parse(cls, raw: object) -> Self:
        """Read what a user wrote.

        Raises
        ------
        ValueError
            If it is not of the form that the type asks for.
        """

    def __str__(self) -> str:
        return self.text

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return self.value != 0

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if type(other) is type(self) else NotImplemented

    def __lt__(self, other: "Exact") -> bool:
        return self.value < other.value if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _validate(cls, raw: object) -> Self:
        if isinstance(raw, cls):
            return raw
        try:
            return cls.parse(raw)
        except ValueError as error:
            raise PydanticCustomError("exact", "{reason}", {"reason": str(error)}) from None

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(cls.SCHEMA)


@dataclass(frozen=True)
class Positive:
    """Annotation of an ``Exact`` field that 0 is refused for."""

    def __get_pydantic_core_schema__(
        self, source: type[Exact], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        def above_zero(raw: object, parse: Callable[[object], Exact]) -> Exact:
            try:
                if number := parse(raw):
                    return number
            except ValidationError:
                pass
            reason = {"reason": source.POSITIVE_MESSAGE}
            raise PydanticCustomError("exact", "{reason}", reason)

        return core_schema.no_info_wrap_validator_function(
            above_zero, handler(source), metadata={"positive": source}
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        source: type[Exact] = schema["metadata"]["positive"]
        rule = {"rule": source.POSITIVE_RULE, "message": source.POSITIVE_MESSAGE}
        return source.SCHEMA | {"x-kubernetes-validations": [rule]}


def scaled(value: float, digits: int, lowest: int, highest: int) -> tuple[str, int]:
    """Split a number into a mantissa and a power of 1000.

    Parameters
    ----------
    value
        What to write: finite, not negative.
    digits
        How many significant digits to keep.
    lowest, highest
        The least and the greatest power of ten that has a name (multiples of 3).

    Returns
    -------
    The mantissa without trailing zeros, and the power of ten: ``("9.33", -3)``. What is a
    thousand million times below the least power is 0.

    Raises
    ------
    ValueError
        If ``value`` is negative or not finite.
    """
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{value} can't be written: only finite numbers of 0 or more can")
    exact = Context(prec=digits).create_decimal(Decimal(value))
    if exact.adjusted() < lowest - 9 or not exact:
        return "0", 0
    exponent = min(max(exact.adjusted() // 3 * 3, lowest), highest)
    mantissa = format(exact.scaleb(-exponent), "f")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa), exponent
