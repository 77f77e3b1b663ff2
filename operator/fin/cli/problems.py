"""What is wrong with the input, said in one line each: file, object, field, reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object was read: the file, and the position in it where there are several."""

    file: str
    position: str = ""

    def __str__(self) -> str:
        return f"{self.file}, {self.position}" if self.position else self.file


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the input; ``subject`` and ``field`` may be empty."""

    place: str
    subject: str
    field: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(
            part for part in (self.place, self.subject, self.field, self.reason) if part
        )


class BadInput(ValueError):  # noqa: N818 - it names a state of the input
    """Input that nothing can be planned from.

    Attributes
    ----------
    faults
        Everything that is wrong with it; at least one.
    """

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


def subject(kind: str, namespace: str, name: str) -> str:
    """Name an object as messages do: ``InferenceApp vision/gate-camera``."""
    name = name or "(no name)"
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
