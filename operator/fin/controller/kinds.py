"""The kinds of objects that the operator reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from fin.api.names import (
    API_VERSION,
    DNN_MODEL,
    INFERENCE_APP,
    NETWORK_TOPOLOGY,
    PLURAL_DNN_MODEL,
    PLURAL_INFERENCE_APP,
    PLURAL_NETWORK_TOPOLOGY,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object, and where the API server has it."""

    api_version: str
    name: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """API group; empty for the core group."""
        group, slash, _ = self.api_version.partition("/")
        return group if slash else ""

    @property
    def version(self) -> str:
        """Version without the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Path of one object, or of all: of one namespace, or of every."""
        parts = ["apis" if self.group else "api", *self.api_version.split("/")]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


NODE: Final = Kind("v1", "Node", "nodes", namespaced=False)
POD: Final = Kind("v1", "Pod", "pods")
SERVICE: Final = Kind("v1", "Service", "services")
CONFIG_MAP: Final = Kind("v1", "ConfigMap", "configmaps")
EVENT: Final = Kind("v1", "Event", "events")
DEPLOYMENT: Final = Kind("apps/v1", "Deployment", "deployments")
BUDGET: Final = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
ENDPOINT_SLICE: Final = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
LEASE: Final = Kind("coordination.k8s.io/v1", "Lease", "leases")
TOPOLOGY: Final = Kind(API_VERSION, NETWORK_TOPOLOGY, PLURAL_NETWORK_TOPOLOGY, namespaced=False)
MODEL: Final = Kind(API_VERSION, DNN_MODEL, PLURAL_DNN_MODEL)
APP: Final = Kind(API_VERSION, INFERENCE_APP, PLURAL_INFERENCE_APP)

ALL: Final[tuple[Kind, ...]] = (
    NODE,
    POD,
    SERVICE,
    CONFIG_MAP,
    EVENT,
    DEPLOYMENT,
    BUDGET,
    ENDPOINT_SLICE,
    LEASE,
    TOPOLOGY,
    MODEL,
    APP,
)

BY_NAME: Final[Mapping[str, Kind]] = {kind.name: kind for kind in ALL}


def kind_of(obj: Mapping[str, Any]) -> Kind:
    """Return the kind of an object that the operator made.

    Raises
    ------
    KeyError
        Where it is of no kind that the operator knows.
    """
    return BY_NAME[obj["kind"]]
