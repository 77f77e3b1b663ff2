"""What makes a model a Kubernetes resource."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from fin.api.base import Model
from fin.api.meta import ObjectMeta


@dataclass(frozen=True)
class Column:
    """A column of ``kubectl get``; a wide one shows only with ``-o wide``."""

    name: str
    path: str
    description: str
    type: Literal["string", "number", "integer", "date"] = "string"
    wide: bool = False


def condition(kind: str, part: str) -> str:
    """Return the path to a part of a condition, for a column."""
    return f'.status.conditions[?(@.type=="{kind}")].{part}'


ACCEPTED = Column("Accepted", condition("Accepted", "status"), "Whether the operator can use it.")
ACCEPTED_REASON = Column("Reason", condition("Accepted", "reason"), "Why, or why not.", wide=True)
AGE = Column("Age", ".metadata.creationTimestamp", "Time since its creation.", type="date")


class Resource(Model):
    """An object of one of the API's kinds.

    ``status`` is written, and nothing is decided by it, so it is no field here: ``STATUS`` is its
    model.
    """

    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    SHORT_NAME: ClassVar[str]
    NAMESPACED: ClassVar[bool] = True
    STATUS: ClassVar[type[Model]]
    COLUMNS: ClassVar[tuple[Column, ...]]
    ROOT_RULES: ClassVar[tuple[tuple[str, str], ...]] = ()

    api_version: Literal["finoperator.io/v1alpha1"]
    kind: str
    metadata: ObjectMeta
    spec: Model
