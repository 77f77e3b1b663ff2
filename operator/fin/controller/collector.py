"""Reads what segments report, again and again, and keeps what is known of each app."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from fin.cluster.answering import Pod
from fin.cluster.memory import after_failure
from fin.cluster.telemetry.counts import Reading
from fin.cluster.telemetry.pace import Pace
from fin.cluster.telemetry.subject import Subject
from fin.cluster.telemetry.track import Told, Track, advance
from fin.controller.metrics import Metrics
from fin.controller.scraping import Failed, Scraper
from fin.controller.steps import Values
from fin.planning.problem import AppKey


class Collector:
    """What is known of apps from their segments; used in one event loop."""

    def __init__(self, scraper: Scraper, pace: Pace, metrics: Metrics) -> None:
        self._scraper = scraper
        self._pace = pace
        self._metrics = metrics
        self.forget()

    def forget(self) -> None:
        """Start anew: another copy of the operator acts."""
        self._subjects: Mapping[AppKey, Subject] = {}
        self._tracks: dict[AppKey, Track] = {}
        self._metrics.observe({})

    def follow(self, subjects: Mapping[AppKey, Subject]) -> None:
        """Observe these apps from now on, and forget others."""
        self._subjects = subjects
        self._tracks = {key: track for key, track in self._tracks.items() if key in subjects}

    def decline(self, apps: Iterable[AppKey]) -> None:
        """Propose nothing for apps for a while: there is no plan for it."""
        now = time.monotonic()
        for key in apps:
            if track := self._tracks.get(key):
                failure = after_failure(track.declined, self._pace.declined, now)
                self._tracks[key] = replace(track, declined=failure, proposal=None)

    @property
    def proposals(self) -> Values:
        """Values to plan with that are not in force yet."""
        return {key: each.proposal for key, each in self._tracks.items() if each.proposal}

    @property
    def told(self) -> Mapping[AppKey, Told]:
        """What is to be said of each app."""
        return {key: each.told for key, each in self._tracks.items() if each.told}

    async def collect(self) -> list[AppKey]:
        """Read all segments once; return the apps of which there is something new to be said."""
        asked = [pod for each in self._subjects.values() for pod in each.pods.values() if pod]
        found = await self._scraper.read(asked)
        for each in found.values():
            self._metrics.scrapes.labels("failed" if isinstance(each, Failed) else "done").inc()
        new = []
        for key, subject in self._subjects.items():  # by now they may be others
            before = self._tracks.get(key)
            readings, troubles = _sorted_out(subject, found)
            track = advance(before, subject, readings, troubles, time.monotonic(), self._pace)
            self._tracks[key] = track
            if track.told is not (before.told if before else None):
                new.append(key)
        self._metrics.observe(self._tracks)
        return new


def _sorted_out(
    subject: Subject, found: Mapping[Pod, Reading | Failed]
) -> tuple[dict[str, Reading], dict[str, str]]:
    """Return the readings of an app's segments, and why others have none."""
    readings, troubles = {}, {}
    for name, pod in subject.pods.items():
        read = found.get(pod) if pod else Failed("it has no Ready pod")
        if isinstance(read, Reading):
            readings[name] = read
        else:
            troubles[name] = read.why if read else "its pod is new"
    return readings, troubles
