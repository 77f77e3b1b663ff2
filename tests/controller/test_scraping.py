"""What a segment shows is read as it is; what only pretends to be one does no harm."""

import asyncio
import gzip
import math
import secrets
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fin.cluster.answering import Pod
from fin.cluster.pods import HTTP_PORT
from fin.cluster.telemetry.counts import Counts, Reading
from fin.controller.exposition import UnreadableError, read_counts, read_revision
from fin.controller.scraping import Failed, Scraper
from fin.segment.metrics import Metrics

Answer = Callable[[BaseHTTPRequestHandler], None]


def started() -> Metrics:
    metrics = Metrics()
    metrics.routes_loaded.set(1)
    return metrics


def shown() -> bytes:
    """What a real segment shows, after some requests."""
    metrics = started()
    metrics.samples.labels("early").inc(7)
    metrics.samples.labels("final").inc(3)
    metrics.requests.labels("rest", "200").inc(6)
    metrics.requests.labels("grpc", "200").inc(2)
    metrics.requests.labels("grpc", "429").inc(5)
    metrics.requests.labels("rest", "503").inc(1)
    metrics.requests.labels("rest", "400").inc(100)
    metrics.requests.labels("hop", "200").inc(1000)
    for seconds in (0.003, 0.004, 0.7, 60.0):
        metrics.request_seconds.labels("client").observe(seconds)
        metrics.request_seconds.labels("hop").observe(seconds)
    metrics.energy.labels("compute").inc(0.5)
    metrics.energy.labels("network").inc(0.25)
    return metrics.exposition()


def test_a_real_segment_is_read() -> None:
    found = read_counts(shown().decode())
    assert found.samples == {"early": 7, "final": 3}
    assert (found.asked, found.served) == (14, 8)
    assert found.joules == 0.75
    assert found.latency == pytest.approx(60.707)
    filled = {bound: count for bound, count in found.buckets.items() if count}
    assert filled == {0.005: 2, 1.0: 1, math.inf: 1}
    assert found.seconds == 0


def test_a_segment_that_nobody_asked_yet_has_counted_nothing() -> None:
    assert read_counts(started().exposition().decode()) == Counts()


def test_an_entry_says_which_revision_it_follows() -> None:
    metrics = started()
    assert read_revision(metrics.exposition().decode()) == ""
    metrics.entry_revision.labels("7c9f21ab").set(1)
    assert read_revision(metrics.exposition().decode()) == "7c9f21ab"


@pytest.mark.parametrize("text", ['{revision="r1"', '{exit="r1"} 1', "", '{revision="r1"} x'])
def test_what_is_no_revision_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="not the metrics of a segment"):
        read_revision(f"fin_segment_entry_revision_info{text}")


def test_another_server_has_counted_nothing_that_counts() -> None:
    with pytest.raises(UnreadableError, match="no fin_segment_routes_loaded"):
        read_counts("process_resident_memory_bytes 3")


@pytest.mark.parametrize(
    "text",
    [
        'fin_segment_samples_total{exit="early"} NaN',
        'fin_segment_samples_total{exit="early"} -1',
        'fin_segment_samples_total{exit="early"} +Inf',
        'fin_segment_samples_total{exit="early"} 1e300',
        "fin_segment_samples_total 3",
        'fin_segment_request_duration_seconds_bucket{origin="client",le="x"} 1',
        'fin_segment_request_duration_seconds_bucket{origin="client",le="-1"} 1',
        'fin_segment_request_duration_seconds_bucket{origin="client",le="NaN"} 1',
        'fin_segment_samples_total{exit="early" 1',
        'fin_segment_samples_total{exit="early"}',
        'fin_segment_samples_total{exit="early"} many',
    ],
)
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError, match="not the metrics of a segment"):
        read_counts(f"fin_segment_routes_loaded 1\n{text}")


NAMES = st.sampled_from(
    ["fin_segment_samples_total", "fin_segment_requests_total", "fin_segment_energy_joules_total"]
)


@given(st.text() | st.builds("{}{}".format, NAMES, st.text()))
@example('fin_segment_samples_total{exit="\\')
@example("fin_segment_samples_total{}{}{} 1")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read_counts(f"fin_segment_routes_loaded 1\n{text}")
    except UnreadableError:
        return
    assert all(value >= 0 and math.isfinite(value) for value in found.values())


class Pretender:
    """Listens where a segment would, and answers as a test wants."""

    def __init__(self) -> None:
        self.pod = Pod("uid", "127." + ".".join(str(1 + b % 254) for b in secrets.token_bytes(3)))
        self.answer: Answer = lambda _: None
        self.asked: list[str] = []
        self.ended = threading.Event()
        pretender = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pretender.asked.append(self.path)
                pretender.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((self.pod.ip, HTTP_PORT), Handler)
        self.server.daemon_threads = True

    def wait(self, _: BaseHTTPRequestHandler) -> None:
        """Answer nothing until the end."""
        self.ended.wait(30)

    def read(self) -> Reading | Failed:
        async def main() -> Reading | Failed:
            async with Scraper() as scraper:
                return (await scraper.read([self.pod, self.pod]))[self.pod]

        return asyncio.run(main())


@pytest.fixture
def pretender() -> Iterator[Pretender]:
    made = Pretender()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.ended.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    try:
        handler.wfile.write(body)
    except ConnectionError:  # who asked has read enough
        handler.close_connection = True


def why(pretender: Pretender) -> str:
    found = pretender.read()
    assert isinstance(found, Failed)
    return found.why


def test_a_pod_is_read_once(pretender: Pretender) -> None:
    pretender.answer = lambda handler: send(handler, shown())
    found = pretender.read()
    assert isinstance(found, Reading)
    assert (found.pod, found.counts) == ("uid", read_counts(shown().decode()))
    assert pretender.asked == ["/metrics"]


def test_a_redirection_leads_nowhere(pretender: Pretender) -> None:
    pretender.answer = lambda handler: send(handler, b"", 302, Location="/elsewhere")
    assert why(pretender) == "status 302"
    assert pretender.asked == ["/metrics"]


def test_an_answer_without_end_is_not_read_to_its_end(pretender: Pretender) -> None:
    pretender.answer = lambda handler: send(handler, b"x" * 2**26)
    assert "more than 1048576 bytes" in why(pretender)


def test_what_is_compressed_stays_so(pretender: Pretender) -> None:
    small = gzip.compress(b"fin_segment_samples_total " * 10**6)
    pretender.answer = lambda handler: send(handler, small, Content_Encoding="gzip")
    assert "not the metrics of a segment" in why(pretender)


def test_an_answer_that_does_not_come_is_not_waited_for(
    pretender: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fin.controller.scraping.TIMEOUT", 0.2)
    pretender.answer = pretender.wait
    assert why(pretender) == "no answer within 0.2 s"


def test_what_is_not_of_a_segment_is_told(pretender: Pretender) -> None:
    pretender.answer = lambda handler: send(handler, b"fin_segment_routes_loaded -1")
    assert why(pretender) == "not the metrics of a segment: fin_segment_routes_loaded is -1"


@pytest.mark.parametrize("ip", ["", "nonsense", "example.com", "1.2.3.4:80/x?"])
def test_only_an_address_is_asked(pretender: Pretender, ip: str) -> None:
    pretender.pod = Pod("uid", ip)
    assert "does not appear to be an IPv4 or IPv6 address" in why(pretender)


def test_where_nobody_listens(pretender: Pretender) -> None:
    pretender.pod = Pod("uid", "127.255.255.254")
    assert "no connection" in why(pretender)
