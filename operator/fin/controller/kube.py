"""Access to the API server: lists, server-side apply, deletion, status; plain JSON in and out."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import orjson
import tenacity
from kubernetes.aio.client import ApiClient, Configuration

from fin.api.names import FIELD_MANAGER
from fin.controller.kinds import Kind

JsonObject = dict[str, Any]

PAGE: Final = 500
"""Objects in one answer to a list."""

PARALLEL: Final = 16
"""Requests under way at once."""

READ_TIMEOUT: Final = 30.0
WRITE_TIMEOUT: Final = 5.0
"""Seconds. A write must end before a Lease that was valid when it began runs out (lease.py)."""

ATTEMPTS: Final = 5
_TRANSIENT: Final = frozenset({429, 500, 502, 503, 504})
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_JSON: Final = "application/json"
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class ApiError(Exception):
    """The API server's refusal, or its absence (``status`` 0)."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.status == 0 or self.status in _TRANSIENT

    @property
    def outdated(self) -> bool:
        """Whether the world has moved on since the request was decided.

        404, 409, the 422 with which the API server refuses to apply over another object than
        the one whose uid is named, and the 403 of a namespace that is being deleted.
        """
        return (
            self.status in (404, 409)
            or (self.status == 422 and "metadata.uid" in str(self))
            or (self.status == 403 and "because it is being terminated" in str(self))
        )


class WritingStoppedError(Exception):
    """A write that was not sent, since this copy of the operator may not write now."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the API server; ``verb`` is the one of the API (list, apply, ...)."""

    verb: str
    kind: Kind
    method: str
    path: str
    query: Mapping[str, str | int | bool] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content_type: str = _JSON
    accept: str = _JSON
    timeout: float = WRITE_TIMEOUT


def _refuse_nothing() -> None:
    return


