"""Whether a segment is Ready, since when it is not, and why."""

from collections.abc import Iterable
from datetime import datetime

from fin.cluster import reading
from fin.cluster.snapshot import Object


def is_ready(deployment: Object) -> bool:
    """Whether the pod of a segment's Deployment, as it is asked for now, is Ready."""
    counts = [
        _count(deployment, "status", key)
        for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    ]
    seen = _count(deployment, "status", "observedGeneration")
    return (
        not reading.being_deleted(deployment)
        and seen >= _count(deployment, "metadata", "generation")
        and counts[0] >= 1
        and len(set(counts)) == 1
    )


def unready_since(deployment: Object, pods: Iterable[Object]) -> float | None:
    """Time (Unix, s) from which on a segment has not been Ready; None where that is unknown.

    By its pods: with one replica of which one may be unavailable, the Deployment itself is
    Available whatever its pod is. Without a pod it counts only where one was refused, since
    between two pods there is a moment without any.
    """
    pods = [pod for pod in pods if not reading.being_deleted(pod)]
    moments = [_pod_unready_since(pod) for pod in pods]
    if not pods:
        moments = [
            _moment(reading.text(condition, "lastTransitionTime"))
            for condition in reading.mappings(deployment, "status", "conditions")
            if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True"
        ]
    return min((moment for moment in moments if moment is not None), default=None)


def _pod_unready_since(pod: Object) -> float | None:
    for condition in reading.mappings(pod, "status", "conditions"):
        if condition.get("type") == "Ready":
            if condition.get("status") == "True":
                return None
            return _moment(reading.text(condition, "lastTransitionTime"))
    return _moment(reading.text(pod, "metadata", "creationTimestamp"))


def why_not_ready(deployment: Object | None, pods: Iterable[Object]) -> str:
    """Tell in words why a segment is not Ready: the most telling thing that is known."""
    if deployment is None:
        return "its Deployment does not exist yet"
    if reading.being_deleted(deployment):
        return "its Deployment is being deleted"
    pods = [pod for pod in pods if not reading.being_deleted(pod)]
    for pod in pods:
        told = _of_containers(pod) or _of_conditions(pod)
        if told:
            return told
    if not pods:
        return _of_replicas(deployment) or "its pod does not exist yet"
    return "its pod is starting"


def _of_containers(pod: Object) -> str:
    for key in ("initContainerStatuses", "containerStatuses"):
        for state in reading.mappings(pod, "status", key):
            container = reading.text(state, "name")
            waiting = reading.mapping(state, "state", "waiting")
            ended = reading.mapping(state, "state", "terminated")
            before = reading.mapping(state, "lastState", "terminated")
            reason = reading.text(waiting, "reason")
            if reason and reason not in ("ContainerCreating", "PodInitializing"):
                return _told(container, reason, reading.text(waiting, "message"), before)
            if ended and key == "containerStatuses":
                return _told(container, reading.text(ended, "reason") or "Ended", "", ended)
    return ""


def _told(container: str, reason: str, message: str, ended: Object) -> str:
    words = f"container {container}: {reason}"
    if message:
        words += f": {message}"
    if ended:
        last = reading.text(ended, "reason") or "it ended"
        words += f" ({last}, exit code {_count(ended, 'exitCode')})"
    return words


def _of_conditions(pod: Object) -> str:
    for condition in reading.mappings(pod, "status", "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            why = reading.text(condition, "message") or reading.text(condition, "reason")
            return f"its pod can't be scheduled: {why}"
    return ""


def _of_replicas(deployment: Object) -> str:
    """A quota, a limit range or an admission policy refuses the pod."""
    for condition in reading.mappings(deployment, "status", "conditions"):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return f"its pod is refused: {reading.text(condition, 'message')}"
    return ""


def _count(value: object, *path: str) -> int:
    found = reading.at(value, *path)
    return found if isinstance(found, int) else 0


def _moment(written: str) -> float | None:
    try:
        return datetime.fromisoformat(written).timestamp()
    except ValueError:
        return None
