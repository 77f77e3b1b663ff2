"""Requests that clients send to a simulated app, and what the operator learns of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from fin.cluster.revision import Revision
from fin.cluster.telemetry.counts import Counts, Reading
from fin.cluster.telemetry.pace import Pace
from fin.cluster.telemetry.subject import Subject, subjects
from fin.cluster.telemetry.track import Track, advance
from fin.planning.problem import AppKey
from tests.helpers.simulator import Operator

KEY: AppKey = ("default", "camera")


@dataclass
class Traffic:
    """Requests at random to one app, served within 20 ms by whatever revision serves.

    ``shares`` are those of the samples that leave at each exit of the model, in its order; where
    it is cut, all that are left leave at the last.
    """

    operator: Operator
    rate: float
    shares: Mapping[str, float]
    seed: int = 0
    silent: set[str] = field(default_factory=set)
    counts: dict[str, Counts] = field(default_factory=dict)
    track: Track | None = None
    adoptions: int = 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._pace = Pace()

    def run(self, seconds: float) -> None:
        """Go on for a while: the operator decides every second, and reads every 15 s."""
        for _ in range(int(seconds / self._pace.period)):
            for _ in range(int(self._pace.period)):
                self.operator.round()
            self.read()

    def read(self) -> None:
        """Let the requests of 15 s arrive, and let the operator read what was counted."""
        snapshot, world = self.operator.look()
        decision = self.operator.decide()
        subject = subjects(snapshot, world, decision).get(KEY)
        serving = decision.states[KEY].serving
        if subject is None or serving is None:
            return
        self._arrive(subject, serving)
        now = self.operator.cluster.now
        readings = {
            name: Reading(pod.uid, now, self.counts[pod.uid])
            for name, pod in subject.pods.items()
            if pod and name not in self.silent
        }
        troubles = dict.fromkeys(subject.pods.keys() - readings.keys(), "no answer")
        self.track = advance(self.track, subject, readings, troubles, now, self._pace)
        self.operator.told_of = {KEY: self.track.told} if self.track.told else {}
        before = self.operator.proposals
        self.operator.proposals = {KEY: self.track.proposal} if self.track.proposal else {}
        self.adoptions += bool(self.operator.proposals) and not before

    def _arrive(self, subject: Subject, serving: Revision) -> None:
        requests = int(self._random.poisson(self.rate * self._pace.period))
        names = [name for _, name in serving.exits]
        ends = [*accumulate(self.shares[name] for name in names[:-1]), 1.0]
        picked = np.searchsorted(ends, self._random.random(requests), side="right")
        leaving = np.bincount(picked, minlength=len(names))
        node = {name: serving.placement.nodes[index] for index, name in serving.exits}
        for segment in serving.segments:
            pod = subject.pods[segment.name]
            if pod is None:
                continue
            new = Counts(
                samples={
                    name: float(count)
                    for name, count in zip(names, leaving, strict=True)
                    if node[name] == segment.node
                },
                joules=0.001 * requests,
            )
            if segment == serving.entry:
                asked = Counts(
                    asked=requests,
                    served=requests,
                    latency=0.02 * requests,
                    buckets={0.05: float(requests)},
                )
                new = new.plus(asked)
            self.counts[pod.uid] = self.counts.get(pod.uid, Counts()).plus(new)
