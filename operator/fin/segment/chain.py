"""Serves requests: runs the stage that is here, has the others run the rest, and answers."""

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from fin.segment.blocks import Array
from fin.segment.compute import GOES_ON, Engine, Outcome, merged
from fin.segment.config import SegmentConfig, Stage, Way
from fin.segment.errors import Kind, Refusal
from fin.segment.frames import Answer, Passed, Visit, pack_passed, unpack_answer
from fin.segment.hops import Hops
from fin.segment.metrics import Metrics
from fin.segment.routes import CurrentRoutes
from fin.segment.trace import Trace

Origin = Literal["client", "hop"]
"""Who sent a request: a client, or the segment before."""

_BRIEF: Final = 1e-2
"""Seconds for which nobody minds waiting: probes, and requests that could not be computed yet."""


@dataclass(frozen=True, slots=True)
class Order:
    """How a request is to be served.

    ``deadline`` is in the time of the event loop, ``arrived`` too.
    """

    arrived: float
    deadline: float
    trace: Trace


class Chain:
    """One segment of the chain of segments."""

    def __init__(
        self, config: SegmentConfig, engine: Engine, routes: CurrentRoutes, metrics: Metrics
    ) -> None:
        self._config = config
        self._engine = engine
        self._routes = routes
        self._metrics = metrics
        self._hops = Hops()
        # One thread: ONNX Runtime itself uses as many as fit the CPU limit.
        self._thread = ThreadPoolExecutor(1, "compute")
        self._in_flight = 0
        self._per_sample: dict[tuple[str, ...], float] = {}

    def order(self, timeout: float | None, trace: Trace) -> Order:
        """Begin a request that has ``timeout`` seconds, if it says so."""
        now = asyncio.get_running_loop().time()
        seconds = self._routes.limits.timeout_seconds
        return Order(now, now + (seconds if timeout is None else min(timeout, seconds)), trace)

    async def enter(self, revision: str, batch: Array, order: Order) -> tuple[str, Answer]:
        """Serve a request of a client; returns the revision that it followed, and the answer.

        Raises
        ------
        Refusal
            Where it can't be served.
        """
        revision, way = self._routes.way(revision)
        first = way.hops[0]
        passed = Passed(self._config.model, revision, way, batch)
        answer = await self.serve(passed, order, "client")
        self._metrics.energy.labels("network").inc(first.input_joules * len(batch))
        return revision, answer

    async def serve(self, passed: Passed, order: Order, origin: Origin = "hop") -> Answer:
        """Serve samples from here to the end of their way.

        Raises
        ------
        Refusal
            Where they can't be served.
        """
        self._check(passed)
        self.check_room()
        self._in_flight += 1
        self._metrics.in_flight.inc()
        try:
            async with asyncio.timeout_at(order.deadline):
                answer = await self._serve(passed, order)
        except TimeoutError:
            raise _too_late(self._config.name) from None
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.dec()
        self._metrics.request_seconds.labels(origin).observe(_now() - order.arrived)
        return answer

    def check_room(self) -> None:
        """Refuse a request that is one too many; best before it is read.

        Raises
        ------
        Refusal
            Where the segment serves as many as its limit.
        """
        limit = self._routes.limits.requests
        if self._in_flight >= limit:
            raise Refusal(
                Kind.BUSY,
                f"segment {self._config.name} serves {self._in_flight} requests, its limit is "
                f"{limit}: try again later",
            )

    def _check(self, passed: Passed) -> None:
        """Refuse what is meant for another segment: addresses outlive what they led to."""
        stage = passed.way.hops[0]
        ours = self._config
        if (passed.model, stage.segment) != (ours.model, ours.name):
            raise Refusal(
                Kind.NOT_FOUND,
                f"this is segment {ours.name} of model {ours.model}; the request of revision "
                f"{passed.revision} is for segment {stage.segment} of model {passed.model}",
            )
        if lacking := self._engine.lacks(stage):
            raise Refusal(
                Kind.NOT_FOUND,
                f"segment {ours.name} has no blocks {', '.join(lacking)}, which revision "
                f"{passed.revision} runs here",
            )

    async def _serve(self, passed: Passed, order: Order) -> Answer:
        stage, *later = passed.way.hops
        outcome, visit = await self._compute(stage, passed.batch, not later, order)
        self._count(stage, outcome)
        names = [
            "" if position == GOES_ON else stage.exits[position].name for position in outcome.exits
        ]
        if outcome.rest is None:
            assert outcome.logits is not None  # every sample left somewhere
            return Answer(outcome.logits, tuple(names), (visit,))
        rest = replace(passed, way=Way(hops=tuple(later)), batch=outcome.rest)
        behind = await self._pass_on(rest, order)
        going_on = np.flatnonzero(outcome.exits == GOES_ON)
        for sample, name in zip(going_on, behind.exits, strict=True):
            names[sample] = name
        logits = merged(outcome.logits, len(names), going_on, behind.logits)
        return Answer(logits, tuple(names), (visit, *behind.visits))

    async def _compute(
        self, stage: Stage, batch: Array, last: bool, order: Order
    ) -> tuple[Outcome, Visit]:
        def run() -> tuple[Outcome, float, float]:
            begun = _now()
            if begun >= order.deadline:  # nobody waits for it any more
                raise _too_late(self._config.name)
            outcome = self._engine.run(stage, batch, last)
            return outcome, begun, _now()

        asked = _now()
        if self._is_brief(stage, batch):
            outcome, begun, done = run()
        else:
            with self._metrics.queue.track_inprogress():
                outcome, begun, done = await asyncio.get_running_loop().run_in_executor(
                    self._thread, run
                )
        self._per_sample[stage.blocks] = (done - begun) / max(len(batch), 1)
        self._metrics.wait_seconds.observe(begun - asked)
        self._metrics.compute_seconds.observe(done - begun)
        return outcome, Visit(self._config.name, begun - asked, done - begun)

    def _is_brief(self, stage: Stage, batch: Array) -> bool:
        """Whether to compute right here: nothing else is under way, and it does not take long.

        Handing over to a thread and back wakes one each time, which for short blocks takes
        longer than they do.
        """
        expected = self._per_sample.get(stage.blocks, math.inf) * len(batch)
        return self._in_flight == 1 and expected < _BRIEF

    async def _pass_on(self, rest: Passed, order: Order) -> Answer:
        target = rest.way.hops[0]
        frame = pack_passed(rest)
        asked = _now()
        answer = unpack_answer(await self._hops.run(target, frame, order.deadline, order.trace))
        if len(answer.exits) != len(rest.batch):
            raise Refusal(
                Kind.INTERNAL,
                f"segment {target.segment} answered for {len(answer.exits)} samples of "
                f"{len(rest.batch)}",
            )
        there = sum(visit.seconds for visit in answer.visits)
        self._metrics.network_seconds.observe(max(0.0, _now() - asked - there))
        self._metrics.sent.inc(len(frame))
        self._metrics.energy.labels("network").inc(target.input_joules * len(rest.batch))
        return answer

    def _count(self, stage: Stage, outcome: Outcome) -> None:
        joules = sum(map(float.__mul__, stage.block_joules, map(float, outcome.runs)))
        self._metrics.energy.labels("compute").inc(joules)
        for position, leaving in enumerate(stage.exits):
            count = int((outcome.exits == position).sum())
            self._metrics.samples.labels(leaving.name).inc(count)

    async def close(self) -> None:
        """End: nothing more is served."""
        await self._hops.close()
        self._thread.shutdown(cancel_futures=True)


def _now() -> float:
    # On Linux also the time of asyncio's event loops.
    return time.monotonic()


def _too_late(segment: str) -> Refusal:
    return Refusal(Kind.TOO_LATE, f"the deadline has passed at segment {segment}")
