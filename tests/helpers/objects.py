"""Kubernetes objects for tests, as the API server's JSON gives them."""

from typing import Any

API = "finoperator.io/v1alpha1"


def node(
    name: str,
    tier: str | None = "edge",
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    flops: str = "200G",
    gflops_per_watt: str = "6.7",
    ready: bool = True,
    cordoned: bool = False,
    taints: list[dict[str, str]] | None = None,
    labels: dict[str, str] | None = None,
) -> dict[str, Any]:
    ours = {
        "finoperator.io/tier": tier,
        "finoperator.io/flops": flops,
        "finoperator.io/gflops-per-watt": gflops_per_watt,
    }
    spec: dict[str, Any] = {"taints": taints} if taints else {}
    if cordoned:
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "labels": {**(ours if tier is not None else {}), **(labels or {})},
        },
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def container(name: str = "main", **requests: str) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": requests}}


def pod(
    name: str,
    node_name: str | None = "edge-0",
    *containers: dict[str, Any],
    phase: str = "Running",
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    bound = {"nodeName": node_name} if node_name else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
        "spec": {**bound, "containers": list(containers), **spec},
        "status": {"phase": phase},
    }


def link(source: str, target: str, **fields: Any) -> dict[str, Any]:
    """Return a link rule; an end that contains a digit is a node, another a tier."""
    rule = {"bandwidth": "100M", "rtt": "2ms", "energyPerBit": "10n"}
    return {"from": end(source), "to": end(target), **rule, **fields}


def end(word: str) -> dict[str, str]:
    return {"nodeName": word} if any(c.isdigit() for c in word) else {"tier": word}


def topology(
    name: str, *links: dict[str, Any], interfaces: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    spec: dict[str, Any] = {"links": list(links)}
    if interfaces is not None:
        spec["interfaces"] = interfaces
    metadata = {"name": name, "uid": f"uid-{name}"}
    return {"apiVersion": API, "kind": "NetworkTopology", "metadata": metadata, "spec": spec}


def model(
    name: str = "net", namespace: str = "default", *, blocks: int = 3, **segment: Any
) -> dict[str, Any]:
    """Return a model with an exit after its first and its last block."""
    chain: list[dict[str, Any]] = [
        {"name": f"block{i}", "flops": "10M", "memory": "1Mi", "outputBytes": "4Ki"}
        for i in range(1, blocks + 1)
    ]
    chain[0]["exit"] = {"flops": "1M", "memory": "10Ki", "exitRate": 0.4, "accuracy": 0.7}
    chain[-1]["exit"] = {"name": "final", "accuracy": 0.9}
    return {
        "apiVersion": API,
        "kind": "DNNModel",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"},
        "spec": {"inputBytes": 3072, "blocks": chain, **({"segment": segment} if segment else {})},
    }


def app(
    name: str = "camera",
    namespace: str = "default",
    *,
    model: str = "net",
    source: str = "mobile-0",
    **spec: Any,
) -> dict[str, Any]:
    asked = {
        "model": model,
        "source": {"nodeName": source},
        "rate": 10,
        "latency": {"target": "50ms"},
        "minAccuracy": 0.8,
    }
    return {
        "apiVersion": API,
        "kind": "InferenceApp",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"},
        "spec": {**asked, **spec},
    }


def segment_deployment(
    app_name: str, node_name: str, namespace: str = "default", **pod_spec: Any
) -> dict[str, Any]:
    """Return a segment's Deployment, pinned to its node."""
    fields = [{"key": "metadata.name", "operator": "In", "values": [node_name]}]
    required = {"nodeSelectorTerms": [{"matchFields": fields}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    labels = {
        "app.kubernetes.io/managed-by": "fin-operator",
        "finoperator.io/app": app_name,
        "finoperator.io/segment": "abcd1234",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{app_name}-abcd1234", "namespace": namespace, "labels": labels},
        "spec": {"template": {"spec": {"affinity": affinity, **pod_spec}}},
    }
