"""Passes samples on to the next segment, over connections that stay."""

import asyncio
import random
from typing import Final

import grpc
from grpc import aio

from fin.segment.config import Stage
from fin.segment.errors import Kind, Refusal
from fin.segment.trace import Trace

METHOD: Final = "/fin.segment.v1.Hop/Run"

# Channels that are kept: revisions come and go, and each has few segments.
_CHANNELS: Final = 64
_PATIENCE: Final = 30.0  # s, with calls on a channel that is no longer kept
_TRIES: Final = 2
_PAUSE: Final = 0.05  # s, at most, before another try

_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # logits, from a segment that we chose
    # A segment that restarts is back in seconds, and gRPC would wait for up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A node that is gone says nothing.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.enable_retries", 0),
)

# What a refusal behind us means to those before us: that our frame was not understood, or that
# another segment answers there, is nothing that the client can mend.
_KINDS: Final = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: Kind.BUSY,
    grpc.StatusCode.UNAVAILABLE: Kind.UNAVAILABLE,
    grpc.StatusCode.CANCELLED: Kind.UNAVAILABLE,
    grpc.StatusCode.NOT_FOUND: Kind.UNAVAILABLE,
    grpc.StatusCode.UNIMPLEMENTED: Kind.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Kind.TOO_LATE,
}


class Hops:
    """The connections to other segments."""

    def __init__(self) -> None:
        self._channels: dict[str, aio.Channel] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self, stage: Stage, frame: bytes, deadline: float, trace: Trace) -> bytes:
        """Have a stage run on its segment; ``deadline`` in the time of the event loop.

        A segment that can't be reached is asked once more: inference changes nothing, so that
        it is safe even where the first try had begun. One that is busy is not: that would
        make it busier.

        Raises
        ------
        Refusal
            As the segment says, or where it can't be reached.
        """
        left = _TRIES
        while True:
            left -= 1
            try:
                return await self._call(stage, frame, deadline, trace)
            except aio.AioRpcError as error:
                refusal = _refusal(stage, error)
            soon = random.uniform(0, _PAUSE)
            late = asyncio.get_running_loop().time() + soon >= deadline
            if refusal.kind is not Kind.UNAVAILABLE or not left or late:
                raise refusal
            await asyncio.sleep(soon)

    async def _call(self, stage: Stage, frame: bytes, deadline: float, trace: Trace) -> bytes:
        call = self._channel(stage.address).unary_unary(METHOD)
        seconds = max(0.0, deadline - asyncio.get_running_loop().time())
        answer: bytes = await call(frame, timeout=seconds, metadata=trace.headers)
        return answer

    def _channel(self, address: str) -> aio.Channel:
        channel = self._channels.pop(address, None) or aio.insecure_channel(address, _OPTIONS)
        self._channels[address] = channel  # now the last: the first was not used for longest
        while len(self._channels) > _CHANNELS:
            oldest = self._channels.pop(next(iter(self._channels)))
            closing = asyncio.create_task(oldest.close(_PATIENCE))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        return channel

    async def close(self) -> None:
        """Close all connections."""
        for channel in self._channels.values():
            await channel.close()
        self._channels.clear()


def _refusal(stage: Stage, error: aio.AioRpcError) -> Refusal:
    kind = _KINDS.get(error.code(), Kind.INTERNAL)
    return Refusal(kind, f"segment {stage.segment} at {stage.address}: {error.details()}")
