"""InferenceApp: an application that wants inferences of a model, in time and accurate enough."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from fin.api import names
from fin.api.base import LIST, WHOLE, Flag, Model, Ratio, refuse, repeated
from fin.api.duration import Duration
from fin.api.exact import Positive
from fin.api.meta import Conditions, ObjectMeta
from fin.api.quantity import Quantity
from fin.api.resource import AGE, Column, Resource, condition
from fin.api.text import SERVICE_NAME, LabelValue, ObjectName


class Source(Model):
    """Where inputs arise."""

    node_name: ObjectName = Field(description="The node's name.")


class Latency(Model):
    """How long an inference may take."""

    target: Annotated[Duration, Positive()] = Field(
        description="The longest allowed time from an input at the source to its answer."
    )
    statistic: Literal["Mean", "Max"] = Field(
        default="Mean",
        description="Mean: over all samples, early exits included. Max: of each sample.",
    )


def _differ(tiers: tuple[str, ...]) -> tuple[str, ...]:
    refuse(
        ((position,), f"tiers must be unique; {tier} is there twice")
        for position, tier in repeated(tiers)
    )
    return tiers


class Placement(Model):
    """Where the app's blocks may run."""

    local_blocks: Annotated[int, Field(strict=True, ge=0, le=256), WHOLE] = Field(
        default=0,
        description="How many of the first blocks stay on the source node: with 1, raw data does "
        "not leave it.",
    )
    tiers: (
        Annotated[
            tuple[LabelValue, ...],
            Field(min_length=1, max_length=64),
            LIST,
            AfterValidator(_differ),
        ]
        | None
    ) = Field(
        default=None,
        description="The tiers that may run this app's blocks. Left out, all may.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class InferenceAppSpec(Model):
    """What the app asks for."""

    model: ObjectName = Field(description="The DNNModel, of the same namespace.")
    source: Source = Field(description="Where inputs arise.")
    rate: Annotated[Quantity, Positive()] = Field(description="Inferences per second.")
    latency: Latency = Field(description="How long an inference may take.")
    min_accuracy: Ratio = Field(description="The least accuracy, from 0 to 1.")
    priority: Annotated[int, Field(strict=True, ge=-1000, le=1000), WHOLE] = Field(
        default=0, description="Higher is admitted first, and may evict lower."
    )
    placement: Placement = Field(
        default_factory=Placement,
        description="Where the app's blocks may run.",
        json_schema_extra={"default": {}},
    )
    arrivals: Literal["Periodic", "Poisson"] = Field(
        default="Periodic",
        description="Periodic: inputs arise at regular intervals, and none waits for another. "
        "Poisson: they arise at random, and the latency includes what they wait on average.",
    )
    adapt: Flag = Field(
        default=False,
        description="Plan with the observed rate and exit shares instead of the declared ones, "
        "once these have left the plan's tolerance for a while.",
    )


class ExitStatus(Model):
    """How many samples leave at an exit."""

    name: LabelValue = Field(description="The exit.")
    share: Ratio = Field(description="The share of all samples that leave there.")


_Exits = Annotated[
    tuple[ExitStatus, ...],
    Field(
        max_length=256,
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    ),
    LIST,
]


class SegmentStatus(Model):
    """All that the app runs on one node: one Deployment."""

    name: ObjectName = Field(description="The name of its Deployment and Service.")
    node_name: ObjectName = Field(description="The node.")
    tier: LabelValue = Field(description="The node's tier.")
    blocks: Annotated[tuple[LabelValue, ...], Field(max_length=256), LIST] = Field(
        description="Its blocks, in the model's order."
    )
    cpu: Quantity = Field(description="The CPU reserved for it, in cores.")
    memory: Quantity = Field(description="The memory reserved for it, in bytes.")


class PlanStatus(Model):
    """The plan that the app is to run by."""

    revision: LabelValue = Field(description="A short hash of its segments and routes.")
    exit: LabelValue = Field(description="The last exit that is deployed.")
    accuracy: Ratio = Field(description="The model's accuracy when cut at that exit.")
    latency: Duration = Field(description="Planned latency of an inference, by the statistic.")
    energy_per_inference: Quantity = Field(
        description="Energy of an inference, compute and network, in joules."
    )
    power: Quantity = Field(description="Energy per second at the planned rate, in watts.")
    rate: Quantity | None = Field(
        default=None,
        description="The inferences per second that it is planned for: spec.rate, or with "
        "spec.adapt what was observed.",
    )
    exits: _Exits | None = Field(
        default=None,
        description="The shares of samples that it is planned for: the model's, or with "
        "spec.adapt what was observed.",
    )
    gap: Ratio = Field(
        description="The share of its energy that the best plan could save, at most."
    )
    segments: Annotated[tuple[SegmentStatus, ...], Field(max_length=256), LIST] = Field(
        description="What runs where.",
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    )


class ObservedLatency(Model):
    """How long requests took, as the entry segment measured it."""

    mean: Duration = Field(description="The mean, from a request's arrival until it was served.")
    p99: Duration = Field(
        description="The 99th percentile, as exact as the buckets of the segment's histogram."
    )
    from_source: Duration = Field(
        description="The planned time of an input from the source to the entry, which no segment "
        "can measure: it comes on top."
    )


class ObservedStatus(Model):
    """What the segments of the running revision report, smoothed."""

    revision: LabelValue = Field(description="The revision that was observed.")
    rate: Quantity = Field(
        description="The inferences per second that clients ask for, refused and failed ones "
        "included."
    )
    power: Quantity = Field(description="The modelled energy of all that ran, in watts.")
    latency: ObservedLatency | None = Field(
        default=None, description="How long requests took. Absent before 100 requests."
    )
    exits: _Exits | None = Field(
        default=None,
        description="The shares of samples that left at each exit. Absent before 100 requests.",
    )


class InferenceAppStatus(Model):
    """How the app is doing."""

    observed_generation: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="The metadata.generation that this status speaks of."
    )
    conditions: Conditions = Field(
        default=(),
        description="Accepted: the spec can be read. Planned: a plan meets its targets. "
        "Ready: a revision that meets the current generation serves. Drifted: what is observed "
        "has left the plan's tolerance.",
    )
    plan: PlanStatus | None = Field(
        default=None, description="The plan in force. Absent where there is none."
    )
    observed: ObservedStatus | None = Field(
        default=None,
        description="What the running segments report. Absent where they can't be read, or were "
        "not read long enough.",
    )