class Kube:
    """A client for one API server.

    ``observe`` is told of each request: verb, kind, and status (200 for any success, 0 where
    no answer came). ``permit`` is called before every write but those of ``once``, and raises
    ``WritingStoppedError`` where this copy of the operator may not write.
    """

    def __init__(
        self, configuration: Configuration, observe: Callable[[str, str, int], None]
    ) -> None:
        configuration.connection_pool_maxsize = 2 * PARALLEL
        self._client = ApiClient(configuration)
        self._client.user_agent = FIELD_MANAGER
        self._observe = observe
        self._slots = asyncio.Semaphore(PARALLEL)
        self.permit: Callable[[], None] = _refuse_nothing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self._client.close()

    async def list_all(
        self, kind: Kind, *, labels: str = "", fields: str = "", metadata_only: bool = False
    ) -> list[JsonObject]:
        """Read every object of a kind as the API server has it now (a consistent read).

        Each with its ``kind`` and ``apiVersion``, which lists leave out.
        """
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        query = {key: selector for key, selector in selectors.items() if selector}
        accept = _METADATA if metadata_only else _JSON
        try:
            return await self._pages(kind, query, accept)
        except ApiError as error:
            if error.status != 410:
                raise
            return await self._pages(kind, query, accept)  # the pages took too long: once more

    async def _pages(self, kind: Kind, selectors: dict[str, str], accept: str) -> list[JsonObject]:
        query: dict[str, str | int | bool] = {"limit": PAGE, **selectors}
        found: list[JsonObject] = []
        while True:
            page = await self._retrying(
                Request(
                    "list", kind, "GET", kind.path(), query, accept=accept, timeout=READ_TIMEOUT
                )
            )
            for item in page.get("items") or ():
                item["kind"], item["apiVersion"] = kind.name, kind.api_version
                found.append(item)
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found
            query["continue"] = token

    async def get(self, kind: Kind, namespace: str, name: str) -> JsonObject:
        """Read one object; ``ApiError`` 404 where there is none."""
        return await self._retrying(Request("get", kind, "GET", kind.path(namespace, name)))

    async def apply(
        self, kind: Kind, obj: Mapping[str, Any], *, subresource: str = ""
    ) -> JsonObject:
        """Apply an object server-side, by force: the operator is the one writer of its fields."""
        metadata = obj["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"], subresource)
        query: dict[str, str | int | bool] = {"fieldManager": FIELD_MANAGER, "force": True}
        return await self._retrying(Request("apply", kind, "PATCH", path, query, obj, _APPLY))

    async def create(self, kind: Kind, obj: Mapping[str, Any]) -> JsonObject:
        """Create an object; ``ApiError`` 409 where one of its name exists."""
        path = kind.path(obj["metadata"].get("namespace", ""))
        query = {"fieldManager": FIELD_MANAGER}
        return await self._retrying(Request("create", kind, "POST", path, query, obj))

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]
    ) -> JsonObject:
        """Change fields of an object (JSON merge patch)."""
        path, query = kind.path(namespace, name), {"fieldManager": FIELD_MANAGER}
        return await self._retrying(Request("patch", kind, "PATCH", path, query, patch, _MERGE))

    async def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, *, propagation: str = "Background"
    ) -> None:
        """Delete the object with exactly this uid; ``ApiError`` 404 or 409 where it is gone."""
        options = {"preconditions": {"uid": uid}, "propagationPolicy": propagation}
        path = kind.path(namespace, name)
        await self._retrying(Request("delete", kind, "DELETE", path, {}, options))

    async def _retrying(self, request: Request) -> JsonObject:
        """Send a request, and again while its failure may pass."""
        reads = request.method == "GET"
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_read_may_pass if reads else _may_pass),
            wait=_wait,
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        answer: JsonObject = await attempts(self._permitted, request)
        return answer

    async def _permitted(self, request: Request) -> JsonObject:
        async with self._slots:
            if request.method != "GET":
                self.permit()
            return await self.once(request)

    async def once(self, request: Request) -> JsonObject:
        """Send a request once, whoever may write: for the Lease itself."""
        try:
            answer = await self._send(request)
        except ApiError as error:
            self._observe(request.verb, request.kind.name, error.status)
            raise
        self._observe(request.verb, request.kind.name, 200)
        return answer

    async def _send(self, request: Request) -> JsonObject:
        where = f"{request.method} {request.path}"
        try:
            serialized = await self._client.param_serialize(
                request.method,
                request.path,
                query_params=dict(request.query),
                header_params={"Accept": request.accept, "Content-Type": request.content_type},
                body=request.body,
                auth_settings=["BearerToken"],
            )
            response = await self._client.call_api(
                *serialized, _request_timeout=aiohttp.ClientTimeout(total=request.timeout)
            )
            raw = await response.read()
        except TimeoutError:
            message = f"{where}: no answer within {request.timeout:g} s"
            raise ApiError(0, "Timeout", message) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(0, "Unreachable", f"{where}: {error}") from error
        answer = _parse(raw)
        if response.status < 400:
            return answer
        raise ApiError(
            response.status,
            str(answer.get("reason", "")),
            f"{where}: {answer.get('message') or response.status}",
            _seconds(response.headers.get("Retry-After")),
        )


def _parse(raw: bytes) -> JsonObject:
    """Read an answer; a proxy's page of HTML becomes a message."""
    try:
        answer = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        return {"message": raw[:200].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {}


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdecimal() else 0.0


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.transient


def _read_may_pass(error: BaseException) -> bool:
    """As for a write, and 403: an API server that starts may not know the roles yet."""
    return _may_pass(error) or (isinstance(error, ApiError) and error.status == 403)


_BACKOFF = tenacity.wait_random_exponential(multiplier=0.2, max=5.0)


def _wait(state: tenacity.RetryCallState) -> float:
    """At least what the server asks for, else exponential with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ApiError) else 0.0
    return max(min(asked, 10.0), _BACKOFF(state))
