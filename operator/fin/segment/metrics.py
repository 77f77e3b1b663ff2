"""The metrics of a segment, as prometheus-client keeps them."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import generate_latest

from fin.segment import definitions
from fin.segment.definitions import Definition

# From far below a hop on loopback to a time-out.
_BUCKETS: Final = (
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip


class Metrics:
    """All metrics of one segment, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = self._counter(definitions.REQUESTS)
        self.samples = self._counter(definitions.SAMPLES)
        self.request_seconds = self._histogram(definitions.REQUEST_SECONDS)
        self.compute_seconds = self._histogram(definitions.COMPUTE_SECONDS)
        self.wait_seconds = self._histogram(definitions.WAIT_SECONDS)
        self.network_seconds = self._histogram(definitions.NETWORK_SECONDS)
        self.sent = self._counter(definitions.SENT)
        self.queue = self._gauge(definitions.QUEUE)
        self.in_flight = self._gauge(definitions.IN_FLIGHT)
        self.energy = self._counter(definitions.ENERGY)
        self.routes_loaded = self._gauge(definitions.ROUTES_LOADED)
        self.entry_revision = self._gauge(definitions.ENTRY_REVISION)

    def exposition(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        return generate_latest(self._registry)

    def _counter(self, each: Definition) -> Counter:
        return Counter(each.name, each.text, each.labels, registry=self._registry)

    def _gauge(self, each: Definition) -> Gauge:
        return Gauge(each.name, each.text, each.labels, registry=self._registry)

    def _histogram(self, each: Definition) -> Histogram:
        return Histogram(
            each.name, each.text, each.labels, registry=self._registry, buckets=_BUCKETS
        )
