"""A small system of its own on a shared control plane: nodes, links, a model, apps.

Tiers and nodes have names of their own, and links lead nowhere else, so what happens in one
scene does not concern another.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from fin.api.names import LABEL_FLOPS, LABEL_GFLOPS_PER_WATT, LABEL_TIER
from fin.controller import kinds
from testbed import ControlPlane
from tests.helpers import objects
from tests.helpers.api import Api, Object, until

MADE = (kinds.DEPLOYMENT, kinds.SERVICE, kinds.CONFIG_MAP, kinds.BUDGET)
MANAGED = "app.kubernetes.io/managed-by=fin-operator"


class Scene:
    """Made with ``with``: what it made is deleted at the end.

    The mobile node costs ten times the energy of the edge, so apps go to the edge if they can:
    to ``edge-0``, which is a quarter better than ``edge-1``.
    """

    def __init__(self, control_plane: ControlPlane, api: Api) -> None:
        self.id = "s" + secrets.token_hex(3)
        self.namespace = f"{self.id}-apps"
        self.api = api
        self.control_plane = control_plane
        self._nodes: list[str] = []
        self._namespaces: list[str] = []
        self._topologies: list[str] = []

    def __enter__(self) -> "Scene":
        self.make_namespace(self.namespace)
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in self._namespaces:
            for app in self.api.list(kinds.APP, namespace):
                self.api.discard(kinds.APP, namespace, app["metadata"]["name"])
            self.control_plane.core.delete_namespace(namespace)
        for name in self._topologies:
            self.api.discard(kinds.TOPOLOGY, "", name)
        for name in self._nodes:
            self.api.discard(kinds.NODE, "", name)

    def make_namespace(self, name: str) -> None:
        self.api.create(
            kinds.Kind("v1", "Namespace", "namespaces", namespaced=False),
            {"metadata": {"name": name}},
        )
        self._namespaces.append(name)

    def name(self, node: str) -> str:
        """Full name of a node or tier of this scene."""
        return f"{self.id}-{node}"

    def node(
        self,
        name: str,
        *,
        flops: str = "200G",
        gflops_per_watt: str = "10",
        **resources: Any,
    ) -> str:
        """Create a node; its tier is what comes before the dash in its name."""
        full = self.name(name)
        labels = {
            LABEL_TIER: self.name(name.partition("-")[0]),
            LABEL_FLOPS: flops,
            LABEL_GFLOPS_PER_WATT: gflops_per_watt,
        }
        self._nodes.append(full)
        self.control_plane.kwok.create_node(full, labels=labels, **resources)
        return full

    def standard(self) -> None:
        """Make a mobile node, two edge nodes and one in the cloud, with links and a model."""
        self.node("mobile-0", flops="20G", gflops_per_watt="1")
        self.node("edge-0", gflops_per_watt="10")
        self.node("edge-1", gflops_per_watt="8")
        self.node("cloud-0", flops="1T", gflops_per_watt="20")
        self.topology(self.link("mobile", "edge"), self.link("edge", "cloud", rtt="200ms"))
        self.model()
        self.control_plane.kwok.wait_until_ready(*self._nodes)

    def link(self, source: str, target: str, **fields: Any) -> Object:
        """Return a link rule between tiers of this scene, or nodes where names have a dash."""
        return {
            **objects.link("a", "b", **fields),
            "from": self._end(source),
            "to": self._end(target),
        }

    def _end(self, word: str) -> Object:
        return {"nodeName" if "-" in word else "tier": self.name(word)}

    def topology(self, *links: Object, name: str = "links") -> None:
        full = self.name(name)
        self._topologies.append(full)
        obj = objects.topology(full, *links)
        obj["metadata"].pop("uid")
        self.api.create(kinds.TOPOLOGY, obj)

    def model(self, name: str = "net", namespace: str = "", **segment: Any) -> Object:
        """Create a model of three blocks of 100 MFLOP; the first exit has accuracy 0.7."""
        obj = objects.model(name, namespace or self.namespace, **segment)
        obj["metadata"].pop("uid")
        for block in obj["spec"]["blocks"]:
            block["flops"] = "100M"
        return self.api.create(kinds.MODEL, obj)

    def app(self, name: str = "camera", namespace: str = "", **spec: Any) -> Object:
        """Create an app whose source is the mobile node."""
        source = self.name(spec.pop("source", "mobile-0"))
        obj = objects.app(name, namespace or self.namespace, source=source, **spec)
        obj["metadata"].pop("uid")
        return self.api.create(kinds.APP, obj)

    def edit(self, name: str = "camera", **spec: Any) -> None:
        """Change fields of an app's spec."""
        self.api.patch(kinds.APP, self.namespace, name, {"spec": spec})

    # What can be seen of it

    def get(self, name: str = "camera", namespace: str = "") -> Object:
        return self.api.get(kinds.APP, namespace or self.namespace, name)

    def condition(self, kind: str, name: str = "camera", namespace: str = "") -> Mapping[str, Any]:
        """Return a condition of an app; empty where it has none of the current generation."""
        app = self.get(name, namespace)
        return condition(app, kind)

    def nodes_of(self, name: str = "camera") -> list[str]:
        """Nodes of the segments of the plan in an app's status, without the scene's prefix."""
        segments = self.get(name).get("status", {}).get("plan", {}).get("segments", [])
        return [segment["nodeName"].removeprefix(f"{self.id}-") for segment in segments]

    def owned(self, kind: kinds.Kind, app: str = "camera", namespace: str = "") -> list[Object]:
        """Objects that the operator made for an app and that are not on their way out."""
        labels = f"{MANAGED},finoperator.io/app={app}"
        found = self.api.list(kind, namespace or self.namespace, labels)
        return [one for one in found if "deletionTimestamp" not in one["metadata"]]

    def identities(self, app: str = "camera") -> dict[str, str]:
        """Names and uids of all that was made for an app."""
        return {
            f"{kind.name} {one['metadata']['name']}": one["metadata"]["uid"]
            for kind in MADE
            for one in self.owned(kind, app)
        }

    def touched(self, *apps: str) -> dict[str, object]:
        """What changes when the operator writes the objects of apps, but not when others do."""
        return {
            f"{app} {kind.name} {one['metadata']['name']}": (
                one["metadata"]["uid"],
                one["metadata"].get("generation"),
                [e for e in one["metadata"]["managedFields"] if e["manager"] == "fin-operator"],
            )
            for app in apps
            for kind in MADE
            for one in self.owned(kind, app)
        }

    def events(self, name: str, reason: str, namespace: str = "") -> list[Any]:
        """Events of a reason about an object of a name."""
        where = namespace or self.namespace
        selector = f"involvedObject.name={name},reason={reason}"
        found = self.control_plane.core.list_namespaced_event(where, field_selector=selector)
        return list(found.items)

    # Waiting

    def ready(self, name: str = "camera", namespace: str = "") -> Object:
        """Wait until an app is Ready in its current generation."""
        until(
            lambda: self.condition("Ready", name, namespace).get("status") == "True",
            f"{name} to be Ready",
        )
        return self.get(name, namespace)

    def not_ready(self, reason: str, name: str = "camera", kind: str = "Ready") -> str:
        """Wait until a condition is False for a reason; return the message."""
        found = until(
            lambda: _false(self.condition(kind, name), reason), f"{name} not to be {kind}: {reason}"
        )
        return str(found["message"])

    def settled(self, name: str = "camera") -> list[str]:
        """Wait until exactly the segments of the plan are there; return their nodes."""

        def as_planned() -> bool:
            status = self.get(name).get("status", {})
            planned = {one["name"] for one in status.get("plan", {}).get("segments", [])}
            found = {one["metadata"]["name"] for one in self.owned(kinds.DEPLOYMENT, name)}
            return bool(planned) and planned == found

        self.ready(name)
        until(as_planned, f"{name} to run as planned")
        return self.nodes_of(name)

    def runs_on(self, *nodes: str, name: str = "camera") -> None:
        """Wait until an app runs on exactly these nodes, Ready, and nothing else is left."""
        until(lambda: self.nodes_of(name) == [*nodes], f"{name} to run on {', '.join(nodes)}")
        until(lambda: self.settled(name) == [*nodes], f"{name} to settle on {', '.join(nodes)}")


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return a condition of an object; empty where it has none of the current generation."""
    for one in obj.get("status", {}).get("conditions", []):
        if one["type"] == kind and one.get("observedGeneration") == obj["metadata"]["generation"]:
            return dict(one)
    return {}


def _false(found: Mapping[str, Any], reason: str) -> Mapping[str, Any] | None:
    return found if (found.get("status"), found.get("reason")) == ("False", reason) else None
