"""The process of a segment: starts, serves, and ends when it is told to, with nothing lost."""

import asyncio
import contextlib
import logging
import signal
from pathlib import Path
from typing import Final

from aiohttp import web

from fin.segment import rpc
from fin.segment.chain import Chain
from fin.segment.compute import load
from fin.segment.config import read_segment
from fin.segment.cpus import threads
from fin.segment.errors import CannotServeError
from fin.segment.metrics import Metrics
from fin.segment.protocol import signature
from fin.segment.rest import Rest
from fin.segment.routes import CurrentRoutes
from fin.segment.state import State

TERMINATION_LOG: Final = Path("/dev/termination-log")
"""What a container writes here, `kubectl describe` shows."""

_GRACE: Final = 15.0  # s for requests under way when no more are taken

log = logging.getLogger(__name__)


def run(directory: Path, http: tuple[str, int], grpc: tuple[str, int]) -> int:
    """Serve until told to end; returns the exit status.

    Parameters
    ----------
    directory
        Where the segment's files are.
    http, grpc
        Host and port to listen at; port 0 takes a free one.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    try:
        asyncio.run(_serve(directory, http, grpc))
    except CannotServeError as error:
        log.error("%s", error)
        with contextlib.suppress(OSError):
            if TERMINATION_LOG.exists():
                TERMINATION_LOG.write_text(str(error), encoding="utf-8")
        return 1
    return 0


async def _serve(directory: Path, http: tuple[str, int], grpc: tuple[str, int]) -> None:
    told_to_end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
    metrics = Metrics()
    config = read_segment(directory)
    routes = CurrentRoutes(config.name, directory, metrics)
    count = threads()
    engine = await asyncio.to_thread(load, config, count)
    chain = Chain(config, engine, routes, metrics)
    state = State(routes)
    parts = (signature(config, engine), chain, routes, state, metrics)
    runner = web.AppRunner(
        Rest(*parts).application(), access_log=None, handle_signals=False, shutdown_timeout=_GRACE
    )
    calls = rpc.server(rpc.Rpc(*parts), routes.limits)
    await runner.setup()
    try:
        await web.TCPSite(runner, *http).start()
        grpc_port = calls.add_insecure_port(f"{grpc[0]}:{grpc[1]}")
        await calls.start()
    except (OSError, RuntimeError) as error:
        raise CannotServeError(f"can't listen: {error}") from None
    http_port = runner.addresses[0][1]
    log.info(
        "segment %s serves %s with %d threads: http %s:%d, grpc %s:%d",
        config.name, ", ".join(block.name for block in config.blocks), count,
        http[0], http_port, grpc[0], grpc_port,
    )  # fmt: skip
    watching = [asyncio.create_task(each.watch()) for each in (routes, state)]
    ending = asyncio.create_task(told_to_end.wait())
    done, _ = await asyncio.wait((ending, *watching), return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()  # one that watches ends by an error alone, and nothing goes on without it
    # Those who send requests learn only now that this segment ends: until they know, all that
    # comes is served. Then connections are closed, each after what is under way on it.
    state.draining = True
    log.info("told to end: serving for another %g s", routes.limits.drain_seconds)
    await asyncio.sleep(routes.limits.drain_seconds)
    await asyncio.gather(calls.stop(_GRACE), runner.cleanup())
    for task in watching:
        task.cancel()
    await chain.close()
    log.info("ended")
