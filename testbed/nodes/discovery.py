"""What Prometheus' Kubernetes discovery finds: Debian's build of Prometheus is without it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kubernetes.client import (
    ApiClient,
    CoreV1Api,
    DiscoveryV1Api,
    V1EndpointSlice,
    V1ObjectMeta,
    V1Service,
)

_SERVICE = "kubernetes.io/service-name"
_META = "__meta_kubernetes_"


def targets(client: ApiClient) -> list[dict[str, Any]]:
    """Give every port of every endpoint, with the labels that the role `endpointslice` gives it.

    Only of its labels that a scrape configuration for annotations of Services uses.
    """
    services = {
        (_metadata(each).namespace, _metadata(each).name): _metadata(each)
        for each in CoreV1Api(client).list_service_for_all_namespaces().items
    }
    found = []
    for each in DiscoveryV1Api(client).list_endpoint_slice_for_all_namespaces().items:
        namespace = _metadata(each).namespace
        service = services.get((namespace, (_metadata(each).labels or {}).get(_SERVICE)))
        if service is None:
            continue
        shared = {
            f"{_META}namespace": namespace,
            f"{_META}service_name": service.name,
            **dict(_maps("service_label", service.labels)),
            **dict(_maps("service_annotation", service.annotations)),
        }
        found += [
            {
                "targets": [f"{address}:{port.port}"],
                "labels": {**shared, f"{_META}pod_node_name": endpoint.node_name or ""},
            }
            for endpoint in each.endpoints or ()
            for address in endpoint.addresses
            for port in each.ports or ()
        ]
    return found


def _metadata(each: V1Service | V1EndpointSlice) -> V1ObjectMeta:
    assert each.metadata is not None
    return each.metadata


def _maps(what: str, values: Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    for key, value in (values or {}).items():
        yield f"{_META}{what}_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}", value
