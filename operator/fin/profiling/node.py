"""Sustained speed of this machine, and its power meanwhile."""

import time
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
        Power of processor and memory meanwhile; None where that can't be read.
    """

    flops: float
    cpus: float
    seconds: float
    watts: float | None


def measure(
    network: onnx.ModelProto, seconds: float, count: int | None = None, progress: Progress = silent
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
    with cpus.only(threads):
        session = Session(network.SerializeToString(), threads)
        sample = np.zeros([each or 1 for each in session.shape], session.dtype)
        (given,) = graphs.inputs(network)
        cost = sum(flops.count(network, given, sample).values())
        if not cost:
            raise ProfileError("the network has no floating-point operations to measure with")
        session.run(sample)
        begin = time.perf_counter()
        _run(session, sample, begin, begin + _WARM_UP * seconds, begin + seconds, progress)
        counters, start = Counters(), time.perf_counter()
        runs = _run(session, sample, begin, begin + seconds, begin + seconds, progress)
        elapsed, joules = time.perf_counter() - start, counters.joules()
    watts = joules / elapsed if joules else None
    return Speed(runs * cost / elapsed, used, elapsed, watts)


def _run(
    session: Session,
    sample: np.ndarray[tuple[int, ...], np.dtype[np.generic]],
    begin: float,
    until: float,
    end: float,
    progress: Progress,
) -> int:
    """Run until a time, at least once; return how often."""
    runs = 0
    while True:
        session.run(sample)
        runs += 1
        now = time.perf_counter()
        progress("speed", min(1, (now - begin) / (end - begin)))
        if now >= until:
            return runs
