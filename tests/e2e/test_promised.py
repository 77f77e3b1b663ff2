"""Promised against measured: latency, CPU, exits and bytes of an app whose blocks do work."""

import base64
import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import yaml

from fin.api import Duration, Quantity
from fin.segment.exits import confidence
from testbed.nodes.cluster import Cluster
from testbed.nodes.sample import NODES
from testbed.process import wait_for
from tests.e2e import heavy
from tests.e2e.conftest import EXAMPLES, await_ready
from tests.e2e.promised import Run, get, pods, run
from tests.e2e.sites import OwnSite, Site

pytestmark = pytest.mark.timeout(900)

APP, MODEL, COUNT = "watcher", "heavy", 200
QUICK, RATE, TARGETS = 220e9, 4.0, {"Periodic": 0.2, "Poisson": 0.3}
"""For a core that reaches so many FLOP/s: inferences/s, and seconds; for a slower one as much less
and more. With these neither app reserves the least that carries its load: a core that is a little
slower than measured would be overloaded then, at whatever latency."""

FIN = Path(sys.executable).with_name("fin")


@dataclass(frozen=True)
class Watcher:
    """The app where it runs; ``speed`` is what a core reaches with its model, FLOP/s."""

    site: OwnSite
    samples: Path
    model: dict[str, Any]
    speed: float

    @property
    def rate(self) -> float:
        """Inferences/s that the app asks for."""
        return round(RATE * self.speed / QUICK, 2)

    def target(self, arrivals: str) -> str:
        """Return the latency that it asks for where requests arrive so."""
        return f"{1000 * TARGETS[arrivals] * QUICK / self.speed:.0f}ms"


@pytest.fixture(scope="module")
def watcher(
    cluster: Cluster, operator: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watcher]:
    """Measure network and machine as a user would, and apply what that gives."""
    place = tmp_path_factory.mktemp("heavy")
    network, samples = heavy.write(place)
    fin("profile", "model", str(network), f"--data={samples}", f"--output={place / 'model.yaml'}",
        f"--blocks={place / 'blocks'}")  # fmt: skip
    model = yaml.safe_load((place / "model.yaml").read_text())
    let_half_leave(model, place / "blocks", samples)
    speed = core_speed(network)
    assert isinstance(operator, OwnSite)
    kubectl = operator.kubectl
    for node in NODES:
        reached = speed * node.size.millicores / 1000
        kubectl("label", "--overwrite", f"node/{node.name}", f"finoperator.io/flops={reached:.0f}")
    files = {
        each.name: base64.b64encode(each.read_bytes()).decode()
        for each in (place / "blocks").glob("*.onnx")
    }
    weights = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MODEL}}
    kubectl("create", "-f", "-", input=json.dumps({**weights, "binaryData": files}))
    model["spec"]["segment"] = {
        "artifact": {"configMap": {"name": MODEL}},
        "cpuMinimum": "100m",
    }
    for each in (model, topology()):
        kubectl("apply", "-f", "-", input=json.dumps(each))
    yield Watcher(operator, samples, model, speed)
    remove(operator)
    kubectl("delete", f"dnnmodel/{MODEL}", f"configmap/{MODEL}")
    for node in NODES:
        labels = [f"{key}={value}" for key, value in node.labels.items()]
        kubectl("label", "--overwrite", f"node/{node.name}", *labels)


def fin(*arguments: str) -> str:
    return subprocess.run([FIN, *arguments], check=True, capture_output=True, text=True).stdout


def let_half_leave(model: dict[str, Any], blocks: Path, samples: Path) -> None:
    """Raise the first exit's threshold to the median of what its classifier says."""
    import onnxruntime

    first = model["spec"]["blocks"][0]
    session = onnxruntime.InferenceSession(
        str(blocks / f"{first['name']}.onnx"), providers=["CPUExecutionProvider"]
    )
    with np.load(samples, allow_pickle=False) as arrays:
        images = arrays["inputs"]
    output = first["exit"]["output"]
    (given,) = (each.name for each in session.get_inputs())
    sure = [confidence(session.run([output], {given: each[None]})[0])[0] for each in images]
    threshold = float(np.median(sure))
    first["exit"] |= {
        "threshold": threshold,
        "exitRate": float(np.mean(np.asarray(sure) >= threshold)),
    }


def core_speed(network: Path) -> float:
    """What a core reaches with this network where requests come one by one, FLOP/s."""
    patch = fin("profile", "node", "any", f"--network={network}", "--cpus=1", "--allocatable=1",
                "--duration=20s", f"--pause={1000 / RATE:.0f}ms", "--watts=10", "--tier=any",
                "--output=patch")  # fmt: skip
    labels = json.loads(patch)["metadata"]["labels"]
    return float(Quantity.parse(labels["finoperator.io/flops"]))


