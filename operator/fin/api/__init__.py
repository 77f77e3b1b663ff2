"""What users write: the resources, and their quantities and durations."""

from fin.api.dnnmodel import Block, DNNModel, DNNModelSpec, DNNModelStatus, Exit
from fin.api.duration import Duration
from fin.api.inferenceapp import (
    InferenceApp,
    InferenceAppSpec,
    InferenceAppStatus,
    Latency,
    Placement,
    PlanStatus,
    SegmentStatus,
    Source,
)
from fin.api.meta import Condition, ObjectMeta
from fin.api.networktopology import (
    End,
    Interface,
    Link,
    NetworkTopology,
    NetworkTopologySpec,
    NetworkTopologyStatus,
)
from fin.api.parsing import FieldError, InvalidObject, parse
from fin.api.quantity import Quantity
from fin.api.resource import Resource
from fin.api.segment import Artifact, SegmentTemplate, Toleration

RESOURCES: tuple[type[Resource], ...] = (DNNModel, InferenceApp, NetworkTopology)

__all__ = [
    "RESOURCES",
    "Artifact",
    "Block",
    "Condition",
    "DNNModel",
    "DNNModelSpec",
    "DNNModelStatus",
    "Duration",
    "End",
    "Exit",
    "FieldError",
    "InferenceApp",
    "InferenceAppSpec",
    "InferenceAppStatus",
    "Interface",
    "InvalidObject",
    "Latency",
    "Link",
    "NetworkTopology",
    "NetworkTopologySpec",
    "NetworkTopologyStatus",
    "ObjectMeta",
    "Placement",
    "PlanStatus",
    "Quantity",
    "Resource",
    "SegmentStatus",
    "SegmentTemplate",
    "Source",
    "Toleration",
    "parse",
]
