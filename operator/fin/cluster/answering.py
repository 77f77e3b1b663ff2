"""Pods that answer, and where."""

from dataclasses import dataclass

from fin.cluster import reading
from fin.cluster.observed import Observed
from fin.cluster.snapshot import Object
from fin.planning.problem import AppKey


@dataclass(frozen=True, slots=True)
class Pod:
    """A Ready pod of a segment: its uid and its address."""

    uid: str
    ip: str


def ready_pods(seen: Observed, app: AppKey, segment: str) -> list[Pod]:
    """Return the Ready pods of the segment with this hash, by name."""
    found = sorted(filter(is_ready, seen.pods(app, segment)), key=reading.name)
    return [Pod(reading.uid(each), address(each)) for each in found]


def is_ready(pod: Object) -> bool:
    """Whether a pod has an address, is Ready, and stays."""
    return (
        bool(address(pod))
        and not reading.being_deleted(pod)
        and any(
            each.get("type") == "Ready" and each.get("status") == "True"
            for each in reading.mappings(pod, "status", "conditions")
        )
    )


def address(pod: Object) -> str:
    """IP address of a pod; empty where it has none yet."""
    return reading.text(pod, "status", "podIP")
