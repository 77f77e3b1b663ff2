"""Real segments behind the pods that kwok plays, and a client that keeps asking them.

Each segment is a process of its own that listens at an address of its own on loopback, at the port
that pods have; the pod's status names that address, as a kubelet would.
"""

import json
import secrets
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fin.api.names import LABEL_SEGMENT
from fin.cluster.naming import config_name
from fin.cluster.pods import ANNOTATION_CONFIG, GRPC_PORT, HTTP_PORT
from fin.controller import kinds
from fin.segment.config import ROUTES_FILE, SEGMENT_FILE
from tests.helpers.api import until
from tests.helpers.networks import Floats, Network
from tests.helpers.scene import Scene
from tests.helpers.segments import request, write

_FIN = Path(sys.executable).with_name("fin")


@dataclass(frozen=True)
class Running:
    """A segment's process, and where it listens."""

    process: str
    directory: Path
    ip: str


class RealPods:
    """The processes of the segments of one app of a scene, whichever revision serves.

    A pod gets its address once its app's Service leads to it: the API server takes no loopback
    address into an EndpointSlice, and leaves there the one that kwok had given.
    """

    def __init__(
        self, scene: Scene, network: Network, directory: Path, app: str = "camera"
    ) -> None:
        self._scene = scene
        self._directory = directory
        self._models = network.write(directory / "models")
        self._processes = scene.control_plane.processes
        self._app = app
        self._running: dict[str, Running] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for each in self._running.values():
            if self._processes.status(each.process) is None:
                self._processes.stop(each.process)

    @property
    def names(self) -> list[str]:
        """Names of the segments of the plan in the app's status, the entry first."""
        return [each["name"] for each in self._scene.get(self._app)["status"]["plan"]["segments"]]

    def run(self) -> str:
        """Run what serves, and return the address of its entry."""
        self._scene.ready(self._app)
        names = self.names
        deployments = {each["metadata"]["name"]: each for each in self._owned(kinds.DEPLOYMENT)}
        new = [name for name in names if name not in self._running]
        for name in new:
            self._running[name] = self._prepared(deployments[name])
        # Who runs already is led to the others once these serve.
        self._write_routes(new)
        for name in names:
            self._start(name)
        self._write_routes(self._running)
        return self._running[names[0]].ip

    def restart(self, name: str) -> None:
        """Let a container fail, and a kubelet start it again."""
        self._processes.stop(self._running[name].process)
        self._start(name)

    def stop(self, name: str) -> None:
        """Let a container fail."""
        self._processes.stop(self._running[name].process)

    def _prepared(self, deployment: Mapping[str, Any]) -> Running:
        name = deployment["metadata"]["name"]
        home = self._directory / name
        home.mkdir()
        template = deployment["spec"]["template"]["metadata"]
        own = json.loads(template["annotations"][ANNOTATION_CONFIG])
        write(home / SEGMENT_FILE, {**own, "artifact": {"path": str(self._models)}})
        ip = "127." + ".".join(str(1 + byte % 254) for byte in secrets.token_bytes(3))
        return Running(f"{self._scene.id}-{name}", home, ip)

    def _write_routes(self, names: Iterable[str]) -> None:
        """Lead each hop from these segments to the process that stands for its pod."""
        name = config_name(self._app)
        config = self._scene.api.get(kinds.CONFIG_MAP, self._scene.namespace, name)
        routes = json.loads(config["data"][ROUTES_FILE])
        for way in routes["revisions"].values():
            for hop in way["hops"]:
                if hop["segment"] in self._running:
                    hop["host"] = self._running[hop["segment"]].ip
        for each in (self._running[name] for name in names):
            write(each.directory / ROUTES_FILE, {**routes, "limits": {"drainSeconds": 0.0}})

    def _start(self, name: str) -> None:
        each = self._running[name]
        if not self._answers(each):
            self._processes.start(
                each.process,
                [
                    *(str(_FIN), "segment", f"--config={each.directory}"),
                    f"--http-address={each.ip}:{HTTP_PORT}",
                    f"--grpc-address={each.ip}:{GRPC_PORT}",
                ],
            )
            until(lambda: self._answers(each), f"{name} to be ready")
        (pod,) = [
            pod
            for pod in self._scene.api.list(
                kinds.POD, self._scene.namespace, f"{LABEL_SEGMENT}={name.rpartition('-')[2]}"
            )
            if "deletionTimestamp" not in pod["metadata"]
        ]
        if pod["status"].get("podIP") != each.ip:
            self._scene.api.patch(
                kinds.POD,
                self._scene.namespace,
                pod["metadata"]["name"],
                {"status": {"podIP": each.ip, "podIPs": [{"ip": each.ip}]}},
                "status",
            )

    def _answers(self, each: Running) -> bool:
        connection = HTTPConnection(each.ip, HTTP_PORT, timeout=5)
        try:
            connection.request("GET", "/v2/health/live")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _owned(self, kind: kinds.Kind) -> list[dict[str, Any]]:
        return self._scene.owned(kind, self._app)


class Client:
    """Sends samples, one a request, so many a second, until its end."""

    def __init__(self, samples: Floats, rate: float) -> None:
        self._bodies = [request(samples[[index]]) for index in range(len(samples))]
        self.rate = rate
        self.ip = ""
        self.served = 0
        self.failed = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        due, sent, connection = time.monotonic(), 0, HTTPConnection("")
        while not self._ended.wait(max(due - time.monotonic(), 0)):
            due = max(due, time.monotonic() - 1) + 1 / self.rate
            if not self.ip:
                continue
            if connection.host != self.ip:
                connection.close()
                connection = HTTPConnection(self.ip, HTTP_PORT, timeout=10)
            try:
                good = _ask(connection, self._bodies[sent % len(self._bodies)])
            except (OSError, HTTPException):
                connection.close()
                good = False
            sent += 1
            self.served += good
            self.failed += not good
        connection.close()


def _ask(connection: HTTPConnection, body: bytes) -> bool:
    connection.request("POST", "/v2/models/net/infer", body)
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200
