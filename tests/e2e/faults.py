"""An app under steady traffic while something happens to it: what that costs, in figures."""

import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

from urllib3.exceptions import HTTPError

from fin.controller import kinds
from tests.e2e.sites import Site
from tests.helpers.api import Api, Object, RefusedError, condition

NAMESPACE = "default"
_LOOK = 0.1


@dataclass(frozen=True)
class State:
    """What an app's status says, from a time on (seconds of the epoch).

    Attributes
    ----------
    nodes
        Where the segments are of the plan that is in force, the entry first, as the tests call
        those nodes; none without one.
    planned
        Where those are of the newest plan, which may still be on its way.
    revision, serving
        The plan's, and that which serves by the condition Ready; empty without one.
    """

    at: float
    nodes: tuple[str, ...]
    planned: tuple[str, ...]
    revision: str
    serving: str

    @property
    def settled(self) -> bool:
        """Whether what is planned serves."""
        return bool(self.revision) and self.revision == self.serving

    @classmethod
    def of(cls, app: Object, site: Site) -> "State":
        """Read it from an InferenceApp."""
        plan = app.get("status", {}).get("plan") or {}
        ready = condition(app, "Ready")
        placement, _, _ = condition(app, "Planned").get("message", "").partition(";")
        told = re.match(r"Revision (\w+) serves", ready.get("message", ""))
        return cls(
            at=time.time(),
            nodes=tuple(site.role(each["nodeName"]) for each in plan.get("segments", ())),
            planned=tuple(map(site.role, re.findall(r" on ([\w.-]+)", placement))),
            revision=plan.get("revision", ""),
            serving=told[1] if told and ready.get("status") == "True" else "",
        )


@dataclass(frozen=True)
class Figures:
    """What something cost an app.

    Attributes
    ----------
    planned, ready
        Seconds until there was a plan as expected, and until it served with all its pods.
    requests, failed
        How many there were meanwhile, and how many had no answer.
    silence
        The longest time without an answer, seconds.
    last
        Seconds until the last request was sent that failed; 0 where none did.
    """

    planned: float
    ready: float
    requests: int
    failed: int
    silence: float
    last: float

    def __str__(self) -> str:
        return (
            f"planned after {self.planned:.1f} s, Ready after {self.ready:.1f} s, {self.failed} of "
            f"{self.requests} requests failed, the last after {self.last:.1f} s, at most "
            f"{self.silence:.1f} s without an answer"
        )


