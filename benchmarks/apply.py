"""Seconds from `kubectl apply` of many apps to all Deployments written, and the operator's memory.

On a real control plane with nodes played by kwok. The same objects are then written again
without the operator, by the operator's own client: one after another, and as many at once as
the operator does. All in one run, on the same machine.
"""

import argparse
import asyncio
import json
import os
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient, AppsV1Api
from kubernetes.watch import Watch
from urllib3.exceptions import HTTPError

from fin.controller import kinds
from fin.controller.connection import load_configuration
from fin.controller.kube import PARALLEL, Kube
from testbed import ControlPlane
from tests.helpers import objects
from tests.helpers.api import Api, Object, until
from tests.helpers.chart import NAMESPACE, RELEASE, render
from tests.helpers.operator import Operator
from tests.helpers.scene import Scene

CRDS = Path(__file__).parents[1] / "crds"
RIGHTS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
MADE = (kinds.BUDGET, kinds.CONFIG_MAP, kinds.SERVICE, kinds.DEPLOYMENT)
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds of one run, and how many objects were written."""

    operator: float
    kubectl: float
    one_by_one: float
    at_once: float
    deployments: int
    objects: int


class Arrivals:
    """Notes when the last Deployment of a namespace was written, by a watch."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self.last = 0.0
        self.count = 0
        self._watch = Watch()
        self._apps = AppsV1Api(client)
        self._namespace = namespace
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        with suppress(HTTPError):  # the API server goes in the end
            for event in self._watch.stream(
                self._apps.list_namespaced_deployment, self._namespace, timeout_seconds=600
            ):
                if event["type"] == "ADDED":
                    self.last = time.perf_counter()
                    self.count += 1

    def stop(self) -> None:
        self._watch.stop()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks apply", description=__doc__)
    parser.add_argument("--apps", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3)
    flags = parser.parse_args(arguments)
    with ControlPlane() as control_plane, control_plane.make_client() as client:
        api = Api(client)
        operator = install(control_plane)
        with Scene(control_plane, api) as scene:
            system(scene)
            operator.start()
            until(lambda: operator.metric("fin_rounds_total", result="done"), "a round")
            at_rest = resident(operator)
            runs = [run(scene, operator, client, flags.apps) for _ in range(flags.runs)]
            apply(scene, flags.apps)
            ready(scene, flags.apps)
            until(lambda: settled(operator), "the rounds to end")
            loaded = resident(operator)
            peak = operator_status(operator, "VmHWM")
            operator.stop()
    report(runs, flags.apps, (at_rest, loaded, peak))


def install(control_plane: ControlPlane) -> Operator:
    """Install the CRDs, and an operator with the chart's rights."""
    control_plane.kubectl("apply", "-f", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    control_plane.kubectl("create", "namespace", NAMESPACE)
    rights = [obj for obj in render(control_plane) if obj["kind"] in RIGHTS]
    control_plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(rights))
    kubeconfig = control_plane.kubeconfig_for_service_account(NAMESPACE, RELEASE)
    return Operator(control_plane, kubeconfig, namespace=NAMESPACE)


def system(scene: Scene) -> None:
    """Make ten mobile nodes, six edge nodes, two in the cloud, their links and a model."""
    for index in range(10):
        scene.node(f"mobile-{index}", flops="200G", gflops_per_watt="1")
    for index in range(6):
        scene.node(f"edge-{index}", flops="400G", gflops_per_watt=f"{10 - index}")
    for index in range(2):
        scene.node(f"cloud-{index}", flops="2T", gflops_per_watt="20")
    scene.topology(scene.link("mobile", "edge"), scene.link("edge", "cloud", rtt="30ms"))
    scene.model()


def manifests(scene: Scene, count: int) -> list[Object]:
    """Return apps; every other one must keep its first block at its source."""
    made = []
    for index in range(count):
        obj = objects.app(
            f"app-{index}",
            scene.namespace,
            source=scene.name(f"mobile-{index % 10}"),
            rate=1 + index % 5,
            placement={"localBlocks": index % 2},
        )
        obj["metadata"].pop("uid")
        made.append(obj)
    return made


