"""From plain objects, as the API server or a file gives them, to models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from fin.api.resource import Resource
from fin.api.wording import path, printable, reason

R = TypeVar("R", bound=Resource)

# How many faults one text names: it goes into a condition, an Event or a line of a terminal.
_SHOWN = 10


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong with an object.

    Attributes
    ----------
    field
        The path in YAML, such as ``spec.blocks[2].exit.accuracy``.
    reason
        What is wrong, and what to do about it.
    """

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


class InvalidObject(ValueError):  # noqa: N818 - it names a state of the input
    """An object that breaks the rules of its kind.

    Attributes
    ----------
    kind, namespace, name
        What the object says it is; empty where it doesn't, and for the namespace of a
        cluster-scoped kind.
    errors
        Everything that is wrong with it; at least one.
    """

    def __init__(
        self, kind: str, namespace: str, name: str, errors: tuple[FieldError, ...]
    ) -> None:
        super().__init__(kind, namespace, name, errors)
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.errors = errors

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        shown = [str(error) for error in self.errors[:_SHOWN]]
        if len(self.errors) > _SHOWN:
            shown.append(f"and {len(self.errors) - _SHOWN} more")
        return f"{self.kind} {where or '(no name)'}: {'; '.join(shown)}"


def parse(model: type[R], raw: object) -> R:
    """Validate a plain object of a kind.

    Parameters
    ----------
    model
        DNNModel, InferenceApp or NetworkTopology.
    raw
        The object; anything at all may be in it. Its status is passed over: it is written and
        never read.

    Raises
    ------
    InvalidObject
        If the object is not of this kind, or breaks any of its rules.
    """
    if isinstance(raw, Mapping):
        raw = {key: value for key, value in raw.items() if key != "status"}
    try:
        return model.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        errors = tuple(
            FieldError(path(details["loc"]), reason(model, details))
            for details in error.errors(include_url=False)
        )
        # Of an object of another kind, all the rest would be wrong too.
        other_kind = tuple(fault for fault in errors if fault.field in ("apiVersion", "kind"))
        raise InvalidObject(model.KIND, *_identity(model, raw), other_kind or errors) from None


def _identity(model: type[Resource], raw: object) -> tuple[str, str]:
    metadata = raw.get("metadata") if isinstance(raw, Mapping) else None
    if not isinstance(metadata, Mapping):
        return "", ""
    namespace, name = (
        printable(value, 253) if isinstance(value := metadata.get(key), str) else ""
        for key in ("namespace", "name")
    )
    return (namespace or "default") if model.NAMESPACED else "", name
