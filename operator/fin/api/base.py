"""What all models of the API share."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails, PydanticCustomError


def without_nulls(data: Any) -> Any:
    """Leave out the entries of a mapping that are null."""
    if isinstance(data, Mapping):
        return {key: value for key, value in data.items() if value is not None}
    return data


class Model(BaseModel):
    """An immutable value: camelCase in YAML, snake_case here, no unknown fields.

    As on the API server, a field that is null counts as left out.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        return without_nulls(data)

    def to_object(self) -> dict[str, Any]:
        """Return what YAML and JSON hold: camelCase names, plain values, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _only_lists(data: Any) -> Any:
    if not isinstance(data, list | tuple):
        raise PydanticCustomError("list", "must be a list")
    return data


# For tuples: pydantic would also take sets and other collections without an order.
LIST = BeforeValidator(_only_lists)


def _whole(data: Any) -> Any:
    # As on the API server, where JSON's 2.0 is an integer.
    return int(data) if isinstance(data, float) and data.is_integer() else data


# For integers, after their bounds.
WHOLE = BeforeValidator(_whole)

# Measured, so numbers and not quantities.
Ratio = Annotated[float, Field(strict=True, ge=0, le=1)]
Flag = Annotated[bool, Field(strict=True)]


def rules(*entries: tuple[str, ...]) -> dict[str, Any]:
    """Return the JSON schema extra that holds CEL rules.

    Parameters
    ----------
    entries
        For each rule: the rule, its message and, where the message can say more than is known
        here, a CEL expression for what follows the message.
    """
    return {"x-kubernetes-validations": [_rule(*entry) for entry in entries]}


def _rule(rule: str, message: str, more: str = "") -> dict[str, str]:
    written = {"rule": rule, "message": message}
    return written | {"messageExpression": f'"{message}; " + {more}'} if more else written


Fault = tuple[tuple[str | int, ...], str]


def refuse(faults: Iterable[Fault]) -> None:
    """Raise one error for all faults that a validator found, if there are any.

    Parameters
    ----------
    faults
        For each the path below the validated value, in the names of YAML, and the reason.

    Raises
    ------
    ValidationError
        If there are faults.
    """
    details = [
        InitErrorDetails(
            type=PydanticCustomError("rule", "{reason}", {"reason": reason}), loc=path, input=None
        )
        for path, reason in faults
    ]
    if details:
        raise ValidationError.from_exception_data("rules", details)


def repeated(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Find the names that were there before, each with its position."""
    seen: set[str] = set()
    for position, name in enumerate(names):
        if name in seen:
            yield position, name
        seen.add(name)
