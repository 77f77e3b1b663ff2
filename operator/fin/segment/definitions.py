"""Every metric of a segment: what it is called, what it means, and its labels."""

from dataclasses import dataclass
from typing import Final, Literal

Type = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric; ``name`` as Prometheus shows it (a counter's ends in ``_total``)."""

    type: Type
    name: str
    text: str
    labels: tuple[str, ...] = ()


REQUESTS: Final = Definition(
    "counter",
    "fin_segment_requests_total",
    "Requests, by where they came from (rest, grpc: a client; hop: the segment before) and the "
    "HTTP status that says what became of them, for gRPC the corresponding one.",
    ("protocol", "code"),
)
SAMPLES: Final = Definition(
    "counter",
    "fin_segment_samples_total",
    "Samples that left at an exit of this segment.",
    ("exit",),
)
REQUEST_SECONDS: Final = Definition(
    "histogram",
    "fin_segment_request_duration_seconds",
    "Time from a request's arrival until it was served, the segments behind included, by where it "
    "came from (client; hop: the segment before).",
    ("origin",),
)
COMPUTE_SECONDS: Final = Definition(
    "histogram",
    "fin_segment_compute_duration_seconds",
    "Time that ONNX Runtime and the exits took for a request at this segment.",
)
WAIT_SECONDS: Final = Definition(
    "histogram",
    "fin_segment_wait_duration_seconds",
    "Time that a request waited at this segment before it was computed.",
)
NETWORK_SECONDS: Final = Definition(
    "histogram",
    "fin_segment_network_duration_seconds",
    "Time for samples to the next segment and back, less their time there and behind it.",
)
SENT: Final = Definition(
    "counter", "fin_segment_sent_bytes_total", "Bytes sent to the next segment."
)
QUEUE: Final = Definition(
    "gauge", "fin_segment_queue_requests", "Requests that are computed, or wait for it."
)
IN_FLIGHT: Final = Definition(
    "gauge",
    "fin_segment_in_flight_requests",
    "Requests that were accepted and not answered yet; at most the limit.",
)
ENERGY: Final = Definition(
    "counter",
    "fin_segment_energy_joules_total",
    "Modelled energy since the segment started, by component: compute, or network: what it sent "
    "to the next segment, and at the entry what was sent to it.",
    ("component",),
)
ROUTES_LOADED: Final = Definition(
    "gauge",
    "fin_segment_routes_loaded",
    "Whether the last reading of the routes succeeded (1) or those before stay in force (0).",
)

ENTRY_REVISION: Final = Definition(
    "gauge",
    "fin_segment_entry_revision_info",
    "The revision that requests follow which enter at this segment, by the routes that it has read "
    "(always 1); none where it is no entry.",
    ("revision",),
)

ALL: Final = (
    REQUESTS, SAMPLES, REQUEST_SECONDS, COMPUTE_SECONDS, WAIT_SECONDS, NETWORK_SECONDS, SENT,
    QUEUE, IN_FLIGHT, ENERGY, ROUTES_LOADED, ENTRY_REVISION,
)  # fmt: skip
