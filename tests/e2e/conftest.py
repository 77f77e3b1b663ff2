"""A cluster with real nodes, and an operator that helm has installed in it."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.errors import TestbedError
from testbed.nodes.cluster import Cluster, check_machine
from testbed.nodes.sample import sample_cluster
from testbed.progress import Reporter

ROOT = Path(__file__).parents[2]
CHART = str(ROOT / "helm" / "fin-operator")
EXAMPLES = ROOT / "examples" / "networks"
APP, NETWORK = "digit-reader", "digits-alexnet"
RELEASE, NAMESPACE = "fin-operator", "fin-system"

Object = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add where pictures of what was seen go; without it none are drawn."""
    parser.addoption("--pictures", metavar="DIR", help="draw the dashboard into this directory")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those come first that make a network of their own: a machine has one at a time."""
    here = Path(__file__).parent
    ours = [each for each in items if each.path.is_relative_to(here)]
    places = [at for at, each in enumerate(items) if each.path.is_relative_to(here)]
    ordered = sorted(ours, key=lambda item: "cluster" in getattr(item, "fixturenames", ()))
    for at, each in zip(places, ordered, strict=True):
        items[at] = each


def skip_unless_nodes_run() -> None:
    """Skip where this machine can't run nodes, and say why."""
    try:
        check_machine(Reporter())
    except TestbedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three nodes: camera-0, gateway-0 and server-0."""
    skip_unless_nodes_run()
    with sample_cluster() as started:
        yield started


@pytest.fixture(scope="session")
def operator(cluster: Cluster) -> Cluster:
    """The cluster with the operator in it, by helm."""
    cluster.control_plane.helm(
        "install", RELEASE, CHART, f"--namespace={NAMESPACE}", "--create-namespace", "--wait",
        "--timeout=90s",
    )  # fmt: skip
    return cluster


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `fin profile` measures of the example network: model.yaml, and its blocks."""
    place = tmp_path_factory.mktemp("measured")
    fin = Path(sys.executable).with_name("fin")
    subprocess.run(
        [
            str(fin), "profile", "model", str(EXAMPLES / f"{NETWORK}.onnx"),
            f"--data={EXAMPLES / 'calibration.npz'}", f"--output={place / 'model.yaml'}",
            f"--blocks={place / 'blocks'}",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return place


@pytest.fixture(scope="module")
def reader(operator: Cluster, measured: Path) -> Iterator[Cluster]:
    """The cluster where the example app that reads digits is Ready, with a high rate."""
    # It reserves more than the least then.
    with reading(operator, measured, rate=200, latency={"target": "20ms"}):
        yield operator


@contextmanager
def reading(
    cluster: Cluster, measured: Path, segment: Object | None = None, **spec: Any
) -> Iterator[None]:
    """Apply the example that reads digits, and wait until its app is Ready.

    ``segment`` goes to the model's ``spec.segment``, ``spec`` to the app's.
    """
    kubectl = cluster.control_plane.kubectl
    weights, model = _weights(measured / "blocks"), _model(measured, segment or {})
    kubectl("create", "-f", "-", input=json.dumps(weights))
    for each in (model, *_topology_and_app(spec)):
        kubectl("apply", "-f", "-", input=json.dumps(each))
    # A segment with a hundredth of a core takes a minute and a half to start.
    kubectl("wait", f"inferenceapp/{APP}", "--for=condition=Ready", "--timeout=240s", timeout=300)
    yield
    # The kinds may be gone, if that was the test.
    kubectl("delete", f"inferenceapp/{APP}", f"dnnmodel/{NETWORK}", check=False)
    kubectl("delete", f"configmap/{NETWORK}")
    selector = f"--selector=finoperator.io/app={APP}"
    kubectl("wait", "pods", selector, "--for=delete", "--timeout=60s", timeout=90)


def _model(measured: Path, segment: Object) -> Object:
    model: Object = yaml.safe_load((measured / "model.yaml").read_text())
    model["spec"]["segment"] = {"artifact": {"configMap": {"name": NETWORK}}, **segment}
    return model


def _topology_and_app(spec: Object) -> Iterator[Object]:
    for each in yaml.safe_load_all((EXAMPLES / "digit-reader.yaml").read_text()):
        if each["kind"] == "InferenceApp":
            each["spec"] |= spec
        if each["kind"] != "Node":
            yield each


def _weights(blocks: Path) -> Object:
    data = {
        file.name: base64.b64encode(file.read_bytes()).decode() for file in blocks.glob("*.onnx")
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NETWORK},
        "binaryData": data,
    }
