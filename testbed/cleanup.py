"""Brings a control plane back to what it held before, so that many tests can share one."""

import json
from dataclasses import dataclass

from testbed.controlplane import ControlPlane
from testbed.errors import CommandError, TestbedTimeoutError
from testbed.process import wait_for

_TIMEOUT = 240.0
_COLUMNS = "custom-columns=:.apiVersion,:.kind,:.metadata.namespace,:.metadata.name"
_NONE = "<none>"
_KEPT_BY_OTHERS = frozenset(
    {
        # Each goes with the object that it describes.
        "apiservices.apiregistration.k8s.io",
        "endpoints",
        "endpointslices.discovery.k8s.io",
        "ipaddresses.networking.k8s.io",
        # The same objects as `events`.
        "events.events.k8s.io",
    }
)
# What the control plane makes for itself, some of it a while after it is ready.
_SYSTEM_NAMESPACES = frozenset({"kube-node-lease", "kube-public", "kube-system"})
_SYSTEM_OBJECTS = frozenset(
    {
        ("ConfigMap", "kube-root-ca.crt"),
        ("Service", "kubernetes"),
        ("ServiceAccount", "default"),
        ("ServiceCIDR", "kubernetes"),
        *(("Namespace", name) for name in _SYSTEM_NAMESPACES),
    }
)


@dataclass(frozen=True)
class _Object:
    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def manifest(self) -> dict[str, object]:
        metadata = {"name": self.name, "namespace": self.namespace or None}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}


def delete_events(control_plane: ControlPlane) -> None:
    """Delete every Event, a namespace at a time: one by one, thousands take minutes."""
    listed = control_plane.kubectl("get", "namespaces", "-o", "name").stdout
    for line in listed.splitlines():
        namespace = line.removeprefix("namespace/")
        # One that ends meanwhile takes its Events with it.
        path = f"/api/v1/namespaces/{namespace}/events"
        control_plane.kubectl("delete", "--raw", path, check=False)


class Inventory:
    """What a control plane holds at one moment, to come back to later.

    Parameters
    ----------
    control_plane
        The control plane; its API server must be up.
    """

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane
        self._before = self._objects()

    def restore(self) -> None:
        """Delete every object that was not there, of any kind, in any namespace but the system's.

        What was deleted or changed since does not come back.

        Raises
        ------
        TestbedTimeoutError
            Something is still there after four minutes: a controller makes it anew, or nobody
            takes its finalizer away.
        """
        try:
            wait_for(self._has_nothing_new, _TIMEOUT, "what was created to be gone")
        except TestbedTimeoutError as error:
            left = ", ".join(sorted(f"{one.kind} {one.name}" for one in self._new_objects()))
            raise TestbedTimeoutError(f"{error}; left are {left}") from error

    def _has_nothing_new(self) -> bool:
        try:
            new = self._new_objects()
        except CommandError:
            return False  # a kind went while it was being listed
        namespaced = {one for one in new if one.namespace}
        self._delete(namespaced or new)
        if not namespaced:
            self._finalize({one.name for one in new if one.kind == "Namespace"})
        return not new

    def _new_objects(self) -> set[_Object]:
        return self._objects() - self._before

    def _objects(self) -> set[_Object]:
        kubectl = self._control_plane.kubectl
        kinds = set(kubectl("api-resources", "--verbs=list,delete", "-o", "name").stdout.split())
        names = ",".join(sorted(kinds - _KEPT_BY_OTHERS))
        listed = kubectl("get", names, "-A", "--no-headers", "-o", _COLUMNS).stdout
        objects = set()
        for line in listed.splitlines():
            api_version, kind, namespace, name = line.split()
            is_system = (kind, name) in _SYSTEM_OBJECTS or (
                namespace in _SYSTEM_NAMESPACES and kind != "Lease"  # a node's lives there
            )
            if not is_system:
                objects.add(_Object(api_version, kind, namespace.replace(_NONE, ""), name))
        return objects

    def _delete(self, objects: set[_Object]) -> None:
        if objects:
            manifests = {"apiVersion": "v1", "kind": "List", "items": [o.manifest for o in objects]}
            options = ("--ignore-not-found", "--wait=false", "--grace-period=0", "--force")
            # What can't be deleted now is tried again.
            self._control_plane.kubectl(
                "delete", "-f", "-", *options, input=json.dumps(manifests), check=False
            )

    def _finalize(self, namespaces: set[str]) -> None:
        """Let empty namespaces go at once; their controller would begin after 5 s."""
        for name in namespaces:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}}
            path = f"/api/v1/namespaces/{name}/finalize"
            self._control_plane.kubectl(
                "replace", "--raw", path, "-f", "-", input=json.dumps(body), check=False
            )