def apply(scene: Scene, count: int) -> float:
    """Apply apps with kubectl; return when that began."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests(scene, count)})
    began = time.perf_counter()
    scene.control_plane.kubectl("apply", "-f", "-", input=text)
    return began


def ready(scene: Scene, count: int) -> None:
    def all_ready() -> bool:
        apps = scene.api.list(kinds.APP, scene.namespace)
        conditions = (c for app in apps for c in app.get("status", {}).get("conditions", []))
        return sum((c["type"], c["status"]) == ("Ready", "True") for c in conditions) == count

    until(all_ready, "all apps to be Ready", timeout=300, pause=0.5)


def run(scene: Scene, operator: Operator, client: ApiClient, count: int) -> Run:
    """Measure once; the operator is up before and after."""
    with arrivals(client, scene.namespace) as arrived:
        began = apply(scene, count)
        kubectl = time.perf_counter() - began
        ready(scene, count)
        seconds = arrived.last - began
        deployments = arrived.count
    made = [one for kind in MADE for one in scene.api.list(kind, scene.namespace, LABEL)]
    made.sort(key=lambda one: str(one["metadata"]["labels"]["finoperator.io/app"]))
    bare = [stripped(one) for one in made]  # app by app, as the operator writes them
    clear(scene)
    operator.stop()
    one_by_one = asyncio.run(written(scene, bare, one_after_another))
    clear(scene)
    at_once = asyncio.run(written(scene, bare, all_at_once))
    clear(scene)
    operator.start()
    return Run(seconds, kubectl, one_by_one, at_once, deployments, len(bare))


LABEL = "app.kubernetes.io/managed-by=fin-operator"


@contextmanager
def arrivals(client: ApiClient, namespace: str) -> Iterator[Arrivals]:
    made = Arrivals(client, namespace)
    try:
        yield made
    finally:
        made.stop()


def stripped(obj: Object) -> Object:
    """Return an object as the operator wrote it, without an owner."""
    metadata = {
        key: obj["metadata"][key]
        for key in ("name", "namespace", "labels", "annotations")
        if key in obj["metadata"]
    }
    body: dict[str, Any] = {key: obj[key] for key in ("spec", "data") if key in obj}
    if obj["kind"] == "Service":
        body["spec"] = {key: obj["spec"][key] for key in ("type", "selector", "ports")}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata} | body


Write = Callable[[Kube, list[Object]], Awaitable[None]]


async def one_after_another(kube: Kube, objs: list[Object]) -> None:
    for obj in objs:
        await kube.create(kinds.kind_of(obj), obj)


async def all_at_once(kube: Kube, objs: list[Object]) -> None:
    await asyncio.gather(*(kube.create(kinds.kind_of(obj), obj) for obj in objs))


async def written(scene: Scene, objs: list[Object], write: Write) -> float:
    os.environ["KUBECONFIG"] = str(scene.control_plane.kubeconfig)
    async with Kube(await load_configuration(), lambda *_: None) as kube:
        await kube.list_all(kinds.NODE)  # connected
        began = time.perf_counter()
        await write(kube, objs)
        return time.perf_counter() - began


def clear(scene: Scene) -> None:
    """Delete all apps and all that was made, and wait until pods are gone too."""
    for kind in (kinds.APP, *MADE):
        for one in scene.api.list(kind, scene.namespace, "" if kind == kinds.APP else LABEL):
            scene.api.discard(kind, scene.namespace, one["metadata"]["name"])

    def empty() -> bool:
        return not any(scene.api.list(kind, scene.namespace, LABEL) for kind in (*MADE, kinds.POD))

    until(empty, "all to be gone", timeout=120, pause=0.5)


def settled(operator: Operator) -> bool:
    before = operator.metric("fin_rounds_total")
    time.sleep(3)
    return operator.metric("fin_rounds_total") == before


def resident(operator: Operator) -> float:
    return operator_status(operator, "VmRSS")


def operator_status(operator: Operator, field: str) -> float:
    """Return a size from the kernel, MiB."""
    lines = Path(f"/proc/{operator.pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{field}:"))
    return int(line.split()[1]) / 1024


def report(runs: list[Run], apps: int, memory: tuple[float, float, float]) -> None:
    median = statistics.median
    print(
        f"{apps} apps, {runs[0].deployments} Deployments, {runs[0].objects} objects; "
        f"medians of {len(runs)} runs (least to most)\n"
    )
    print("| | seconds | operator / this |")
    print("|---|---|---|")
    for name, values in (
        (
            "operator: from `kubectl apply` of the apps to the last Deployment written",
            [each.operator for each in runs],
        ),
        ("of that, `kubectl apply` itself", [each.kubectl for each in runs]),
        ("bare writes of the same objects, one after another", [each.one_by_one for each in runs]),
        (f"bare writes of the same objects, {PARALLEL} at once", [each.at_once for each in runs]),
    ):
        ratio = median(o.operator / v for o, v in zip(runs, values, strict=True))
        print(
            f"| {name} | {median(values):.2f} ({min(values):.2f} to {max(values):.2f}) "
            f"| {ratio:.2f} |"
        )
    print("\n| the operator's resident memory | MiB |")
    print("|---|---|")
    for name, size in zip(("at rest, no app", f"{apps} apps, Ready", "peak"), memory, strict=True):
        print(f"| {name} | {size:.0f} |")
    print()
