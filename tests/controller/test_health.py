"""What makes the operator dead or not ready, with its real parts."""

import asyncio
import time
from pathlib import Path

import pytest

from fin.cluster.telemetry.pace import Pace
from fin.controller import health
from fin.controller.alarm import Alarm
from fin.controller.collector import Collector
from fin.controller.connection import load_configuration
from fin.controller.following import Following
from fin.controller.health import Health
from fin.controller.kube import Kube
from fin.controller.lease import Lease
from fin.controller.metrics import Metrics
from fin.controller.rounds import Rounds
from fin.controller.scraping import Scraper
from fin.controller.settings import OperatorSettings
from fin.controller.steps import Steps
from fin.controller.watching import Watches


class Parts:
    """The parts of an operator that has no cluster."""

    def __init__(self, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        asyncio.run(self._assemble())

    async def _assemble(self) -> None:
        configuration = await load_configuration()
        async with Kube(configuration, lambda *_: None) as kube:
            self.lease = Lease(kube, "default", "me", lambda _: None)
            async with Scraper() as scraper:
                metrics = Metrics()
                collector = Collector(scraper, Pace(), metrics)
                steps = Steps(OperatorSettings())
                alarm = Alarm()
                following = Following(scraper, alarm)
                self.rounds = Rounds(
                    kube, self.lease, alarm, steps, metrics, collector, following, "me"
                )
            self.watches = Watches(configuration, lambda: None, lambda: None)
            self.health = Health(self.lease, self.rounds, self.watches)

    def hold(self) -> None:
        self.lease._trusted_until = time.monotonic() + 60


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    path = tmp_path / "kubeconfig"
    path.write_text("""
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
""")
    return Parts(path, monkeypatch)


def test_a_fresh_operator_is_alive_but_not_ready(parts: Parts) -> None:
    assert parts.health.live() == []
    assert parts.health.ready() == ["the Lease was not reached"]


def test_a_copy_that_waits_is_ready(parts: Parts) -> None:
    parts.lease._waiting_for = "another"
    assert parts.health.ready() == []


def test_the_leader_is_ready_after_its_first_round(parts: Parts) -> None:
    parts.hold()
    assert parts.health.ready() == ["the first round is not done"]
    parts.rounds.succeeded = True
    assert parts.health.ready() == []


def test_a_leader_without_rounds_is_dead(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_NO_ROUND", 0)
    assert parts.health.live() == []  # it does not lead
    parts.hold()
    (wrong,) = parts.health.live()
    assert wrong.startswith("no round has succeeded for")
    assert wrong in parts.health.ready()


def test_dead_watches_are_dead(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_WATCHES_DEAD", 0)
    (wrong,) = parts.health.live()
    assert wrong.startswith("not every kind has been watched for")


def test_a_stuck_event_loop_is_dead(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LOOP_STUCK", 0)
    (wrong,) = parts.health.live()
    assert wrong.startswith("the event loop has been stuck for")

    async def beat() -> list[str]:
        monkeypatch.setattr(health, "_LOOP_STUCK", 5)
        task = asyncio.create_task(parts.health.run())
        await asyncio.sleep(0)
        task.cancel()
        return parts.health.live()

    assert asyncio.run(beat()) == []
