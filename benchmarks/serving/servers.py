"""The servers that are compared, each a process on one CPU, with one thread for computing."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.ports import free_ports
from testbed.process import wait_for

HOST = "127.0.0.1"
MODEL = "net"
SERVER_CPU, CLIENT_CPU = 0, 1
HERE = Path(__file__).parent
ENVIRONMENT = HERE / ".venv"
"""Where MLServer is installed, by ``mlserver.lock``: its requirements are not ours."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready, and where."""

    name: str
    protocols: tuple[str, ...]
    http: int
    grpc: int


@contextlib.contextmanager
def fin_segment(directory: Path, model: Path) -> Iterator[Server]:
    """One segment that runs the whole network."""
    http, grpc = free_ports(HOST, 2)
    block = model.stem
    leaving = {"name": "end", "block": block, "criterion": "Confidence", "threshold": None}
    hop = {
        "segment": "app-0", "host": HOST, "http": http, "blocks": [block], "exits": [leaving],
        "blockJoules": [1.0], "inputJoules": 1.0,
    }  # fmt: skip
    config = {
        "name": "app-0", "app": "app", "model": MODEL, "artifact": {"path": str(model.parent)},
        "blocks": [{"name": block, "logits": "logits"}],
    }  # fmt: skip
    routes = {"entries": {"app-0": "r1"}, "revisions": {"r1": {"hops": [hop]}}}
    _write(directory / "segment.json", config)
    _write(directory / "routes.json", routes)
    command = [sys.executable, "-m", "fin.cli", "segment", "--config", str(directory)]
    addresses = [f"--http-address={HOST}:{http}", f"--grpc-address={HOST}:{grpc}"]
    with _running([*command, *addresses], directory, {}, http):
        yield Server("fin segment", ("grpc", "http", "json"), http, grpc)


@contextlib.contextmanager
def mlserver(directory: Path, model: Path) -> Iterator[Server]:
    """MLServer with a runtime of a few lines around ONNX Runtime, without further workers.

    Over HTTP it takes no binary tensors.
    """
    _install()
    http, grpc, metrics = free_ports(HOST, 3)
    settings = {
        "host": HOST, "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
        "parallel_workers": 0, "debug": False,
    }  # fmt: skip
    about = {
        "name": MODEL, "implementation": "mlserver_runtime.Onnx", "parameters": {"uri": str(model)}
    }  # fmt: skip
    _write(directory / "settings.json", settings)
    _write(directory / "model-settings.json", about)
    command = [str(ENVIRONMENT / "bin/mlserver"), "start", str(directory)]
    with _running(command, directory, {"PYTHONPATH": str(HERE)}, http):
        yield Server("MLServer", ("grpc", "json"), http, grpc)


def _install() -> None:
    done = ENVIRONMENT / ".installed"
    if done.exists():
        return
    uv = Path(sys.executable).with_name("uv")
    quiet = [str(uv), "--quiet"]
    subprocess.run([*quiet, "venv", "--clear", str(ENVIRONMENT)], check=True)
    python = f"--python={ENVIRONMENT / 'bin/python'}"
    lock = str(HERE / "mlserver.lock")
    subprocess.run([*quiet, "pip", "install", python, "--require-hashes", "-r", lock], check=True)
    done.touch()


@contextlib.contextmanager
def _running(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], http: int
) -> Iterator[None]:
    """Run a server until the block ends, pinned to its CPU; wait until it is ready."""
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(SERVER_CPU), *command],
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        )
    try:
        wait_for(lambda: _ready(process, directory, http), 120, f"{command[0]} to be ready")
        yield
    finally:
        process.kill()
        process.wait()


def _ready(process: "subprocess.Popen[bytes]", directory: Path, http: int) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"it has ended: {(directory / 'log').read_text()}")
    url = f"http://{HOST}:{http}/v2/models/{MODEL}/ready"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")
