"""The ways of the requests, as the file says at the moment."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from fin.segment.config import Limits, Way, read_routes
from fin.segment.errors import CannotServeError, Kind, Refusal
from fin.segment.metrics import Metrics

_PERIOD: Final = 1.0  # s between two looks at the file
_SHOWN: Final = 8

log = logging.getLogger(__name__)


class CurrentRoutes:
    """What the file said last, where it could be read."""

    def __init__(self, segment: str, directory: Path, metrics: Metrics) -> None:
        """Read the file for the first time.

        Raises
        ------
        CannotServeError
            Where it is missing or wrong.
        """
        self._segment = segment
        self._directory = directory
        self._metrics = metrics
        self._wrong = ""
        self._routes = read_routes(directory)
        metrics.routes_loaded.set(1)
        self._tell_revision()

    @property
    def limits(self) -> Limits:
        """How much the segment takes on."""
        return self._routes.limits

    @property
    def revision(self) -> str | None:
        """The revision that requests follow which enter here; None where none enter."""
        return self._routes.entries.get(self._segment)

    @property
    def revisions(self) -> tuple[str, ...]:
        """The revisions whose requests enter here."""
        return tuple(
            revision
            for revision, way in self._routes.revisions.items()
            if way.hops[0].segment == self._segment
        )

    @property
    def next_hosts(self) -> frozenset[str]:
        """Hosts of the segments that follow this one on a way."""
        return frozenset(
            after.host
            for way in self._routes.revisions.values()
            for stage, after in zip(way.hops, way.hops[1:], strict=False)
            if stage.segment == self._segment
        )

    def way(self, asked: str) -> tuple[str, Way]:
        """Return the revision that a request follows, and its way.

        Parameters
        ----------
        asked
            The revision that it asks for; empty: the one that the entry follows now.

        Raises
        ------
        Refusal
            Where the revision is not known, or its requests don't enter here.
        """
        revision = asked or self.revision
        if revision is None:
            raise Refusal(
                Kind.NOT_FOUND, f"segment {self._segment} is no entry: ask the app's Service"
            )
        way = self._routes.revisions.get(revision)
        if way is None:
            known = ", ".join(sorted(self._routes.revisions)[:_SHOWN])
            raise Refusal(
                Kind.NOT_FOUND, f"revision {revision} is not known here; known: {known or 'none'}"
            )
        if way.hops[0].segment != self._segment:
            raise Refusal(
                Kind.NOT_FOUND,
                f"requests of revision {revision} enter at segment {way.hops[0].segment}, and "
                f"this is {self._segment}",
            )
        return revision, way

    def _tell_revision(self) -> None:
        self._metrics.entry_revision.clear()
        if self.revision is not None:
            self._metrics.entry_revision.labels(self.revision).set(1)

    async def watch(self) -> None:
        """Read the file again and again: a volume that changes tells nobody."""
        while True:
            await asyncio.sleep(_PERIOD)
            self.read()

    def read(self) -> None:
        """Read the file again; where it is wrong, what was read before stays in force."""
        try:
            routes = read_routes(self._directory)
        except CannotServeError as error:
            self._metrics.routes_loaded.set(0)
            if str(error) != self._wrong:
                self._wrong = str(error)
                log.error("%s; what it said before stays in force", error)
            return
        self._wrong = ""
        self._metrics.routes_loaded.set(1)
        if routes != self._routes:
            self._routes = routes
            self._tell_revision()
            log.info("routes read: revision %s, known: %s", self.revision, [*routes.revisions])
