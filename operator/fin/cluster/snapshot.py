"""The objects that one round of planning starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
"""A Kubernetes object as JSON gives it; nothing about its content is certain."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the API server held at one moment; no function changes it.

    ``budgets`` are PodDisruptionBudgets. Only ``nodes``, ``pods``, ``topologies``,
    ``models`` and ``apps`` (of any namespace) shape the planning problem.
    """

    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    topologies: tuple[Object, ...] = ()
    models: tuple[Object, ...] = ()
    apps: tuple[Object, ...] = ()
    deployments: tuple[Object, ...] = ()
    services: tuple[Object, ...] = ()
    configmaps: tuple[Object, ...] = ()
    budgets: tuple[Object, ...] = ()
    endpointslices: tuple[Object, ...] = ()
