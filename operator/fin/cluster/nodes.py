"""Node objects to what is known of them, and to the planner's nodes."""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction

from fin.api.names import LABEL_FLOPS, LABEL_GFLOPS_PER_WATT, LABEL_TIER
from fin.api.quantity import Quantity
from fin.api.text import LABEL_VALUE
from fin.cluster import reading
from fin.cluster.capacity import Demand, allocatable, room
from fin.cluster.findings import Finding
from fin.cluster.snapshot import Object
from fin.cluster.state import NodeState
from fin.cluster.taints import node_taints
from fin.planning.problem import Node

LABELS = (LABEL_TIER, LABEL_FLOPS, LABEL_GFLOPS_PER_WATT)

_EXAMPLES = {LABEL_TIER: "edge", LABEL_FLOPS: "200G", LABEL_GFLOPS_PER_WATT: "6.7"}
_TIER = re.compile(LABEL_VALUE.pattern)


def node_state(node: Object, demand: Demand) -> NodeState:
    """Read what is known of a node, whether it takes part or not."""
    offered = room(allocatable(node))
    usable, free = offered.less(demand.foreign), offered.less(demand.total)
    tier = reading.text(node, "metadata", "labels", LABEL_TIER)
    cordoned = reading.at(node, "spec", "unschedulable") is True
    return NodeState(
        name=reading.name(node),
        tier=tier if _TIER.search(tier) else None,
        ready=is_ready(node),
        schedulable=not cordoned and not reading.being_deleted(node),
        taints=node_taints(node),
        allocatable_millicores=offered.millicores,
        allocatable_memory=offered.memory,
        allocatable_pods=offered.pods,
        usable_millicores=usable.millicores,
        usable_memory=usable.memory,
        usable_pods=usable.pods,
        free_millicores=free.millicores,
        free_memory=free.memory,
        free_pods=free.pods,
    )


def is_ready(node: Object) -> bool:
    """Whether the Ready condition of a node is True."""
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in reading.mappings(node, "status", "conditions")
    )


def takes_part(node: Object) -> bool:
    """Whether a node has any of the labels: then it means to take part."""
    return any(label in reading.labels(node) for label in LABELS)


def planning_node(node: Object, state: NodeState) -> Node | Finding:
    """Turn a node that means to take part into the planner's, or tell why it can't be."""
    labels, offered = reading.labels(node), allocatable(node)
    missing = [label for label in LABELS if label not in labels]
    if missing:
        return _finding(node, "LabelsMissing", "; ".join(map(_missing, missing)))
    flops, efficiency = (_positive(labels[key]) for key in (LABEL_FLOPS, LABEL_GFLOPS_PER_WATT))
    faults = [
        *_label_faults(labels, state.tier, flops, efficiency),
        *_capacity_faults(offered),
    ]
    if faults or not flops or not efficiency:
        return _finding(node, "NodeInvalid", "; ".join(faults))
    return Node(
        name=state.name,
        tier=str(state.tier),
        millicores=state.usable_millicores,
        flops_per_millicore=float(flops / ((offered["cpu"] or 0) * 1000)),
        memory=state.usable_memory,
        pods=state.usable_pods,
        joules_per_flop=float(Fraction(1, 10**9) / efficiency),
    )


def _label_faults(
    labels: Mapping[str, object],
    tier: str | None,
    flops: Fraction | None,
    efficiency: Fraction | None,
) -> Iterable[str]:
    if tier is None:
        shown = _shown(labels[LABEL_TIER])
        yield f"label {LABEL_TIER}: {shown} must be a string of {LABEL_VALUE.words}"
    for label, value in ((LABEL_FLOPS, flops), (LABEL_GFLOPS_PER_WATT, efficiency)):
        if value is None:
            yield (
                f"label {label}: {_shown(labels[label])} must be a string with a quantity above 0, "
                f"such as {_EXAMPLES[label]!r}"
            )


def _capacity_faults(offered: Mapping[str, Fraction | None]) -> Iterable[str]:
    for resource, amount in offered.items():
        if not amount:
            yield f"status.allocatable.{resource}: must be given, as a quantity above 0"


def _positive(value: object) -> Fraction | None:
    try:
        return (Quantity.parse(value).value or None) if isinstance(value, str) else None
    except ValueError:
        return None


def _missing(label: str) -> str:
    return f"label {label} is missing: set it, for example to {_EXAMPLES[label]!r}"


def _finding(node: Object, reason: str, message: str) -> Finding:
    return Finding(
        kind="Node",
        namespace="",
        name=reading.name(node),
        uid=reading.uid(node),
        reason=reason,
        message=f"{message}; until then the node takes no part",
    )


def _shown(value: object) -> str:
    return repr(value[:80]) if isinstance(value, str) else "a value that is no string"
