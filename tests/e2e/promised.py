"""What a run of an app on real nodes shows, beside what its plan says."""

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.nodes.cluster import Cluster
from testbed.nodes.network import bytes_sent
from tests.e2e.sites import OwnSite, Site

WINDOW = 10.0
"""Seconds to measure what idle segments use: a time that is measured, not one to wait for."""

CLIENT = """
import dataclasses, json, sys
from pathlib import Path
from testbed.demo.client import offer
address, model, samples, arrivals = sys.argv[1:]
answers = offer(address, model, Path(samples), json.loads(arrivals))
json.dump([dataclasses.asdict(each) for each in answers.each], sys.stdout)
"""


@dataclass(frozen=True)
class Run:
    """A run: what the client saw, and what the nodes counted meanwhile.

    Attributes
    ----------
    seconds
        Latency of each request.
    exits
        How many left at each exit.
    cpu
        CPU seconds that each segment used, more than while nobody asked.
    sent
        Bytes that each node sent to others.
    """

    seconds: tuple[float, ...]
    exits: Counter[str]
    cpu: dict[str, float]
    sent: dict[str, int]

    @property
    def mean(self) -> float:
        return sum(self.seconds) / len(self.seconds)


def run(site: OwnSite, app: str, samples: Path, model: str, arrivals: list[float]) -> Run:
    """Send requests from the app's source, as they arise, through the app's Service."""
    groups = {name: group(site.cluster, pod) for name, pod in pods(site, app).items()}
    idle = _idle(groups)
    begin = time.monotonic()
    cpu_before = {name: _cpu(group) for name, group in groups.items()}
    sent_before = {name: bytes_sent(node.network) for name, node in site.cluster.nodes.items()}
    told = from_source(site, app, CLIENT, model, str(samples), json.dumps(arrivals))
    elapsed = time.monotonic() - begin
    answers = json.loads(told)
    return Run(
        seconds=tuple(each["seconds"] for each in answers),
        exits=Counter(each["exit"] for each in answers),
        cpu={
            name: _cpu(group) - cpu_before[name] - elapsed * idle[name]
            for name, group in groups.items()
        },
        sent={
            name: bytes_sent(node.network) - sent_before[name]
            for name, node in site.cluster.nodes.items()
        },
    )


def from_source(site: Site, app: str, program: str, *arguments: str) -> str:
    """Run a Python program on the app's source; return what it wrote.

    Its first argument is the address of the app's Service.
    """
    service = json.loads(site.kubectl("get", f"service/{app}", "-o", "json").stdout)
    source = get(site, app)["spec"]["source"]["nodeName"]
    address = f"{service['spec']['clusterIP']}:9000"
    with site.python(source, "-c", program, address, *arguments) as client:
        told, _ = client.communicate()
    assert client.returncode == 0, "its standard error says why"
    return told


def _idle(groups: dict[str, Path]) -> dict[str, float]:
    """CPU seconds per second of segments that only answer probes and the operator."""
    before, begin = {name: _cpu(group) for name, group in groups.items()}, time.monotonic()
    time.sleep(WINDOW)
    elapsed = time.monotonic() - begin
    return {name: (_cpu(group) - before[name]) / elapsed for name, group in groups.items()}


def get(site: Site, app: str) -> dict[str, Any]:
    """Return an InferenceApp."""
    got = site.kubectl("get", f"inferenceapp/{app}", "-o", "json")
    return dict(json.loads(got.stdout))


def pods(site: Site, app: str) -> dict[str, dict[str, Any]]:
    """Return an app's pods, by segment."""
    selector = f"--selector=finoperator.io/app={app}"
    got = json.loads(site.kubectl("get", "pods", selector, "-o", "json").stdout)
    return {each["metadata"]["name"].rsplit("-", 2)[0]: each for each in got["items"]}


def group(cluster: Cluster, pod: dict[str, Any], kind: str = "cpuacct") -> Path:
    """Return the control group of a pod, in one of the hierarchies."""
    namespace = cluster.nodes[pod["spec"]["nodeName"]].network.namespace
    return Path("/sys/fs/cgroup", kind, namespace, "kubepods", f"pod{pod['metadata']['uid']}")


def _cpu(group: Path) -> float:
    return int((group / "cpuacct.usage").read_text()) * 1e-9
