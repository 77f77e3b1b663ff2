"""What is to be said about objects that are wrong, or partly without effect."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the owner of a node, a topology or a model should know.

    ``accepted``: the object counts all the same (a topology of which one rule is overruled);
    where False, it is left out. ``reason`` is CamelCase; ``message`` names field, reason and
    mend. ``namespace`` is empty for what has none.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    reason: str
    message: str
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """An application that can't be planned: the condition that becomes False, and why."""

    reason: str
    message: str
    condition: Literal["Accepted", "Planned"] = "Planned"
