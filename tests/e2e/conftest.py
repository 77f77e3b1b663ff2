"""A cluster with real nodes, and an operator that helm has installed in it."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.errors import TestbedError
from testbed.nodes.cluster import Cluster, check_machine
from testbed.nodes.sample import sample_cluster
from testbed.progress import Reporter

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "networks"
NETWORK = "digits-alexnet"
RELEASE, NAMESPACE = "fin-operator", "fin-system"

Object = dict[str, Any]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three nodes: camera-0, gateway-0 and server-0."""
    try:
        check_machine(Reporter())
    except TestbedError as error:
        pytest.skip(str(error))
    with sample_cluster() as started:
        yield started


@pytest.fixture(scope="session")
def operator(cluster: Cluster) -> Cluster:
    """The cluster with the operator in it, by helm."""
    cluster.control_plane.helm(
        "install", RELEASE, str(ROOT / "helm" / "fin-operator"), f"--namespace={NAMESPACE}",
        "--create-namespace", "--wait", "--timeout=90s",
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


@pytest.fixture(scope="session")
def reader(operator: Cluster, measured: Path) -> Iterator[Cluster]:
    """The cluster where the example app that reads digits is Ready."""
    kubectl = operator.control_plane.kubectl
    kubectl("create", "-f", "-", input=json.dumps(_weights(measured / "blocks")))
    model = yaml.safe_load((measured / "model.yaml").read_text())
    model["spec"].setdefault("segment", {})["artifact"] = {"configMap": {"name": NETWORK}}
    for each in (model, *_busy_reader()):
        kubectl("apply", "-f", "-", input=json.dumps(each))
    # A segment with a hundredth of a core takes a minute and a half to start.
    kubectl(
        "wait", "inferenceapp/digit-reader", "--for=condition=Ready", "--timeout=240s", timeout=300
    )
    yield operator
    kubectl("delete", "inferenceapp/digit-reader")


def _busy_reader() -> Iterator[Object]:
    """The example's topology, and its app with a rate for which it reserves more than the least."""
    for each in yaml.safe_load_all((EXAMPLES / "digit-reader.yaml").read_text()):
        if each["kind"] == "InferenceApp":
            each["spec"] |= {"rate": 200, "latency": {"target": "20ms"}}
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
