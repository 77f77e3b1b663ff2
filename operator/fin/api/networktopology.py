"""NetworkTopology: links between nodes, by node or by tier."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from fin.api import names
from fin.api.base import LIST, Flag, Model, refuse, rules
from fin.api.duration import Duration
from fin.api.exact import Positive
from fin.api.meta import Conditions
from fin.api.quantity import Quantity
from fin.api.resource import ACCEPTED, ACCEPTED_REASON, AGE, Column, Resource
from fin.api.text import LabelValue, ObjectName

_ONE_END = "must have either nodeName or tier, and not both"
_ANY_LIMIT = "must limit egress, ingress or both"


class End(Model):
    """One node, or every node of a tier."""

    node_name: ObjectName | None = Field(default=None, description="One node, by name.")
    tier: LabelValue | None = Field(default=None, description="Every node of a tier.")

    model_config = ConfigDict(
        json_schema_extra=rules(("has(self.nodeName) != has(self.tier)", _ONE_END))
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.node_name is None) == (self.tier is None):
            refuse([((), _ONE_END)])
        return self


class Link(Model):
    """A rule that gives ordered pairs of different nodes a link each."""

    from_: End = Field(alias="from", description="Where the link begins.")
    to: End = Field(description="Where the link ends.")
    bandwidth: Annotated[Quantity, Positive()] = Field(
        description="Bits per second, of each link of the rule."
    )
    rtt: Duration = Field(description="Round-trip time.")
    energy_per_bit: Quantity = Field(
        description="Joules to move a bit: both ends and the path between."
    )
    directed: Flag = Field(
        default=False,
        description="Whether the link goes one way only. Default: the same both ways.",
    )


class Interface(Model):
    """A limit over all the links of each node that it speaks of, such as a shared radio."""

    on: End = Field(
        description="The node, or every node of a tier, each with its own limit. "
        'Quote "on" in YAML, where the bare word means true.'
    )
    egress: Annotated[Quantity, Positive()] | None = Field(
        default=None, description="Bits per second out of the node. Left out, no limit."
    )
    ingress: Annotated[Quantity, Positive()] | None = Field(
        default=None, description="Bits per second into the node. Left out, no limit."
    )

    model_config = ConfigDict(
        json_schema_extra=rules(("has(self.egress) || has(self.ingress)", _ANY_LIMIT))
    )

    @model_validator(mode="before")
    @classmethod
    def _take_yaml_truth_for_on(cls, data: Any) -> Any:
        # To YAML 1.1, and so to PyYAML, an unquoted `on` is the truth value.
        if isinstance(data, Mapping) and True in data and "on" not in data:
            return {"on" if key is True else key: value for key, value in data.items()}
        return data

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.egress is None and self.ingress is None:
            refuse([((), _ANY_LIMIT)])
        return self


class NetworkTopologySpec(Model):
    """Links and interfaces. Several objects make a union."""

    links: Annotated[tuple[Link, ...], Field(max_length=10_000), LIST] = Field(
        default=(),
        description="The links. Node to node beats node to tier beats tier to tier; within a rank "
        "the first by object name and position counts.",
    )
    interfaces: Annotated[tuple[Interface, ...], Field(max_length=10_000), LIST] = Field(
        default=(),
        description="Limits over all the links of a node.",
    )


class NetworkTopologyStatus(Model):
    """What the operator found out about the topology."""

    conditions: Conditions = Field(
        default=(),
        description="Accepted: whether all its rules count, and which are overruled.",
    )


class NetworkTopology(Resource):
    """The network between nodes. Two nodes with no rule between them have no direct link."""

    KIND: ClassVar[str] = names.NETWORK_TOPOLOGY
    PLURAL: ClassVar[str] = names.PLURAL_NETWORK_TOPOLOGY
    SHORT_NAME: ClassVar[str] = "nettopo"
    NAMESPACED: ClassVar[bool] = False
    STATUS: ClassVar[type[Model]] = NetworkTopologyStatus
    COLUMNS: ClassVar[tuple[Column, ...]] = (ACCEPTED, ACCEPTED_REASON, AGE)

    kind: Literal["NetworkTopology"]
    spec: NetworkTopologySpec
