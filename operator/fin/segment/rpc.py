"""The Open Inference Protocol over gRPC."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeAlias

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from grpc import aio
from tritonclient.grpc import service_pb2 as messages

from fin.segment import protocol
from fin.segment.blocks import Array, Tensor
from fin.segment.chain import Chain
from fin.segment.config import Limits
from fin.segment.errors import Kind, Refusal
from fin.segment.metrics import Metrics
from fin.segment.protocol import GivenTensor, Signature, invalid
from fin.segment.routes import CurrentRoutes
from fin.segment.state import State
from fin.segment.trace import TRACEPARENT, TRACESTATE, Trace, trace

log = logging.getLogger(__name__)

Context: TypeAlias = Any  # an aio.ServicerContext: gRPC has no types

_SLACK: Final = 2**16  # of a message, for all that is not the tensor

# Of the time between being told to end and ending; gRPC itself adds or takes a tenth.
_AGE: Final = 0.6
_LEAST_AGE: Final = 100  # ms

_SERVICE: Final = "inference.GRPCInferenceService"
_METHODS: Final = {
    "ServerLive": messages.ServerLiveRequest,
    "ServerReady": messages.ServerReadyRequest,
    "ModelReady": messages.ModelReadyRequest,
    "ServerMetadata": messages.ServerMetadataRequest,
    "ModelMetadata": messages.ModelMetadataRequest,
    "ModelInfer": messages.ModelInferRequest,
}

# The field of a message that has values of a type; the others come as bytes alone.
_CONTENTS: Final = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}


def server(servicer: "Rpc", limits: Limits) -> aio.Server:
    """Return a gRPC server for clients.

    Clients keep a connection for ever, also to a segment that no Service leads to any more, and
    calls that arrive while the server stops are lost. So each connection is closed from time to
    time, which costs no call, and what ends has none left before it stops.
    """
    age = _AGE * limits.drain_seconds * 1000
    made = aio.server(
        options=(
            ("grpc.max_connection_age_ms", max(_LEAST_AGE, int(age))),
            ("grpc.max_receive_message_length", limits.request_bytes + _SLACK),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        )
    )
    made.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, dict(_handlers(servicer))),)
    )
    return made


def _handlers(servicer: "Rpc") -> Iterator[tuple[str, grpc.RpcMethodHandler]]:
    """Yield the methods: those of the protocol, which parse their requests themselves.

    gRPC would answer what can't be parsed as a fault of the server's.
    """
    for name, message in _METHODS.items():
        handle = _parsing(getattr(servicer, name), message)
        yield (
            name,
            grpc.unary_unary_rpc_method_handler(
                handle, response_serializer=lambda answer: answer.SerializeToString()
            ),
        )


def _parsing(method: Any, message: Any) -> Callable[[bytes, Context], Awaitable[Any]]:
    async def handle(raw: bytes, context: Context) -> Any:
        try:
            request = message.FromString(raw)
        except DecodeError:
            wrong = f"the request must be a message {message.DESCRIPTOR.full_name}"
            return await context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        return await method(request, context)

    return handle


class Rpc:
    """The gRPC services of a segment: methods of the protocol, by its names for them."""

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

    async def ServerLive(self, _: Any, __: Context) -> Any:  # noqa: N802 - the protocol's name
        """Tell that the server runs."""
        return messages.ServerLiveResponse(live=True)

    async def ServerReady(self, _: Any, __: Context) -> Any:  # noqa: N802
        """Tell whether the server is ready."""
        return messages.ServerReadyResponse(ready=not self._state.why_not_ready())

    async def ModelReady(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Tell whether a model is ready for requests that enter here."""

        async def tell() -> Any:
            protocol.check_model(self._signature, request.name)
            try:
                self._routes.way(request.version)
            except Refusal:
                return messages.ModelReadyResponse(ready=False)
            return messages.ModelReadyResponse(ready=not self._state.why_not_ready())

        return await self._answered(tell, context)

    async def ServerMetadata(self, _: Any, __: Context) -> Any:  # noqa: N802
        """Tell what server this is."""
        return messages.ServerMetadataResponse(
            name=protocol.SERVER, version=protocol.VERSION, extensions=protocol.EXTENSIONS
        )

    async def ModelMetadata(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Tell what a model takes and gives."""

        async def tell() -> Any:
            protocol.check_model(self._signature, request.name)
            if request.version:
                self._routes.way(request.version)
            return messages.ModelMetadataResponse(
                name=self._signature.model,
                versions=[request.version] if request.version else self._routes.revisions,
                platform="onnxruntime_onnx",
                inputs=[_described(self._signature.input)],
                outputs=[_described(self._signature.output)],
            )

        return await self._answered(tell, context)

    async def ModelInfer(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Run a model."""

        async def infer() -> Any:
            protocol.check_model(self._signature, request.model_name)
            self._chain.check_room()
            batch = self._batch(request)
            protocol.check_outputs(output.name for output in request.outputs)
            parameters = {
                name: getattr(value, value.WhichOneof("parameter_choice") or "", None)
                for name, value in request.parameters.items()
            }
            times = (context.time_remaining(), protocol.timeout(parameters))
            seconds = min((each for each in times if each is not None), default=None)
            order = self._chain.order(seconds, _trace(context))
            revision, answer = await self._chain.enter(request.model_version, batch, order)
            logits = np.ascontiguousarray(answer.logits)
            told = messages.ModelInferResponse(
                model_name=self._signature.model,
                model_version=revision,
                id=request.id,
                outputs=[
                    messages.ModelInferResponse.InferOutputTensor(
                        name=protocol.OUTPUT,
                        datatype=protocol.datatype(logits),
                        shape=logits.shape,
                    )
                ],
                raw_output_contents=[logits.tobytes()],
            )
            for name, text in protocol.told(answer).items():
                told.parameters[name].string_param = text
            return told

        return await self._answered(infer, context, counted=True)

    def _batch(self, request: Any) -> Array:
        protocol.check_size(request.ByteSize(), self._routes.limits.request_bytes)
        described = [
            GivenTensor(each.name, each.datatype, tuple(each.shape)) for each in request.inputs
        ]
        only = protocol.the_input(self._signature, described)
        if request.raw_input_contents:
            if len(request.raw_input_contents) != 1:
                raise invalid("raw_input_contents must have the bytes of each input")
            return protocol.from_bytes(only, request.raw_input_contents[0])
        field = _CONTENTS.get(only.datatype)
        if field is None:
            raise invalid(f"input {only.name}: {only.datatype} must come in raw_input_contents")
        return protocol.from_values(only, getattr(request.inputs[0].contents, field))

    async def _answered(
        self, answer: Callable[[], Awaitable[Any]], context: Context, counted: bool = False
    ) -> Any:
        """Answer, or refuse in gRPC's way."""
        try:
            found = await answer()
        except Refusal as refusal:
            kind, message = refusal.kind, refusal.message
        except Exception:
            log.exception("a request failed")
            kind, message = Kind.INTERNAL, "internal error: see the segment's log"
        else:
            self._count(counted, 200)
            return found
        self._count(counted, kind.status)
        return await context.abort(grpc.StatusCode[kind.code], message)

    def _count(self, counted: bool, status: int) -> None:
        if counted:
            self._metrics.requests.labels("grpc", str(status)).inc()


def _trace(context: Context) -> Trace:
    found = {str(key): value for key, value in context.invocation_metadata() or ()}
    parent, state = found.get(TRACEPARENT), found.get(TRACESTATE)
    return trace(
        parent if isinstance(parent, str) else None, state if isinstance(state, str) else None
    )


def _described(tensor: Tensor) -> Any:
    return messages.ModelMetadataResponse.TensorMetadata(
        name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
    )
