"""The client of all servers: unchanged tritonclient, in a process of its own, on another CPU."""

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import orjson
import tritonclient.grpc as grpcclient
import tritonclient.http as httpclient

from benchmarks.serving.network import SHAPE, sample
from benchmarks.serving.servers import CLIENT_CPU, HOST, MODEL

WARM = 20
"""Requests of each client before it counts."""

Ask = Callable[[], None]


def http(port: int, *, binary: bool = True) -> Ask:
    client = httpclient.InferenceServerClient(f"{HOST}:{port}")
    given = httpclient.InferInput("x", list(SHAPE), "FP32")
    given.set_data_from_numpy(sample(), binary_data=binary)
    wanted = [httpclient.InferRequestedOutput("logits", binary_data=binary)]
    return lambda: _checked(client.infer(MODEL, [given], outputs=wanted))


def grpc(port: int) -> Ask:
    client = grpcclient.InferenceServerClient(f"{HOST}:{port}")
    given = grpcclient.InferInput("x", list(SHAPE), "FP32")
    given.set_data_from_numpy(sample())
    return lambda: _checked(client.infer(MODEL, [given]))


PROTOCOLS: Mapping[str, Callable[[int], Ask]] = {
    "grpc": grpc,
    "http": http,
    "json": partial(http, binary=False),
}


def _checked(answer: "httpclient.InferResult | grpcclient.InferResult") -> None:
    logits = answer.as_numpy("logits")
    assert logits is not None
    assert logits.shape[0] == 1


def load(make: Callable[[int], Ask], port: int, clients: int, seconds: float) -> list[float]:
    """Ask with so many clients at once for some time; returns each request's seconds."""
    begin = threading.Barrier(clients)

    def run() -> list[float]:
        ask = make(port)
        for _ in range(WARM):
            ask()
        begin.wait()
        end = time.perf_counter() + seconds
        taken = []
        while (start := time.perf_counter()) < end:
            ask()
            taken.append(time.perf_counter() - start)
        return taken

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(run) for _ in range(clients)]
        return [each for future in running for each in future.result()]


def main() -> None:
    protocol, port, clients, seconds = sys.argv[1:]
    os.sched_setaffinity(0, {CLIENT_CPU})
    taken = load(PROTOCOLS[protocol], int(port), int(clients), float(seconds))
    sys.stdout.buffer.write(orjson.dumps(taken))


if __name__ == "__main__":
    main()
