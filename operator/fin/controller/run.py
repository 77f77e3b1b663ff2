"""Assembles the operator and runs it until a signal ends it."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

from prometheus_client import start_http_server

from fin.cluster.telemetry.pace import Pace
from fin.controller import logs
from fin.controller.alarm import Alarm
from fin.controller.collector import Collector
from fin.controller.connection import NoClusterError, load_configuration
from fin.controller.following import Following
from fin.controller.health import Health
from fin.controller.kube import ApiError, Kube
from fin.controller.lease import Lease
from fin.controller.metrics import Metrics
from fin.controller.observing import Observing
from fin.controller.probes import ProbeServer, parse_address
from fin.controller.rounds import Rounds
from fin.controller.scraping import Scraper
from fin.controller.settings import OperatorSettings, identity
from fin.controller.snapshots import UnknownKindError, take_snapshot
from fin.controller.steps import Steps
from fin.controller.watching import Watches

_RETRY: Final = 3.0

_log = logging.getLogger(__name__)


class ListenError(Exception):
    """An address can't be listened on."""


def run(settings: OperatorSettings) -> int:
    """Run the operator until SIGTERM or SIGINT; return the exit status."""
    logs.configure(settings.log_format)
    try:
        return asyncio.run(_operate(settings))
    except (NoClusterError, ValueError) as error:
        _log.error("%s", error)
        return 2
    except ListenError as error:
        _log.error("%s", error)
        return 1


async def _operate(settings: OperatorSettings) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, ended.set)
    configuration = await load_configuration()
    metrics, alarm, instance = Metrics(), Alarm(), identity()

    def on_lease(held: bool) -> None:
        metrics.leader.set(held)
        alarm.ring()

    async with AsyncExitStack() as stack:
        kube = await stack.enter_async_context(Kube(configuration, metrics.count_request))
        lease = Lease(kube, settings.namespace, instance, on_lease)
        kube.permit = lease.require
        scraper = await stack.enter_async_context(Scraper())
        pace = Pace(settings.observe_every)
        collector = Collector(scraper, pace, metrics)
        following = Following(scraper, alarm)
        rounds = Rounds(
            kube, lease, alarm, Steps(settings), metrics, collector, following, instance
        )
        observing = Observing(collector, rounds, alarm, pace.period)
        watches = Watches(
            configuration,
            wake=lambda: _call(loop, alarm.ring),
            on_restart=lambda: _call(loop, metrics.watch_restarts.inc),
        )
        health = Health(lease, rounds, watches)
        _serve(stack, settings, metrics, health)
        _log.info("operator %s starts", instance)
        tasks = [await stack.enter_async_context(_task(health.run()))]
        if await _first_lists(kube, ended):
            watches.start()
            stack.callback(watches.stop)
            stack.push_async_callback(lease.release)  # once nothing of this copy writes any more
            tasks.append(await stack.enter_async_context(_task(lease.run())))
            tasks.append(await stack.enter_async_context(_task(rounds.run())))
            tasks.append(await stack.enter_async_context(_task(observing.run())))
            tasks.append(await stack.enter_async_context(_task(following.run())))
            return await _wait(ended, tasks)
    return 0


async def _wait(ended: asyncio.Event, tasks: list[asyncio.Task[None]]) -> int:
    """Wait for a signal: no task ends by itself, and one that does all the same ends them all."""
    signalled = asyncio.create_task(ended.wait())
    done, _ = await asyncio.wait({signalled, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    if signalled in done:
        _log.info("operator stops")
        return 0
    signalled.cancel()
    for task in done:
        _log.error("operator stops: a task has ended", exc_info=task.exception())
    return 1


async def _first_lists(kube: Kube, ended: asyncio.Event) -> bool:
    """Wait until every kind can be listed; False where a signal came first."""
    said = ""
    while not ended.is_set():
        try:
            await take_snapshot(kube)
        except (ApiError, UnknownKindError) as error:
            if str(error) != said:
                said = str(error)
                _log.warning("waiting for the API server: %s", error)
        else:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(_RETRY):
                await ended.wait()
    return False


def _serve(
    stack: AsyncExitStack, settings: OperatorSettings, metrics: Metrics, health: Health
) -> None:
    try:
        probes = ProbeServer(
            settings.health_address, {"/livez": health.live, "/readyz": health.ready}
        )
        stack.callback(probes.close)
    except OSError as error:
        raise ListenError(f"can't listen on {settings.health_address}: {error}") from error
    try:
        host, port = parse_address(settings.metrics_address)
        server, _ = start_http_server(port, addr=host, registry=metrics.registry)
    except OSError as error:
        raise ListenError(f"can't listen on {settings.metrics_address}: {error}") from error
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    _log.info("metrics on port %d, probes on port %d", server.server_port, probes.port)


@asynccontextmanager
async def _task(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a task for as long as the context."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        while not task.done():  # a library may swallow one cancellation
            task.cancel()
            await asyncio.wait({task}, timeout=1)


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Call a function in the event loop, from another thread."""
    with suppress(RuntimeError):  # the loop is closed: the operator ends
        loop.call_soon_threadsafe(function)
