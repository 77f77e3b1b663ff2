"""Prometheus metrics: of apps, nodes and links from the last report, of the operator itself."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fin.cluster.telemetry.offplan import ASPECTS
from fin.cluster.telemetry.track import Track
from fin.controller.definitions import BY_NAME
from fin.controller.energy import EnergyMeter
from fin.controller.report import AppReport, LinkReport, NodeReport, Report
from fin.planning.problem import AppKey

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

_OF_AN_APP: Final[dict[str, Callable[[AppReport], float | None]]] = {
    "fin_app_rate_per_second": lambda app: app.rate,
    "fin_app_planned_latency_seconds": lambda app: app.latency,
    "fin_app_planned_source_latency_seconds": lambda app: app.source_latency,
    "fin_app_latency_target_seconds": lambda app: app.latency_target,
    "fin_app_accuracy_ratio": lambda app: app.accuracy,
    "fin_app_gap_ratio": lambda app: app.gap,
}
_OF_A_NODE: Final[dict[str, Callable[[NodeReport], float]]] = {
    "fin_node_cpu_reserved_cores": lambda node: node.cores[0],
    "fin_node_cpu_usable_cores": lambda node: node.cores[1],
    "fin_node_memory_reserved_bytes": lambda node: node.memory[0],
    "fin_node_memory_usable_bytes": lambda node: node.memory[1],
    "fin_node_pods_reserved": lambda node: node.pods[0],
    "fin_node_pods_usable": lambda node: node.pods[1],
}
_OF_A_LINK: Final[dict[str, Callable[[LinkReport], float]]] = {
    "fin_link_load_bytes_per_second": lambda link: link.load,
    "fin_link_bandwidth_bytes_per_second": lambda link: link.bandwidth,
}
Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the value."""


class StateCollector(Collector):
    """Shows the last report and observations: what is gone from them is gone from the metrics."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._report = Report()
        self._tracks: Mapping[AppKey, Track] = {}
        self._meter = EnergyMeter(clock)

    def show(self, report: Report) -> None:
        """Replace the report."""
        with self._lock:
            self._meter.run(report.apps, report.ready)
            self._report = report

    def observe(self, tracks: Mapping[AppKey, Track]) -> None:
        """Replace what is known from segments."""
        with self._lock:
            self._tracks = dict(tracks)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics of apps, nodes and links."""
        with self._lock:
            report, tracks = self._report, self._tracks
            energy = self._meter.read()
        shown = (*_of_apps(report, energy), *_observed(tracks), *_of_the_system(report))
        for name, samples in shown:
            yield _family(name, samples)


def _family(name: str, samples: Samples) -> Metric:
    definition = BY_NAME[name]
    kind = CounterMetricFamily if definition.type == "counter" else GaugeMetricFamily
    family = kind(name.removesuffix("_total"), definition.text, labels=definition.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _of_apps(report: Report, energy: EnergyMeter.Reading) -> Iterator[tuple[str, Samples]]:
    shares = [
        ((app.namespace, app.name, share.component, share.node, share.tier), app, joules)
        for app in report.apps
        for share, joules in app.energy.items()
    ]
    yield "fin_app_energy_per_inference_joules", ((key, joules) for key, _, joules in shares)
    yield (
        "fin_app_power_watts",
        ((key, app.rate * joules if app.ready else 0.0) for key, app, joules in shares),
    )
    yield (
        "fin_app_energy_joules_total",
        (
            ((*key, share.component, share.node, share.tier), joules)
            for key, each in energy.items()
            for share, joules in each.items()
        ),
    )
    yield (
        "fin_app_power_saved_watts",
        (
            ((app.namespace, app.name, baseline), watts)
            for app in report.apps
            for baseline, watts in app.saved.items()
        ),
    )
    yield (
        "fin_app_planned_exit_ratio",
        (
            ((app.namespace, app.name, leaving), share)
            for app in report.apps
            for leaving, share in app.shares.items()
        ),
    )
    yield "fin_app_ready", ((key, float(ready)) for key, ready in report.ready.items())
    for name, value in _OF_AN_APP.items():
        found = (((app.namespace, app.name), value(app)) for app in report.apps)
        yield name, [(key, each) for key, each in found if each is not None]


def _observed(tracks: Mapping[AppKey, Track]) -> Iterator[tuple[str, Samples]]:
    seen = {key: each.now.seen for key, each in tracks.items() if each.now and each.now.seen}
    yield "fin_app_observed_rate_per_second", ((key, each.rate) for key, each in seen.items())
    yield "fin_app_observed_power_watts", ((key, each.power) for key, each in seen.items())
    yield (
        "fin_app_observed_latency_seconds",
        (
            ((*key, statistic), value)
            for key, each in seen.items()
            if each.latency
            for statistic, value in (("mean", each.latency.mean), ("p99", each.latency.p99))
        ),
    )
    yield (
        "fin_app_observed_exit_ratio",
        (
            ((*key, leaving), share)
            for key, each in seen.items()
            for leaving, share in (each.shares or {}).items()
        ),
    )
    yield (
        "fin_app_drifted",
        (((*key, aspect), float(aspect in tracks[key].off)) for key in seen for aspect in ASPECTS),
    )


def _of_the_system(report: Report) -> Iterator[tuple[str, Samples]]:
    power = sum(app.power for app in report.apps if app.ready)
    yield "fin_apps_admitted", [((), report.admitted)]
    yield "fin_apps_refused", (((reason,), count) for reason, count in report.refused.items())
    yield "fin_power_watts", [((), power)]
    yield "fin_power_bound_watts", [((), report.power_bound)]
    for name, of_node in _OF_A_NODE.items():
        yield name, [((node.name, node.tier), of_node(node)) for node in report.nodes]
    for name, of_link in _OF_A_LINK.items():
        yield name, [((link.source, link.target), of_link(link)) for link in report.links]


class Metrics:
    """All metrics of the operator, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        self._state = StateCollector()
        self.registry.register(self._state)
        ProcessCollector(registry=self.registry)
        self.rounds = self._counter("fin_rounds_total")
        self.round_seconds = self._histogram("fin_round_duration_seconds")
        self.planning_seconds = self._histogram("fin_planning_duration_seconds")
        self.last_success = self._gauge("fin_last_successful_round_timestamp_seconds")
        self.leader = self._gauge("fin_leader")
        self.watch_restarts = self._counter("fin_watch_restarts_total")
        self.scrapes = self._counter("fin_scrapes_total")
        for result in ("done", "failed"):
            self.scrapes.labels(result)
        self._requests = self._counter("fin_api_requests_total")
        self._gauge("fin_build_info").labels(version("fin-operator")).set(1)

    def show(self, report: Report) -> None:
        """Show the state after a round."""
        self._state.show(report)

    def observe(self, tracks: Mapping[AppKey, Track]) -> None:
        """Show what is known from segments."""
        self._state.observe(tracks)

    def count_request(self, verb: str, kind: str, status: int) -> None:
        """Count a request to the API server."""
        self._requests.labels(verb, kind, str(status)).inc()

    def _counter(self, name: str) -> Counter:
        definition = BY_NAME[name]
        return Counter(name, definition.text, definition.labels, registry=self.registry)

    def _gauge(self, name: str) -> Gauge:
        definition = BY_NAME[name]
        return Gauge(name, definition.text, definition.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        text = BY_NAME[name].text
        return Histogram(name, text, buckets=_SECONDS, registry=self.registry)
