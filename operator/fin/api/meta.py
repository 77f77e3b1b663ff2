"""Object metadata and conditions, as all kinds have them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_serializer

from fin.api.base import LIST, WHOLE, Model
from fin.api.names import DEFAULT_NAMESPACE
from fin.api.text import ConditionWord, DnsLabel, ObjectName

Text = Annotated[str, Field(strict=True)]


class ObjectMeta(Model):
    """The part of ``metadata`` that planning needs; the rest is passed over."""

    model_config = ConfigDict(extra="ignore")

    name: ObjectName
    namespace: DnsLabel = DEFAULT_NAMESPACE
    uid: Text = ""
    generation: Annotated[int, Field(strict=True), WHOLE] = 0
    creation_timestamp: datetime | None = None
    labels: Mapping[Text, Text] = Field(default_factory=dict)
    annotations: Mapping[Text, Text] = Field(default_factory=dict)


class Condition(Model):
    """One aspect of an object's state."""

    type: ConditionWord = Field(description="What it is about.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: ConditionWord = Field(description="Why, in one CamelCase word for programs.")
    message: str = Field(max_length=32768, description="Why, for people, and what to do about it.")
    observed_generation: int = Field(
        ge=0, description="The metadata.generation that the condition speaks of."
    )
    last_transition_time: datetime = Field(description="When the status last changed.")

    @field_serializer("last_transition_time")
    def _in_utc(self, moment: datetime) -> str:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    ),
    LIST,
]
