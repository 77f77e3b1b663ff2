"""What the operator may be told (`fin run`)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fin.api.names import DEFAULT_NAMESPACE

LogFormat = Literal["text", "json"]

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """Settings of the operator; times in seconds.

    Attributes
    ----------
    gamma, tolerance, min_saving
        Planning options (see ``fin.planning.options``).
    utilisation
        Share of a reservation, and of a link, that load may fill (rho).
    segment_image
        Image of the segments of models that name none; empty: such models are refused.
    allow_host_path
        Whether a model's artifact may be a hostPath volume.
    metrics_address, health_address
        ``HOST:PORT`` of the metrics endpoint and of the probes; port 0 takes a free one.
    lease_namespace
        Where the Lease lives; None: the pod's own namespace, or ``default`` outside a pod.
    drain
        How long an old entry segment serves on after traffic has left it.
    ready_timeout
        How long a new revision may take to become Ready before it is given up.
    observe_every
        How often segments' metrics are read; what is observed is smoothed in proportion.
    """

    gamma: int | None = None
    tolerance: float = 1e-3
    utilisation: float = 0.8
    min_saving: float = 0.05
    segment_image: str = ""
    allow_host_path: bool = False
    metrics_address: str = "0.0.0.0:8080"
    health_address: str = "0.0.0.0:8081"
    lease_namespace: str | None = None
    drain: float = 5.0
    ready_timeout: float = 300.0
    observe_every: float = 15.0
    log_format: LogFormat = "text"

    @property
    def namespace(self) -> str:
        """Namespace of the operator's Lease."""
        if self.lease_namespace:
            return self.lease_namespace
        try:
            return _OWN_NAMESPACE.read_text(encoding="utf-8").strip() or DEFAULT_NAMESPACE
        except OSError:
            return DEFAULT_NAMESPACE


def identity() -> str:
    """Name of this copy of the operator in the Lease: the pod's name, or host and process."""
    host = os.environ.get("HOSTNAME") or os.uname().nodename
    return f"{host}_{os.getpid()}_{os.urandom(4).hex()}"
