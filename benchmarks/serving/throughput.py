"""Requests per second of one segment and of MLServer, beside bare ONNX Runtime in a loop."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import orjson

from benchmarks.serving.network import write
from benchmarks.serving.servers import Server, fin_segment, mlserver

ROUNDS = 3
"""Times that each is asked, in turn."""


def lines(milliseconds: float, clients: int, seconds: float) -> Iterator[str]:
    """Measure with a network of so many milliseconds; a line for each server and protocol."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        model = Path(place) / "network.onnx"
        took = write(model, milliseconds)
        servers = []
        for start in (fin_segment, mlserver):
            directory = Path(place) / start.__name__
            directory.mkdir()
            servers.append(stack.enter_context(start(directory, model)))
        bare: list[float] = []
        rates: dict[tuple[str, str], list[float]] = {}
        ratios: dict[tuple[str, str], list[float]] = {}
        late: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for server in servers:
                for protocol in server.protocols:
                    alone = float(_python("benchmarks.serving.bare", str(model), str(seconds)))
                    taken = _load(server, protocol, clients, seconds)
                    key = server.name, protocol
                    bare.append(alone)
                    rates.setdefault(key, []).append(len(taken) / seconds)
                    ratios.setdefault(key, []).append(len(taken) / seconds / alone)
                    late.setdefault(key, []).append(float(np.percentile(taken, 99)))
        size = f"{took:.1f} ms"
        most = statistics.median(bare)
        yield f"| {size} | {clients} | ONNX Runtime | loop | {most:.0f} | 1.00 | |"
        for (name, protocol), found in rates.items():
            ratio = statistics.median(ratios[name, protocol])
            last = 1e3 * statistics.median(late[name, protocol])
            yield (
                f"| {size} | {clients} | {name} | {protocol} | {statistics.median(found):.0f} "
                f"| {ratio:.2f} | {last:.1f} ms |"
            )


def _load(server: Server, protocol: str, clients: int, seconds: float) -> list[float]:
    port = str(server.grpc if protocol == "grpc" else server.http)
    told = _python("benchmarks.serving.client", protocol, port, str(clients), str(seconds))
    return list(orjson.loads(told))


def _python(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
