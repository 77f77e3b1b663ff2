"""Sustained speed of this machine, and its power meanwhile."""

import time
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import onnx

from fin.profiling import cpus, flops, graphs
from fin.profiling.errors import ProfileError
from fin.profiling.power import Counters
from fin.profiling.progress import Progress, silent
from fin.profiling.runtime import Session
from fin.segment.cpus import limit

_WARM_UP = 0.2
"""Share of the time that passes before anything counts: caches fill, clocks rise and fall."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a machine runs a network.

    Attributes
    ----------
    flops
        FLOP/s, sustained.
    cpus
        How many CPUs it had for that.
    seconds
        How long it was measured.
    watts
        Power of processor and memory meanwhile; None where that can't be read, or where it paused.
    """

    flops: float
    cpus: float
    seconds: float
    watts: float | None


def measure(
    network: onnx.ModelProto,
    seconds: float,
    count: int | None = None,
    progress: Progress = silent,
    *,
    pause: float = 0.0,
) -> Speed:
    """Run a network again and again.

    Parameters
    ----------
    network
        What to run, one sample at a time; its values don't matter.
    seconds
        How long.
    count
        On how many CPUs. None: on all whole ones that this process may use.
    progress
        Told how far it is.
    pause
        Seconds between two runs, which don't count. Caches are cold afterwards, and the kernel may
        go on with another CPU: so it is for segments whose requests come one by one.

    Raises
    ------
    ProfileError
        If the network can't be run or its operations not be counted, or there are fewer CPUs.
    """
    allowed = limit()
    if count is not None and count > allowed:
        raise ProfileError(f"there are {allowed:g} CPUs for this process, and not {count}")
    # As segments do: one thread more than whole CPUs would have the kernel stop all of them.
    threads = max(1, int(allowed)) if count is None else count
    used = min(allowed, threads)
    with nullcontext() if pause else cpus.only(threads):
        session = Session(network.SerializeToString(), threads)
        sample = np.zeros([each or 1 for each in session.shape], session.dtype)
        (given,) = graphs.inputs(network)
        cost = sum(flops.count(network, given, sample).values())
        if not cost:
            raise ProfileError("the network has no floating-point operations to measure with")
        session.run(sample)
        span = _Span(time.perf_counter(), seconds, pause, progress)
        span.run(session, sample, _WARM_UP)
        counters, start = Counters(), time.perf_counter()
        runs, busy = span.run(session, sample, 1.0)
        elapsed, joules = time.perf_counter() - start, counters.joules()
    watts = joules / elapsed if joules and not pause else None
    return Speed(runs * cost / busy, used, elapsed, watts)


@dataclass(frozen=True, slots=True)
class _Span:
    begin: float
    seconds: float
    pause: float
    progress: Progress

    def run(
        self,
        session: Session,
        sample: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
        share: float,
    ) -> tuple[int, float]:
        """Run until a share of the time is over, at least once; return how often and how long."""
        runs, busy = 0, 0.0
        while True:
            start = time.perf_counter()
            session.run(sample)
            now = time.perf_counter()
            runs, busy = runs + 1, busy + now - start
            passed = (now - self.begin) / self.seconds
            self.progress("speed", min(1, passed))
            if passed >= share:
                return runs, busy
            time.sleep(self.pause)
