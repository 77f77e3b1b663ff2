"""Taints of nodes and tolerations of pods, matched as Kubernetes matches them."""

from collections.abc import Iterable
from dataclasses import dataclass

from fin.api.segment import Toleration
from fin.cluster import reading
from fin.cluster.snapshot import Object
from fin.cluster.state import NodeState, Taint

NO_SCHEDULE = "NoSchedule"
NO_EXECUTE = "NoExecute"


@dataclass(frozen=True, slots=True)
class Tolerated:
    """A toleration; an empty key or effect stands for all."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def covers(self, taint: Taint) -> bool:
        """Whether a pod with this toleration puts up with the taint."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        return self.operator == "Exists" or (
            self.operator in ("", "Equal") and self.value == taint.value
        )


def node_taints(node: Object) -> tuple[Taint, ...]:
    """Taints of a node object."""
    return tuple(
        Taint(*(reading.text(taint, key) for key in ("key", "value", "effect")))
        for taint in reading.mappings(node, "spec", "taints")
    )


def of_model(tolerations: Iterable[Toleration]) -> tuple[Tolerated, ...]:
    """Tolerations of a model's segments."""
    return tuple(
        Tolerated(each.key or "", each.operator, each.value or "", each.effect or "")
        for each in tolerations
    )


def of_pod_spec(spec: object) -> tuple[Tolerated, ...]:
    """Tolerations of a pod spec."""
    return tuple(
        Tolerated(*(reading.text(each, key) for key in ("key", "operator", "value", "effect")))
        for each in reading.mappings(spec, "tolerations")
    )


def untolerated(
    node: NodeState, tolerations: Iterable[Tolerated], effects: Iterable[str]
) -> Taint | None:
    """Return the first taint of one of these effects that no toleration covers."""
    effects, tolerations = tuple(effects), tuple(tolerations)
    for taint in node.taints:
        if taint.effect in effects and not any(each.covers(taint) for each in tolerations):
            return taint
    return None


def takes_no_segment(node: NodeState, tolerations: Iterable[Tolerated]) -> bool:
    """Whether no new segment with these tolerations may be placed on the node."""
    if not node.schedulable:
        return True
    return untolerated(node, tolerations, (NO_SCHEDULE, NO_EXECUTE)) is not None