class AppMeta(ObjectMeta):
    """Metadata of an app, whose name a Service carries too."""

    name: Annotated[str, SERVICE_NAME.field]


class InferenceApp(Resource):
    """An application that sends inputs from one node to a model, with targets to meet."""

    KIND: ClassVar[str] = names.INFERENCE_APP
    PLURAL: ClassVar[str] = names.PLURAL_INFERENCE_APP
    SHORT_NAME: ClassVar[str] = "iapp"
    STATUS: ClassVar[type[Model]] = InferenceAppStatus
    COLUMNS: ClassVar[tuple[Column, ...]] = (
        Column("Model", ".spec.model", "The model."),
        Column("Ready", condition("Ready", "status"), "Whether it serves as asked."),
        Column("Reason", condition("Ready", "reason"), "Why it is ready or not."),
        Column("Exit", ".status.plan.exit", "The last exit that is deployed."),
        Column("Accuracy", ".status.plan.accuracy", "Accuracy at that exit.", type="number"),
        Column("Latency", ".status.plan.latency", "Planned latency."),
        Column("Target", ".spec.latency.target", "The latency asked for."),
        Column("Energy", ".status.plan.energyPerInference", "Joules per inference."),
        Column("Power", ".status.plan.power", "Watts."),
        Column("Gap", ".status.plan.gap", "Gap to the least energy.", type="number"),
        Column("Source", ".spec.source.nodeName", "Where inputs arise.", wide=True),
        Column("Rate", ".spec.rate", "Inferences per second.", wide=True),
        Column("Priority", ".spec.priority", "Higher comes first.", type="integer", wide=True),
        Column("Revision", ".status.plan.revision", "The plan's hash.", wide=True),
        Column(
            "Drifted",
            condition("Drifted", "status"),
            "Whether what is observed has left the plan's tolerance.",
            wide=True,
        ),
        AGE,
    )
    ROOT_RULES: ClassVar[tuple[tuple[str, str], ...]] = (
        (
            f"size(self.metadata.name) <= {SERVICE_NAME.max_length} && "
            f"self.metadata.name.matches(r'{SERVICE_NAME.pattern}')",
            f"metadata.name must be {SERVICE_NAME.words}",
        ),
    )

    kind: Literal["InferenceApp"]
    metadata: AppMeta
    spec: InferenceAppSpec
