"""The segments of an app as real processes on this machine, where kwok only plays their pods."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import testbed.link
from fin.api import NetworkTopology
from fin.api.names import ANNOTATION_PLAN, LABEL_APP, LABEL_TIER
from fin.api.parsing import parse
from fin.cluster.annotation import read
from fin.cluster.naming import config_name
from fin.cluster.pods import ANNOTATION_CONFIG
from fin.cluster.revision import Revision
from fin.cluster.topology import network
from fin.planning.problem import Link
from fin.segment.config import ROUTES_FILE, SEGMENT_FILE
from testbed.components import ADDRESS
from testbed.controlplane import ControlPlane
from testbed.demo.metrics import answers
from testbed.demo.reading import Key, Object, get
from testbed.demo.stage import DemoError, Stage
from testbed.ports import free_ports

_FIN = Path(sys.executable).with_name("fin")
_READY_TIMEOUT = 60.0


@dataclass(frozen=True)
class Rendered:
    """What the operator made for an app: of each segment ``segment.json``, and ``routes.json``."""

    revision: Revision
    segments: Mapping[str, dict[str, Any]]
    routes: dict[str, Any]

    @property
    def nodes(self) -> dict[str, str]:
        """Node of each segment, in the order in which samples enter them."""
        return {segment.name: segment.node for segment in self.revision.segments}

    @property
    def exits(self) -> dict[str, str]:
        """Node of each exit, in order."""
        return {name: self.revision.placement.nodes[at] for at, name in self.revision.exits}


def read_rendered(cluster: ControlPlane, app: Key) -> Rendered:
    """Read what the operator made for an app.

    Raises
    ------
    DemoError
        There is no plan on its entry's Deployment.
    """
    scope = f"--selector={LABEL_APP}={app[1]}"
    deployments = [
        each for each in get(cluster, "deployments", scope) if _namespace(each) == app[0]
    ]
    plans = (each["metadata"].get("annotations", {}).get(ANNOTATION_PLAN) for each in deployments)
    revision = next((read(text) for text in plans if text), None)
    if revision is None:
        raise DemoError(f"no Deployment of {app[1]} has the annotation {ANNOTATION_PLAN}")
    templates = (each["spec"]["template"]["metadata"]["annotations"] for each in deployments)
    configs = [json.loads(annotations[ANNOTATION_CONFIG]) for annotations in templates]
    found = cluster.kubectl(
        "get", "configmap", config_name(app[1]), f"--namespace={app[0]}", "-o", "json"
    )
    routes = json.loads(json.loads(found.stdout)["data"][ROUTES_FILE])
    return Rendered(revision, {each["name"]: each for each in configs}, routes)


def read_links(cluster: ControlPlane) -> dict[tuple[str, str], Link]:
    """Read what the topologies say of each pair of nodes."""
    labels = {
        each["metadata"]["name"]: each["metadata"].get("labels", {})
        for each in get(cluster, "nodes")
    }
    tiers = {node: own[LABEL_TIER] for node, own in labels.items() if LABEL_TIER in own}
    topologies = [parse(NetworkTopology, each) for each in get(cluster, "networktopologies")]
    return {(link.source, link.target): link for link in network(topologies, tiers).links}


class Segments:
    """Processes of ``fin segment``, and between their nodes links with a time and a rate.

    The cluster's guard ends them with everything else, whatever happens.

    Parameters
    ----------
    cluster
        Whose operator made them.
    rendered
        What it made.
    blocks
        Directory with the ONNX file of each block: what their pods have as ``/models``.
    """

    def __init__(self, cluster: ControlPlane, rendered: Rendered, blocks: Path) -> None:
        self._cluster = cluster
        self._rendered = rendered
        self._blocks = blocks
        self._links = read_links(cluster)
        names = list(rendered.nodes)
        ports = free_ports(ADDRESS, 2 * len(names))
        self._http = dict(zip(names, ports[::2], strict=True))
        self._grpc = dict(zip(names, ports[1::2], strict=True))
        self.processes: list[str] = []
        self.grpc_address = ""
        """Where the app's source reaches it."""

    def start(self, stage: Stage) -> None:
        """Start them, and wait until all are ready."""
        routes = self._routes()
        for name in self._rendered.nodes:
            directory = self._cluster.directory / "segments" / name
            directory.mkdir(parents=True)
            config = {**self._rendered.segments[name], "artifact": {"path": str(self._blocks)}}
            (directory / SEGMENT_FILE).write_text(json.dumps(config), encoding="utf-8")
            (directory / ROUTES_FILE).write_text(json.dumps(routes), encoding="utf-8")
            http, grpc = f"{ADDRESS}:{self._http[name]}", f"{ADDRESS}:{self._grpc[name]}"
            options = (f"--http-address={http}", f"--grpc-address={grpc}")
            self._run(name, [str(_FIN), "segment", f"--config={directory}", *options])
        urls = [f"http://{ADDRESS}:{port}/v2/health/ready" for port in self._http.values()]
        stage.until(
            lambda: all(map(answers, urls)), _READY_TIMEOUT, "the segments", self.check_running
        )

    @property
    def http_address(self) -> str:
        """Where the entry listens."""
        return f"{ADDRESS}:{self._http[self._rendered.revision.entry.name]}"

    def check_running(self) -> None:
        """Make sure that all run.

        Raises
        ------
        DemoError
            One has ended.
        """
        for name in self.processes:
            status = self._cluster.processes.status(name)
            if status is not None:
                log = self._cluster.processes.log_tail(name)
                raise DemoError(f"{name} has ended with status {status}; its log ends with:\n{log}")

    def _routes(self) -> dict[str, Any]:
        """Lead each hop of the plan over a link to the process that stands for its pod."""
        revision = self._rendered.revision
        hops = self._rendered.routes["revisions"][revision.digest]["hops"]
        led, block = [], 0
        for position, hop in enumerate(hops):
            route = revision.placement.routes[block]
            port = self._over(f"link-{position}", route, self._http[hop["segment"]])
            led.append({**hop, "host": ADDRESS, "http": port})
            block += len(hop["blocks"])
        entry = revision.entry.name
        port = self._over("link-source", revision.placement.routes[0], self._grpc[entry])
        self.grpc_address = f"{ADDRESS}:{port}"
        return {"entries": {entry: revision.digest}, "revisions": {revision.digest: {"hops": led}}}

    def _over(self, name: str, route: Iterable[str], port: int) -> int:
        """Start a link like those of a route; returns the port that leads over it to ``port``."""
        links = [self._links[ends] for ends in pairwise(route)]
        if not links:
            return port
        (near,) = free_ports(ADDRESS, 1)
        rtt = sum(link.rtt for link in links)
        rate = 1 / sum(1 / link.bandwidth for link in links)
        program = [sys.executable, "-I", "-S", str(testbed.link.__file__)]
        self._run(name, [*program, *map(str, (near, port, rtt, rate))])
        return near

    def _run(self, name: str, argv: list[str]) -> None:
        self._cluster.processes.start(name, argv)
        self.processes.append(name)


def _namespace(obj: Object) -> str:
    return str(obj["metadata"]["namespace"])
