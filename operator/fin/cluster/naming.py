"""Names and labels of what the operator makes."""

import hashlib
from typing import Any, Final

import orjson

from fin.api.names import DEFAULT_NAMESPACE, LABEL_APP, LABEL_SEGMENT
from fin.cluster.capacity import LABEL_MANAGED_BY, MANAGED_BY

MAX_NAME: Final = 63
"""Length of a Service's name, and of a label's value."""

_DIGEST: Final = 8
_LABELS: Final = "app.kubernetes.io"


def digest(value: Any) -> str:
    """Short hash of a value that JSON can hold; the same for equal values."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:_DIGEST]


def segment_name(app: str, segment: str) -> str:
    """Name of a segment's Deployment and Service, from its app's name and its hash.

    An app's name that would make it too long is cut, and a hash of the whole put behind it.
    """
    if len(app) + 1 + len(segment) > MAX_NAME:
        room = MAX_NAME - 1 - len(segment) - 1 - _DIGEST
        app = f"{app[:room].rstrip('-')}-{digest(app)}"
    return f"{app}-{segment}"


def config_name(app: str) -> str:
    """Name of the ConfigMap with the hops of an app's revisions."""
    return f"{app}-routes"


def host(name: str, namespace: str) -> str:
    """DNS name of a Service, whatever the cluster's domain."""
    return f"{name}.{namespace or DEFAULT_NAMESPACE}.svc"


def app_labels(app: str) -> dict[str, str]:
    """Labels of everything that is made for an app."""
    return {
        LABEL_MANAGED_BY: MANAGED_BY,
        f"{_LABELS}/name": "fin-segment",
        f"{_LABELS}/instance": app,
        f"{_LABELS}/part-of": app,
        f"{_LABELS}/component": "segment",
        LABEL_APP: app,
    }


def segment_labels(app: str, segment: str) -> dict[str, str]:
    """Labels of a segment's objects and pods."""
    return {**app_labels(app), LABEL_SEGMENT: segment}


def selector(app: str, segment: str) -> dict[str, str]:
    """Labels that tell a segment's pods from all others of the namespace."""
    return {LABEL_APP: app, LABEL_SEGMENT: segment}