class Steady:
    """Requests from an app's source through its Service, and a look at the app all the while."""

    def __init__(self, site: Site, app: str, samples: str, rate: float) -> None:
        self.site, self.app = site, app
        self._connection = site.make_client()
        self.api = Api(self._connection)
        self._samples, self._rate = samples, rate
        self._ended = threading.Event()
        self._lines: list[dict[str, Any]] = []
        self._states: list[State] = []

    def __enter__(self) -> Self:
        app = self.get()
        self._states.append(State.of(app, self.site))
        spec = app["spec"]
        service = self.api.get(kinds.SERVICE, NAMESPACE, self.app)
        self._client = self.site.python(
            spec["source"]["nodeName"], "-m", "tests.e2e.steady",
            f"{service['spec']['clusterIP']}:9000", spec["model"], self._samples, str(self._rate),
        )  # fmt: skip
        self._threads = [threading.Thread(target=each) for each in (self._read, self._look)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        assert self._client.stdin is not None
        self._client.stdin.close()
        for each in self._threads:
            each.join()
        with self._client:
            self._client.wait()
        self._connection.close()

    def get(self) -> Object:
        """Return the app."""
        return self.api.get(kinds.APP, NAMESPACE, self.app)

    def pods(self) -> dict[str, Object]:
        """Return the app's pods that are not being deleted, by segment."""
        found = self.api.list(kinds.POD, NAMESPACE, f"finoperator.io/app={self.app}")
        return {
            each["metadata"]["name"].rsplit("-", 2)[0]: each
            for each in found
            if "deletionTimestamp" not in each["metadata"]
        }

    def now(self) -> State:
        """Return what its status said last."""
        return self._states[-1]

    def during(
        self,
        act: Callable[[], object],
        expected: Callable[[State], object],
        *,
        settled: bool = True,
        begin: float | None = None,
        timeout: float = 120,
        calm: float = 3.5,
    ) -> Figures:
        """Let something happen, wait until what is expected serves, and tell what it cost.

        Parameters
        ----------
        act
            What happens.
        expected
            What holds for the plan afterwards.
        settled
            Whether the plan must serve then.
        begin
            When it began, if earlier than now.
        timeout
            Seconds that it may take after what happens.
        calm
            Seconds that requests must be answered before it counts as over: longer than one may
            take.
        """
        begin = begin or time.time()
        act()
        deadline = time.monotonic() + timeout

        def await_(what: str, holds: Callable[[], float | None]) -> float:
            while (found := holds()) is None:
                if time.monotonic() > deadline:
                    raise AssertionError(
                        f"{timeout:g} s for {what} in vain; now {self.now()}; failures: "
                        f"{[line['error'] for line in self._since(begin) if line['error']][-3:]}"
                    )
                time.sleep(_LOOK)
            return found

        planned = await_(
            "the plan",
            lambda: self._first(
                begin, lambda one: expected(one) or expected(replace(one, nodes=one.planned))
            ),
        )
        ready = await_(
            "its serving",
            lambda: self._first(begin, lambda one: expected(one) and (one.settled or not settled)),
        )
        if settled:
            ready = max(ready, await_("its pods", self._pods_are_settled))
        await_("requests to be answered", lambda: self._calm(ready, calm))
        lines = self._since(begin)
        return Figures(
            planned=planned - begin,
            ready=ready - begin,
            requests=len(lines),
            failed=sum(bool(each["error"]) for each in lines),
            silence=_silence(begin, lines),
            last=max((each["at"] - begin for each in lines if each["error"]), default=0.0),
        )

    def _first(self, begin: float, holds: Callable[[State], object]) -> float | None:
        """When a state began that has lasted since and is of after the beginning."""
        last = self._states[-1]
        if last.at < begin or not holds(last):
            return None
        since = last.at
        for each in reversed(self._states):
            if each.at < begin or not holds(each):
                break
            since = each.at
        return since

    def _pods_are_settled(self) -> float | None:
        """Now, if there is a pod for each segment that serves, Ready and there to stay."""
        status = self.get()["status"]
        pods = self.api.list(kinds.POD, NAMESPACE, f"finoperator.io/app={self.app}")
        running = {
            each["metadata"]["name"].rsplit("-", 2)[0]: condition(each, "Ready").get("status")
            for each in pods
            if "deletionTimestamp" not in each["metadata"]
        }
        leaving = {
            each["metadata"]["name"].rsplit("-", 2)[0]
            for each in pods
            if "deletionTimestamp" in each["metadata"]
        }
        wanted = {each["name"] for each in status.get("plan", {}).get("segments", ())}
        ready = wanted and all(running.get(name) == "True" for name in wanted)
        return time.time() if ready and not wanted & leaving else None

    def _calm(self, since: float, seconds: float) -> float | None:
        """Now, if so many seconds have passed in which all that was sent was answered."""
        now = time.time()
        if now - since < seconds:
            return None
        recent = [each for each in self._since(now - seconds - 1.0) if each["at"] < now - 0.5]
        enough = len(recent) >= 0.8 * self._rate * seconds
        return now if enough and not any(each["error"] for each in recent) else None

    def _since(self, begin: float) -> list[dict[str, Any]]:
        return [each for each in list(self._lines) if each["at"] >= begin]

    def _read(self) -> None:
        assert self._client.stdout is not None
        for line in self._client.stdout:
            self._lines.append(json.loads(line))

    def _look(self) -> None:
        with self.site.make_client() as client:
            api = Api(client)
            while not self._ended.wait(_LOOK):
                # While the API server is away nothing is known to have changed.
                with suppress(HTTPError, RefusedError):
                    self._states.append(
                        State.of(api.get(kinds.APP, NAMESPACE, self.app), self.site)
                    )


def _silence(begin: float, lines: Sequence[dict[str, Any]]) -> float:
    answered = sorted(each["at"] + each["seconds"] for each in lines if not each["error"])
    return max((after - before for before, after in pairwise([begin, *answered])), default=0.0)
