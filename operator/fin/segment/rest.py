"""HTTP: the Open Inference Protocol with its binary tensors, hops, and metrics."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
from aiohttp import web

from fin.segment import protocol
from fin.segment.blocks import Array
from fin.segment.chain import Chain
from fin.segment.errors import Kind, Refusal
from fin.segment.frames import Answer, pack_answer, unpack_passed
from fin.segment.hops import PATH, TIMEOUT
from fin.segment.metrics import Metrics
from fin.segment.protocol import GivenTensor, Signature, invalid
from fin.segment.routes import CurrentRoutes
from fin.segment.state import State
from fin.segment.trace import TRACEPARENT, TRACESTATE, Trace, trace

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
_METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_CHUNK: Final = 2**16

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a request says about its answer."""

    id: str
    binary: bool
    timeout: float | None


class Rest:
    """The HTTP server of a segment."""

    def __init__(
        self,
        signature: Signature,
        chain: Chain,
        routes: CurrentRoutes,
        state: State,
        metrics: Metrics,
    ) -> None:
        self._signature = signature
        self._chain = chain
        self._routes = routes
        self._state = state
        self._metrics = metrics

    def application(self) -> web.Application:
        """Return the application for aiohttp."""
        app = web.Application(middlewares=[self._refusals])
        app.router.add_get("/v2", self._server)
        app.router.add_get("/v2/health/live", self._live)
        app.router.add_get("/v2/health/ready", self._ready)
        for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            app.router.add_get(path, self._model)
            app.router.add_get(f"{path}/ready", self._model_ready)
            app.router.add_post(f"{path}/infer", self._infer)
        app.router.add_post(PATH, self._hop)
        app.router.add_get("/metrics", self._show_metrics)
        return app

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what is refused, or goes wrong, as the protocol says."""
        try:
            answer = await handler(request)
        except Refusal as refusal:
            answer = _error(refusal.kind.status, refusal.message)
        except web.HTTPException as error:
            answer = _error(error.status, f"{request.method} {request.path}: {error.reason}")
            if "Allow" in error.headers:
                answer.headers["Allow"] = error.headers["Allow"]
        except ConnectionError:
            raise
        except Exception:
            log.exception("a request failed")
            answer = _error(Kind.INTERNAL.status, "internal error: see the segment's log")
        if request.method == "POST":
            source = "hop" if request.path == PATH else "rest"
            self._metrics.requests.labels(source, str(answer.status)).inc()
        if self._state.draining:
            answer.force_close()
        return answer

    async def _server(self, _: web.Request) -> web.Response:
        return _json(
            {
                "name": protocol.SERVER,
                "version": protocol.VERSION,
                "extensions": protocol.EXTENSIONS,
            }
        )

    async def _live(self, _: web.Request) -> web.Response:
        return _json({"live": True})

    async def _ready(self, _: web.Request) -> web.Response:
        why = self._state.why_not_ready()
        if why:
            raise Refusal(Kind.UNAVAILABLE, f"not ready: {why}")
        return _json({"ready": True})

    async def _model(self, request: web.Request) -> web.Response:
        revision = self._revision(request)
        described = {
            "name": self._signature.model,
            "versions": self._routes.revisions if not revision else [revision],
            "platform": "onnxruntime_onnx",
            "inputs": [_described(self._signature.input)],
            "outputs": [_described(self._signature.output)],
        }
        return _json(described)

    async def _model_ready(self, request: web.Request) -> web.Response:
        self._routes.way(self._revision(request))
        await self._ready(request)
        return _json({"name": self._signature.model, "ready": True})

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.exposition(), headers={"Content-Type": _METRICS_TYPE}
        )

    async def _infer(self, request: web.Request) -> web.Response:
        revision = self._revision(request)
        self._chain.check_room()
        batch, wanted = self._parsed(request, await self._body(request))
        order = self._chain.order(wanted.timeout, _trace(request))
        revision, answer = await self._chain.enter(revision, batch, order)
        return self._answered(revision, answer, wanted)

    async def _hop(self, request: web.Request) -> web.Response:
        """Serve samples that another segment passes on."""
        self._chain.check_room()
        passed = unpack_passed(await self._body(request))
        order = self._chain.order(_seconds(request), _trace(request))
        answer = await self._chain.serve(passed, order)
        return web.Response(body=pack_answer(answer), content_type="application/octet-stream")

    def _revision(self, request: web.Request) -> str:
        """Return the revision that a request asks for, as the version of the model."""
        protocol.check_model(self._signature, request.match_info["model"])
        revision = request.match_info.get("version", "")
        if revision:
            self._routes.way(revision)
        return revision

    async def _body(self, request: web.Request) -> bytes:
        limit = self._routes.limits.request_bytes
        read = bytearray()
        if (request.content_length or 0) <= limit:
            try:
                async for chunk in request.content.iter_chunked(_CHUNK):
                    read += chunk
                    if len(read) > limit:
                        break
            except web.RequestPayloadError as error:  # cut, or not compressed as it says
                raise invalid(f"the body can't be read: {error}") from None
        protocol.check_size(max(len(read), request.content_length or 0), limit)
        return bytes(read)

    def _parsed(self, request: web.Request, body: bytes) -> tuple[Array, _Wanted]:
        length = len(body)
        if (written := request.headers.get(HEADER_LENGTH)) is not None:
            if not (written.isascii() and written.isdigit()) or int(written) > len(body):
                raise invalid(f"{HEADER_LENGTH} must be the bytes of the JSON in the body")
            length = int(written)
        try:
            asked = orjson.loads(body[:length])
        except orjson.JSONDecodeError as error:
            raise invalid(f"the body must be JSON: {error}") from None
        asked = _mapping(asked, "the body")
        parameters = _mapping(asked.get("parameters", {}), "parameters")
        given = [_given(each) for each in _list(asked.get("inputs"), "inputs")]
        only = protocol.the_input(self._signature, [tensor for tensor, _ in given])
        batch = _values(only, given[0][1], memoryview(body)[length:])
        outputs = [_mapping(e, "each output") for e in _list(asked.get("outputs", []), "outputs")]
        protocol.check_outputs(str(output.get("name")) for output in outputs)
        binary = parameters.get("binary_data_output", False)
        for output in outputs:
            of_output = _mapping(output.get("parameters", {}), "outputs: parameters")
            for refused in ("classification", "shared_memory_region"):
                if refused in of_output:
                    raise invalid(f"outputs: {refused} is not supported")
            binary = of_output.get("binary_data", binary)
        if not isinstance(binary, bool):
            raise invalid("binary_data and binary_data_output must be true or false")
        identity = asked.get("id", "")
        if not isinstance(identity, str):
            raise invalid("id must be a string")
        return batch, _Wanted(identity, binary, protocol.timeout(parameters))

    def _answered(self, revision: str, answer: Answer, wanted: _Wanted) -> web.Response:
        logits = np.ascontiguousarray(answer.logits)
        output: dict[str, Any] = {
            "name": protocol.OUTPUT,
            "datatype": protocol.datatype(logits),
            "shape": logits.shape,
        }
        if wanted.binary:
            output["parameters"] = {"binary_data_size": logits.nbytes}
        else:
            output["data"] = logits.ravel()
        told = {
            "model_name": self._signature.model,
            "model_version": revision,
            "parameters": protocol.told(answer),
            "outputs": [output],
        }
        if wanted.id:
            told["id"] = wanted.id
        header = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
        if not wanted.binary:
            return web.Response(body=header, content_type="application/json")
        return web.Response(
            body=header + logits.tobytes(),
            content_type="application/octet-stream",
            headers={HEADER_LENGTH: str(len(header))},
        )


def _trace(request: web.Request) -> Trace:
    return trace(request.headers.get(TRACEPARENT), request.headers.get(TRACESTATE))


def _seconds(request: web.Request) -> float | None:
    try:
        seconds = float(request.headers[TIMEOUT])
    except (KeyError, ValueError):
        return None
    return seconds if seconds > 0 else None


def _given(raw: Any) -> tuple[GivenTensor, Mapping[str, Any]]:
    described = _mapping(raw, "each input")
    name, datatype = described.get("name"), described.get("datatype")
    if not isinstance(name, str) or not isinstance(datatype, str):
        raise invalid("inputs: name and datatype must be strings")
    shape = _list(described.get("shape"), "inputs: shape")
    if not all(isinstance(size, int) and not isinstance(size, bool) for size in shape):
        raise invalid("inputs: shape must be integers")
    return GivenTensor(name, datatype, tuple(shape)), described


def _values(given: GivenTensor, described: Mapping[str, Any], raw: memoryview) -> Array:
    """Take the tensor's values: in the JSON, or as bytes behind it."""
    parameters = _mapping(described.get("parameters", {}), "inputs: parameters")
    if "shared_memory_region" in parameters:
        raise invalid("inputs: shared memory is not supported")
    size = parameters.get("binary_data_size")
    if size is None:
        if "data" not in described:
            raise invalid("inputs: must have data, or the parameter binary_data_size")
        if len(raw):
            raise invalid("there are bytes behind the JSON and no binary_data_size of an input")
        return protocol.from_values(given, described["data"])
    if size != len(raw):
        raise invalid(f"inputs: binary_data_size must be {len(raw)}, the bytes behind the JSON")
    return protocol.from_bytes(given, raw)


def _described(tensor: Any) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}


def _mapping(raw: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise invalid(f"{what} must be a JSON object")
    return raw


def _list(raw: Any, what: str) -> list[Any]:
    if not isinstance(raw, list):
        raise invalid(f"{what} must be a list")
    return raw


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    return _json({"error": message}, status)
