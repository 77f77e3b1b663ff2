"""Plain JSON to and from the API server, as the administrator."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kubernetes.client import ApiClient

from fin.controller.kinds import Kind

Object = dict[str, Any]
T = TypeVar("T")

_MERGE = "application/merge-patch+json"
_PATIENCE = 10.0


def condition(obj: Object, kind: str) -> Object:
    """Return a condition of an object; empty where it is not there."""
    told = obj.get("status", {}).get("conditions", ())
    return next((each for each in told if each["type"] == kind), {})


class RefusedError(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """Reads and writes objects of the kinds that the operator knows."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def create(self, kind: Kind, obj: Mapping[str, Any]) -> Object:
        namespace = obj["metadata"].get("namespace", "")
        return self._call("POST", kind.path(namespace), obj)

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        return self._call("GET", kind.path(namespace, name))

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return an object, or None where there is none."""
        try:
            return self.get(kind, namespace, name)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        query = {"labelSelector": labels} if labels else {}
        items: list[Object] = self._call("GET", kind.path(namespace), query=query)["items"]
        return [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in items]

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        subresource: str = "",
    ) -> Object:
        """Change fields by a merge patch."""
        path = kind.path(namespace, name, subresource)
        return self._call("PATCH", path, patch, content_type=_MERGE)

    def delete(
        self, kind: Kind, namespace: str, name: str, propagation: str = "Background"
    ) -> None:
        self._call("DELETE", kind.path(namespace, name), {"propagationPolicy": propagation})

    def discard(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object if it is there."""
        try:
            self.delete(kind, namespace, name)
        except RefusedError as error:
            if error.status != 404:
                raise

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        request = self._client.param_serialize(
            method,
            path,
            query_params=dict(query or {}),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        deadline = time.monotonic() + _PATIENCE
        while True:
            response = self._client.call_api(*request, _request_timeout=30)
            answer: Object = json.loads(response.read())
            if response.status < 400:
                return answer
            if response.status != 429 or time.monotonic() > deadline:
                raise RefusedError(response.status, answer.get("message", ""))
            time.sleep(0.1)  # as while a CRD changes


def until(
    condition: Callable[[], T | None], what: str, timeout: float = 60, pause: float = 0.1
) -> T:
    """Wait until a condition gives something true, and return it.

    Raises
    ------
    AssertionError
        It did not within ``timeout`` seconds; with what it gave last.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {what} in vain; last: {found!r}")
        time.sleep(pause)