def topology() -> dict[str, Any]:
    objects = yaml.safe_load_all((EXAMPLES / "digit-reader.yaml").read_text())
    (found,) = (each for each in objects if each["kind"] == "NetworkTopology")
    return dict(found)


def place(watcher: Watcher, arrivals: str) -> None:
    """Let the app be planned anew, for requests that arrive so, and wait until it serves."""
    remove(watcher.site)
    watcher.site.kubectl("apply", "-f", "-", input=json.dumps(app(watcher, arrivals)))
    await_ready(watcher.site, APP)


def remove(site: Site) -> None:
    """Delete the app, and wait until it takes no room any more."""
    site.kubectl("delete", "--ignore-not-found", f"inferenceapp/{APP}")
    wait_for(lambda: not pods(site, APP), 120, "the last app's pods to be gone")


def app(watcher: Watcher, arrivals: str) -> dict[str, Any]:
    """An app that needs the last exit."""
    accuracy = [block["exit"]["accuracy"] for block in watcher.model["spec"]["blocks"]]
    assert accuracy[0] < accuracy[1]
    return {
        "apiVersion": "finoperator.io/v1alpha1",
        "kind": "InferenceApp",
        "metadata": {"name": APP},
        "spec": {
            "model": MODEL,
            "source": {"nodeName": "camera-0"},
            "rate": str(watcher.rate),
            "arrivals": arrivals,
            "latency": {"target": watcher.target(arrivals)},
            "minAccuracy": accuracy[1],
            "placement": {"localBlocks": 1, "tiers": ["camera", "gateway"]},
        },
    }


def arrivals(kind: str, rate: float) -> list[float]:
    if kind == "periodic":
        return [each / rate for each in range(COUNT)]
    random, at, found = Random(7), 0.0, []
    for _ in range(COUNT):
        found.append(at)
        at += random.expovariate(rate)
    return found


@pytest.mark.parametrize("kind", ["periodic", "poisson"])
def test_what_was_promised_is_measured(
    watcher: Watcher, kind: str, record_property: Callable[[str, object], None]
) -> None:
    place(watcher, kind.capitalize())
    seen = run(watcher.site, APP, watcher.samples, MODEL, arrivals(kind, watcher.rate))
    plan = get(watcher.site, APP)["status"]["plan"]
    found = compared(watcher, plan, seen)
    for name, (promised, measured) in found.items():
        record_property(name, f"{promised:.4g} promised, {measured:.4g} measured")
        print(f"{kind:9} {name:34} {promised:10.4g} {measured:10.4g} {measured / promised:7.3f}")
    print([(each["nodeName"], each["cpu"]) for each in plan["segments"]], seen.cpu)
    promised, measured = found["latency, s"]
    assert measured <= 1.1 * promised
    # 4 % more with nothing else to do, 21 % beside the rest of the tests: a shared core's speed
    # varies by more than what is to be found out.
    promised, measured = found["CPU per inference, s"]
    assert 0.7 * promised <= measured <= 1.5 * promised
    promised, measured = found["bytes from the camera per inference"]
    assert measured == pytest.approx(promised, rel=0.1)
    promised, measured = found["share that leaves early"]
    assert measured == pytest.approx(promised, abs=2 * math.sqrt(0.25 / COUNT))


def compared(watcher: Watcher, plan: dict[str, Any], seen: Run) -> dict[str, tuple[float, float]]:
    """Each figure as promised and as measured."""
    first, second = watcher.model["spec"]["blocks"]
    leave = first["exit"]["exitRate"]
    flop = sum(float(Quantity.parse(each)) for each in (first["flops"], first["exit"]["flops"]))
    later = sum(float(Quantity.parse(each)) for each in (second["flops"], second["exit"]["flops"]))
    crossing = float(Quantity.parse(first["outputBytes"]))
    left = next(iter(seen.exits[each] for each in seen.exits if each.startswith("stage1")), 0)
    return {
        "latency, s": (float(Duration.parse(plan["latency"])), seen.mean),
        "CPU per inference, s": (
            (flop + (1 - leave) * later) / watcher.speed,
            sum(seen.cpu.values()) / COUNT,
        ),
        "bytes from the camera per inference": (
            (1 - leave) * crossing,
            seen.sent["camera-0"] / COUNT,
        ),
        "share that leaves early": (leave, left / COUNT),
    }
