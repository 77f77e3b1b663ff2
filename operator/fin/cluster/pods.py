"""The pod of a segment."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from fin.api.names import GROUP
from fin.api.quantity import Quantity
from fin.cluster.capacity import SEGMENT_CONTAINER
from fin.cluster.naming import config_name, digest, segment_labels, segment_name
from fin.cluster.revision import Template
from fin.segment.config import MODELS_DIRECTORY, ROUTES_FILE, SEGMENT_FILE, BlockTensors

ANNOTATION_CONFIG: Final = f"{GROUP}/config"
"""What a segment runs, on its pod; the pod finds it in a file."""

HTTP_PORT: Final = 8080
GRPC_PORT: Final = 9000

_CONFIG_DIRECTORY: Final = "/etc/fin"
# Not a user of any image's: only its number counts, and that it is not root's.
_USER: Final = 65532


def segment_digest(config: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """Hash of what a segment runs and how: the one in its name.

    Neither its neighbours nor the hops to them are part of it.
    """
    return digest([config, spec])


def pod_template(
    app: str, segment: str, config: Mapping[str, Any], spec: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the pod template of a segment with the hash ``segment``."""
    named = {**config, "name": segment_name(app, segment)}
    written = orjson.dumps(named, option=orjson.OPT_SORT_KEYS).decode()
    return {
        "metadata": {
            "labels": segment_labels(app, segment),
            "annotations": {ANNOTATION_CONFIG: written},
        },
        "spec": dict(spec),
    }


def segment_config(
    app: str,
    model: str,
    blocks: list[BlockTensors],
    final: str,
    template: Template,
) -> dict[str, Any]:
    """What a segment has to know of itself, its name apart (``fin.segment.config``).

    ``final`` is the exit where every sample ends.
    """
    config: dict[str, Any] = {
        "app": app,
        "model": model,
        "blocks": [block.to_object() for block in blocks],
        "finalExit": final,
    }
    if template.artifact is not None:
        remote = "url" in template.artifact
        config["artifact"] = dict(template.artifact) if remote else {"path": MODELS_DIRECTORY}
    return config


def pod_spec(
    app: str, node: str, millicores: int, memory: int, template: Template
) -> dict[str, Any]:
    """Return the spec of a pod of ``app`` on ``node``; ``memory`` in bytes.

    Every field that the API server would fill in inside a list that it treats as one value is
    written out, so that the live one can be compared.
    """
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "affinity": {"nodeAffinity": _pinned_to(node)},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(millicores, memory, template)],
        "volumes": _volumes(app, template),
    }
    if template.service_account_name:
        spec["serviceAccountName"] = template.service_account_name
    if template.tolerations:
        spec["tolerations"] = [dict(toleration) for toleration in template.tolerations]
    if template.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in template.image_pull_secrets]
    return spec


def _pinned_to(node: str) -> dict[str, Any]:
    """Affinity by the node's name: a label may be changed, and nodeName skips the scheduler."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchFields": [field]}]
        }
    }


def _container(millicores: int, memory: int, template: Template) -> dict[str, Any]:
    reserved = {
        "cpu": str(Quantity.of_millicores(millicores)),
        "memory": str(Quantity.of_bytes(memory)),
    }
    mounts = [
        {"name": "config", "mountPath": _CONFIG_DIRECTORY, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    if _volume_source(template) is not None:
        mounts.append({"name": "models", "mountPath": MODELS_DIRECTORY, "readOnly": True})
    return {
        "name": SEGMENT_CONTAINER,
        "image": template.image,
        "args": ["segment", "--config", _CONFIG_DIRECTORY],
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
        ],
        "resources": {"requests": reserved, "limits": dict(reserved)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # Weights may take minutes to load on a few millicores: until then nothing kills it.
        "startupProbe": _probe("live", period=2, failures=150),
        "livenessProbe": _probe("live", period=10, failures=3),
        "readinessProbe": _probe("ready", period=2, failures=3),
        "volumeMounts": mounts,
    }


def _probe(what: str, period: int, failures: int) -> dict[str, Any]:
    """Open Inference Protocol, "Health"."""
    return {
        "httpGet": {"path": f"/v2/health/{what}", "port": "http", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _volumes(app: str, template: Template) -> list[dict[str, Any]]:
    own_config = {
        "path": SEGMENT_FILE,
        "fieldRef": {
            "apiVersion": "v1",
            "fieldPath": f"metadata.annotations['{ANNOTATION_CONFIG}']",
        },
    }
    sources = [
        {
            "configMap": {
                "name": config_name(app),
                "items": [{"key": ROUTES_FILE, "path": ROUTES_FILE}],
            }
        },
        {"downwardAPI": {"items": [own_config]}},
    ]
    volumes: list[dict[str, Any]] = [
        {"name": "config", "projected": {"sources": sources}},
        {"name": "tmp", "emptyDir": {}},
    ]
    source = _volume_source(template)
    if source is not None:
        volumes.append({"name": "models", **source})
    return volumes


def _volume_source(template: Template) -> Mapping[str, Any] | None:
    """The artifact, where it is a volume; one with a URL is loaded by the segment itself."""
    artifact = template.artifact
    return None if artifact is None or "url" in artifact else artifact
