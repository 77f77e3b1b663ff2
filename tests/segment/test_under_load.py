"""What happens to requests while segments end, die, come back, hang or have too much to do."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import numpy as np
import orjson
import pytest
import tritonclient.grpc

from fin.segment.exits import ExitRule
from fin.segment.frames import Answer, Passed
from testbed.ports import free_ports
from testbed.process import wait_for
from tests.helpers.load import LOST, Load
from tests.helpers.networks import network
from tests.helpers.proxy import Proxy
from tests.helpers.segments import LOOPBACK, MODEL, Fleet, Reply, Segment, request
from tests.helpers.standin import StandIn, zeros

# Without early exits: every request needs every segment.
CHAIN = network([ExitRule(), ExitRule(), ExitRule()])
BATCH = CHAIN.batch(2)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    directory = tmp_path_factory.mktemp("three")
    with Fleet(CHAIN, directory, [(0, [0]), (1, [1]), (2, [2])]) as fleet:
        yield fleet


def _count(load: Load, status: int, more: int) -> None:
    """Wait until so many more answers have a status."""
    before = load.statuses[status]
    wait_for(
        lambda: load.statuses[status] >= before + more,
        60,
        f"{more} answers {status}: {load.statuses}",
    )


def _all_right(load: Load) -> bool:
    expected, _ = CHAIN.answer(BATCH)
    return all(
        np.allclose(Reply(200, None, body).logits, expected, rtol=1e-4, atol=1e-5)  # type: ignore[arg-type]
        for body in load.bodies
        if b'"outputs"' in body
    )


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_segment_that_is_told_to_end_loses_no_request(three: Fleet, position: int) -> None:
    ending = three.segments[position]
    with Load(three.entry, request(BATCH)) as load:
        _count(load, 200, 30)
        if position == 0:
            load.routed.clear()
        assert ending.end() == 0
        if position:
            _count(load, 503, 1)
        ending.start().wait_ready()
        load.routed.set()
        _count(load, 200, 30)
    # Behind the entry, requests find nobody until it is back, and are told so at once.
    assert load.statuses.keys() <= ({200} if position == 0 else {200, 503}), ending.log
    assert _all_right(load)
    assert "Traceback" not in ending.log + three.entry.log


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_segment_that_is_killed_costs_only_what_it_had(three: Fleet, position: int) -> None:
    killed = three.segments[position]
    with Load(three.entry, request(BATCH)) as load:
        _count(load, 200, 30)
        killed.end(signal.SIGKILL)
        if position:
            _count(load, 503, 5)
            assert three.entry.is_ready()
        killed.start().wait_ready()
        _count(load, 200, 30)
    assert load.statuses.keys() <= ({200, LOST} if position == 0 else {200, 503})
    # Of each client what was under way, and one more whose connection nobody had taken yet.
    assert load.statuses[LOST] <= 8
    assert _all_right(load)
    errors = [orjson.loads(body)["error"] for body in load.bodies if b'"error"' in body]
    assert all(killed.name in error for error in errors)


def test_grpc_clients_lose_nothing_when_their_service_leads_elsewhere(three: Fleet) -> None:
    """They keep a connection, and learn nothing of the Service."""
    old = three.entry
    http, grpc = free_ports(LOOPBACK, 2)
    new = replace(old, http=http, grpc=grpc, process=None).start()
    try:
        new.wait_ready()
        with Proxy(f"https://{LOOPBACK}:{old.grpc}") as service, ThreadPoolExecutor(4) as clients:
            told_to_stop = threading.Event()
            asked = [clients.submit(_keep_asking, service.port, told_to_stop) for _ in range(4)]
            try:
                wait_for(lambda: _served_by_grpc(old) > 40, 20, "answers of the old segment")
                service.lead_to(LOOPBACK, new.grpc)
                assert old.end() == 0
                before = _served_by_grpc(new)
                wait_for(lambda: _served_by_grpc(new) > before + 40, 20, "answers of the new one")
            finally:
                told_to_stop.set()
            assert all(each.result() > 10 for each in asked)
    finally:
        new.end()
        old.start().wait_ready()


def _keep_asking(port: int, told_to_stop: threading.Event) -> int:
    """Ask until told to stop; returns the number of answers, raises for the first error."""
    answers = 0
    with tritonclient.grpc.InferenceServerClient(f"{LOOPBACK}:{port}") as client:
        given = tritonclient.grpc.InferInput("x", BATCH.shape, "FP32")
        given.set_data_from_numpy(BATCH)
        while not told_to_stop.is_set():
            client.infer(MODEL, [given])
            answers += 1
    return answers


def _served_by_grpc(segment: Segment) -> float:
    return segment.metric("fin_segment_requests_total", protocol="grpc", code="200")


def test_what_is_too_much_is_refused_at_once(tmp_path: Path) -> None:
    fleet = Fleet(CHAIN, tmp_path, [(0, [0]), (1, [1, 2])], {"requests": 3})
    entry, behind = fleet.segments
    with StandIn(behind.http) as standin:
        entry.start()
        try:
            entry.wait_ready()
            standin.gate.clear()
            replies: list[Reply] = []
            waiting = [
                threading.Thread(target=lambda: replies.append(entry.infer(BATCH)))
                for _ in range(3)
            ]
            for thread in waiting:
                thread.start()
            wait_for(lambda: entry.metric("fin_segment_in_flight_requests") == 3, 20, "3 in flight")
            refused = entry.infer(BATCH)
            assert refused.status == 429
            assert "its limit is 3" in refused.error
            standin.gate.set()
            for thread in waiting:
                thread.join()
            assert [reply.status for reply in replies] == [200] * 3
            assert entry.infer(BATCH).status == 200
        finally:
            fleet.__exit__(None, None, None)


@pytest.mark.parametrize(("limit", "statuses"), [(2000, {200}), (50, {200, 429})])
def test_a_thousand_clients_at_once(tmp_path: Path, limit: int, statuses: set[int]) -> None:
    """All are answered, rightly or with a quick refusal; afterwards it serves as before."""
    clients = 1000
    stages = [(0, [0]), (1, [1, 2])]
    body, headers = request(BATCH), {"Content-Type": "application/json"}

    async def ask(session: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
        async with session.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def ask_all(url: str) -> list[tuple[int, bytes]]:
        timeout = aiohttp.ClientTimeout(total=120)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            return await asyncio.gather(*(ask(session, url) for _ in range(clients)))

    limits = {"requests": limit, "timeoutSeconds": 100}
    with Fleet(CHAIN, tmp_path, stages, limits) as fleet:
        url = f"http://{LOOPBACK}:{fleet.entry.http}/v2/models/{MODEL}/infer"
        answers = asyncio.run(ask_all(url))
        assert {status for status, _ in answers} == statuses
        expected, _ = CHAIN.answer(BATCH)
        for status, told in answers:
            if status == 200:
                (output,) = orjson.loads(told)["outputs"]
                np.testing.assert_allclose(output["data"], expected.ravel(), rtol=1e-4, atol=1e-5)
            else:
                assert "try again later" in orjson.loads(told)["error"]
        assert fleet.entry.infer(BATCH).status == 200


def test_a_next_segment_that_hangs_costs_no_more_than_the_deadline(tmp_path: Path) -> None:
    fleet = Fleet(CHAIN, tmp_path, [(0, [0]), (1, [1, 2])], {"timeoutSeconds": 0.5})
    entry, behind = fleet.segments
    with StandIn(behind.http) as standin:
        entry.start()
        try:
            entry.wait_ready()
            standin.gate.clear()
            late = entry.infer(BATCH)
            assert late.status == 504
            assert "deadline" in late.error.lower()
            sooner = entry.infer(BATCH, parameters={"timeout": 100_000})
            assert sooner.status == 504
            first, second = (float(headers["Fin-Timeout-Seconds"]) for headers, _ in standin.seen)
            assert 0 < second <= 0.1 < first <= 0.5
            assert entry.metric("fin_segment_in_flight_requests") == 0
        finally:
            fleet.__exit__(None, None, None)


def test_the_trace_and_the_rest_of_the_way_go_along(tmp_path: Path) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    fleet = Fleet(CHAIN, tmp_path, [(0, [0]), (1, [1]), (0, [2])])
    entry, behind = fleet.segments
    with StandIn(behind.http) as standin:
        entry.start()
        try:
            entry.wait_ready()
            path = "/v2/models/net/infer"
            headers = {"traceparent": trace, "tracestate": "a=b"}
            assert entry.ask(path, request(BATCH), headers).status == 200
            assert entry.ask(path, request(BATCH), {"traceparent": "none"}).status == 200
        finally:
            fleet.__exit__(None, None, None)
    headers_there, passed = standin.seen[0]
    assert (headers_there["traceparent"], headers_there["tracestate"]) == (trace, "a=b")
    assert passed.revision == "r1"
    assert [(stage.segment, stage.blocks) for stage in passed.way.hops] == [
        ("app-1", ("block1",)),
        ("app-0", ("block2",)),
    ]
    begun = standin.seen[1][0]["traceparent"]
    assert begun != trace
    assert len(begun) == len(trace)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("fewer", "answered for 1 samples of 2"),
        ("classes", "all exits must have logits of the same type for the same classes"),
    ],
)
def test_a_wrong_answer_from_behind_is_an_error_of_the_server(
    tmp_path: Path, answer: str, words: str
) -> None:
    def wrong(passed: Passed) -> Answer:
        right = zeros(passed)
        if answer == "fewer":
            return Answer(right.logits[:1], right.exits[:1], right.visits)
        return Answer(right.logits[:, :2], right.exits, right.visits)

    # The first sample leaves at once, the others go on.
    early = network([ExitRule(0.7), ExitRule()])
    batch = early.batch(60)
    _, exits = early.answer(batch)
    chosen = [exits.index("exit-block0"), *(i for i, e in enumerate(exits) if e == "exit-block1")]
    fleet = Fleet(early, tmp_path, [(0, [0]), (1, [1])])
    with StandIn(fleet.segments[1].http, partial(wrong)):
        fleet.entry.start()
        try:
            fleet.entry.wait_ready()
            reply = fleet.entry.infer(batch[chosen[:3]])
            assert reply.status == 500
            assert words in reply.error
        finally:
            fleet.__exit__(None, None, None)
