"""Nodes and pods as files have them: the fields that planning reads must be of the right kind.

The API server checks this for the operator; here it is the only check.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from fin.api.base import LIST, Model
from fin.api.meta import ObjectMeta
from fin.api.parsing import FieldError
from fin.api.wording import path, reason
from fin.cluster.capacity import quantity


def _readable(value: Any) -> Any:
    if quantity(value) is None:
        raise PydanticCustomError(
            "quantity", "must be a quantity of 0 or more, such as 2, 500m or 64Mi"
        )
    return value


Word = Annotated[str, Field(strict=True)]
Resources = Mapping[Word, Annotated[Any, BeforeValidator(_readable)]]


class _Part(Model):
    model_config = ConfigDict(extra="ignore")


class Requirements(_Part):
    """Resources of a container or of a pod."""

    requests: Resources = Field(default_factory=dict)
    limits: Resources = Field(default_factory=dict)


class Container(_Part):
    """A container, an init container or a sidecar."""

    name: Word
    restart_policy: Word | None = None
    resources: Requirements = Field(default_factory=Requirements)


class PodSpec(_Part):
    """What a pod takes, and of which node."""

    node_name: Word | None = None
    containers: Annotated[tuple[Container, ...], LIST]
    init_containers: Annotated[tuple[Container, ...], LIST] = ()
    overhead: Resources = Field(default_factory=dict)
    resources: Requirements = Field(default_factory=Requirements)


class Pod(_Part):
    """A pod."""

    metadata: ObjectMeta
    spec: PodSpec


class Taint(_Part):
    """A taint of a node."""

    key: Word
    value: Word = ""
    effect: Word


class NodeSpec(_Part):
    """Cordon and taints."""

    unschedulable: Annotated[bool, Field(strict=True)] = False
    taints: Annotated[tuple[Taint, ...], LIST] = ()


class Condition(_Part):
    """A condition of a node."""

    type: Word
    status: Word


class NodeStatus(_Part):
    """What the node offers, and whether it is Ready."""

    allocatable: Resources = Field(default_factory=dict)
    capacity: Resources = Field(default_factory=dict)
    conditions: Annotated[tuple[Condition, ...], LIST] = ()


class Node(_Part):
    """A node."""

    metadata: ObjectMeta
    spec: NodeSpec = Field(default_factory=NodeSpec)
    status: NodeStatus = Field(default_factory=NodeStatus)


def faults(model: type[Model], raw: object) -> tuple[FieldError, ...]:
    """Find what is wrong with a node or a pod; empty where nothing is."""
    try:
        model.model_validate(raw, by_alias=True, by_name=False)
    except ValidationError as error:
        return tuple(
            FieldError(path(details["loc"]), reason(model, details))
            for details in error.errors(include_url=False)
        )
    return ()


def with_readiness(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add that a node is Ready where its manifest tells no conditions: written by hand, it is."""
    status = node.get("status") or {}
    if status.get("conditions"):
        return node
    ready = {"type": "Ready", "status": "True"}
    return {**node, "status": {**status, "conditions": [ready]}}
