"""Segments as real processes on this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson
from prometheus_client.parser import text_string_to_metric_families

from testbed.ports import free_ports
from testbed.process import wait_for
from tests.helpers.networks import Floats, Network

REVISION = "r1"
MODEL = "net"
LOOPBACK = "127.0.0.1"

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Json:
        return dict(orjson.loads(self.body))

    @property
    def error(self) -> str:
        return str(self.json["error"])

    @property
    def logits(self) -> Floats:
        output = self.json["outputs"][0]
        return np.array(output["data"], np.float32).reshape(output["shape"])

    @property
    def exits(self) -> list[str]:
        return str(self.json["parameters"]["exits"]).split(",")


@dataclass
class Segment:
    """One segment: its files, its ports, and its process where it runs."""

    name: str
    blocks: list[str]
    directory: Path
    http: int
    grpc: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def start(self) -> Self:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "fin.cli", "segment", "--config", str(self.directory),
                    "--http-address", f"{LOOPBACK}:{self.http}",
                    "--grpc-address", f"{LOOPBACK}:{self.grpc}",
                ],
                stderr=log,
                env={**os.environ, "PYTHONWARNINGS": "default"},
            )  # fmt: skip
        return self

    def wait_ready(self) -> None:
        wait_for(self.is_ready, 60, f"{self.name} to be ready")

    def is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} has ended: {self.log}")
        try:
            return self.ask("/v2/health/ready").status == 200
        except OSError:
            return False

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "",
    ) -> "Reply":
        """Send a request over a connection of its own."""
        connection = HTTPConnection(LOOPBACK, self.http, timeout=30)
        try:
            verb = method or ("GET" if body is None else "POST")
            connection.request(verb, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def infer(self, batch: Floats, revision: str = "", **more: Any) -> "Reply":
        """Send a batch as JSON."""
        version = f"/versions/{revision}" if revision else ""
        return self.ask(f"/v2/models/{MODEL}{version}/infer", request(batch, **more))

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric; 0 where it is not there."""
        text = self.ask("/metrics").body.decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return 0.0

    def end(self, number: int = signal.SIGTERM) -> int:
        """End the process, and return its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)


@dataclass
class Fleet:
    """The segments of one app, in files below a directory; ends them all at its end."""

    network: Network
    directory: Path
    stages: Sequence[tuple[int, Sequence[int]]]
    limits: Json = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)

    def __post_init__(self) -> None:
        models = self.network.write(self.directory / "models")
        count = 1 + max(segment for segment, _ in self.stages)
        ports = free_ports(LOOPBACK, 2 * count)
        for position in range(count):
            blocks = sorted({b for segment, run in self.stages if segment == position for b in run})
            home = self.directory / f"segment-{position}"
            home.mkdir()
            layers = [self.network.layers[block] for block in blocks]
            own: Json = {
                "name": f"app-{position}",
                "app": "app",
                "model": MODEL,
                "blocks": [
                    {"name": layer.name, **({} if layer.head is None else {"logits": "logits"})}
                    for layer in layers
                ],
                "artifact": {"path": str(models)},
            }
            write(home / "segment.json", own)
            self.segments.append(
                Segment(
                    own["name"],
                    [layer.name for layer in layers],
                    home,
                    ports[2 * position],
                    ports[2 * position + 1],
                )
            )
        self.route(self.routes())

    def routes(self, revision: str = REVISION) -> Json:
        """Return the routes of one revision."""
        return {
            "entries": {self.segments[self.stages[0][0]].name: revision},
            "revisions": {revision: {"hops": [self.hop(s, run) for s, run in self.stages]}},
            "limits": {"drainSeconds": 0.5, **self.limits},
        }

    def hop(self, position: int, run: Sequence[int]) -> Json:
        """Return a stage: a run of blocks on a segment."""
        segment = self.segments[position]
        layers = [self.network.layers[block] for block in run]
        return {
            "segment": segment.name,
            "host": LOOPBACK,
            "http": segment.http,
            "blocks": [layer.name for layer in layers],
            "exits": [
                {
                    "name": f"exit-{layer.name}",
                    "block": layer.name,
                    "criterion": layer.rule.criterion,
                    "threshold": layer.rule.threshold,
                }
                for layer in layers
                if layer.head is not None
            ],
            "blockJoules": [1.0] * len(layers),
            "inputJoules": 0.5,
        }

    def route(self, routes: Json) -> None:
        """Tell all segments the routes."""
        for segment in self.segments:
            write(segment.directory / "routes.json", routes)

    @property
    def entry(self) -> Segment:
        return self.segments[self.stages[0][0]]

    def __enter__(self) -> Self:
        for segment in self.segments:
            segment.start()
        try:
            for segment in self.segments:
                segment.wait_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running = [s.process for s in self.segments if s.process and s.process.poll() is None]
        for process in running:
            process.kill()
        for process in running:
            process.wait()


def write(file: Path, content: Json) -> None:
    """Write a file at one blow, as a volume of Kubernetes changes."""
    fresh = file.with_suffix(".new")
    fresh.write_bytes(orjson.dumps(content))
    fresh.rename(file)


def request(batch: Floats, **more: Any) -> bytes:
    """Return the body of a request with a batch as JSON."""
    tensor = {
        "name": "x", "datatype": "FP32", "shape": batch.shape, "data": batch.ravel().tolist(),
    }  # fmt: skip
    return orjson.dumps({"inputs": [tensor], **more})
