"""Segments whose node is lost: they can't serve, and waiting for them has no use."""

from collections.abc import Iterable, Mapping

from fin.api.names import LABEL_APP
from fin.cluster import reading
from fin.cluster.capacity import is_segment
from fin.cluster.snapshot import Object
from fin.cluster.state import NodeState
from fin.cluster.taints import NO_EXECUTE, of_pod_spec, untolerated
from fin.planning.problem import AppKey


def lost_nodes(
    deployments: Iterable[Object], nodes: Mapping[str, NodeState]
) -> dict[AppKey, frozenset[str]]:
    """Nodes on which a segment of an app is lost, by app."""
    found: dict[AppKey, set[str]] = {}
    for deployment in deployments:
        node = pinned_node(deployment)
        if is_segment(deployment) and why_lost(deployment, nodes):
            key = reading.namespace(deployment), str(reading.labels(deployment).get(LABEL_APP, ""))
            found.setdefault(key, set()).add(node)
    return {key: frozenset(names) for key, names in found.items()}


def why_lost(deployment: Object, nodes: Mapping[str, NodeState]) -> str | None:
    """Tell why the segment of a Deployment is lost, in words; None where it is not.

    Its node is gone, not Ready, or has a NoExecute taint that the segment does not tolerate.
    """
    name = pinned_node(deployment)
    if not name:
        return None
    node = nodes.get(name)
    if node is None:
        return f"node {name} is gone"
    if not node.ready:
        return f"node {name} is not Ready"
    template = reading.mapping(deployment, "spec", "template", "spec")
    taint = untolerated(node, of_pod_spec(template), [NO_EXECUTE])
    return f"node {name} has the taint {taint}, which is not tolerated" if taint else None


def pinned_node(deployment: Object) -> str:
    """Name of the node that required node affinity pins the Deployment to; empty without one."""
    terms = reading.mappings(
        deployment,
        "spec",
        "template",
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    )
    for term in terms:
        for field in reading.mappings(term, "matchFields"):
            values = field.get("values")
            if field.get("key") == "metadata.name" and isinstance(values, list) and values:
                return str(values[0])
    return ""
