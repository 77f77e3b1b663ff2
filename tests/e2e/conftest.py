"""A cluster with real nodes, and an operator that helm has installed in it.

The cluster is the testbed's, or with ``--kubeconfig`` any other, whose tests are those that need
neither the machines below the nodes nor the network between them.
"""

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

from fin.api.names import GROUP, LABEL_TIER
from testbed.errors import TestbedError
from testbed.nodes.cluster import Cluster, check_machine
from testbed.nodes.sample import sample_cluster
from testbed.progress import Reporter
from tests.e2e.sites import ROOT, GivenSite, OwnSite, Site

CHART = str(ROOT / "helm" / "fin-operator")
EXAMPLES = ROOT / "examples" / "networks"
HELD_OUT = str((EXAMPLES / "heldout.npz").relative_to(ROOT))
"""Samples, where clients find them."""
APP, NETWORK = "digit-reader", "digits-alexnet"
RELEASE, NAMESPACE = "fin-operator", "fin-system"

Object = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add where the tests run, and where pictures of what was seen go, if any are wanted."""
    parser.addoption("--pictures", metavar="DIR", help="draw the dashboard into this directory")
    parser.addoption(
        "--kubeconfig",
        metavar="FILE",
        help="run in this cluster, which has the images and no fin-operator; else the testbed's",
    )
    parser.addoption(
        "--helm-set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a value for helm, such as where the cluster given by --kubeconfig finds the images",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let those come first that make a network of their own: a machine has one at a time."""
    here = Path(__file__).parent
    ours = [each for each in items if each.path.is_relative_to(here)]
    places = [at for at, each in enumerate(items) if each.path.is_relative_to(here)]
    ordered = sorted(ours, key=lambda item: "site" in getattr(item, "fixturenames", ()))
    for at, each in zip(places, ordered, strict=True):
        items[at] = each


def skip_unless_nodes_run() -> None:
    """Skip where this machine can't run nodes, and say why."""
    try:
        check_machine(Reporter())
    except TestbedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Three nodes: camera-0, gateway-0 and server-0."""
    if given := request.config.getoption("--kubeconfig", None):
        with GivenSite(given, request.config.getoption("--helm-set")) as found:
            yield found
        return
    skip_unless_nodes_run()
    with sample_cluster() as started:
        yield OwnSite(started)


@pytest.fixture(scope="session")
def cluster(site: Site) -> Cluster:
    """The testbed's cluster, for what no other lets a test do."""
    if not isinstance(site, OwnSite):
        pytest.skip(
            "only the testbed's nodes can be switched off or looked into, and only its links and "
            "its API server disturbed"
        )
    return site.cluster


@pytest.fixture(scope="session")
def operator(site: Site) -> Iterator[Site]:
    """The cluster with the operator in it, by helm."""
    install(site, "--create-namespace")
    yield site
    uninstall(site)


def install(site: Site, *arguments: str, command: str = "install", chart: str = CHART) -> None:
    """Let helm install the operator, or upgrade it, and wait until it is available."""
    values = [f"--set={each}" for each in site.values]
    place = f"--namespace={NAMESPACE}"
    site.helm(command, RELEASE, chart, place, "--wait", "--timeout=90s", *values, *arguments)


def uninstall(site: Site) -> None:
    """Remove the operator, its kinds and all that is of them, as far as they are there."""
    place = f"--namespace={NAMESPACE}"
    if RELEASE in site.helm("list", "--short", place).stdout.split():
        site.helm("uninstall", RELEASE, place, "--wait")
    kinds = site.kubectl("get", "crd", "-o", "name").stdout.split()
    if left := [each for each in kinds if each.endswith(GROUP)]:
        site.kubectl("delete", *left)
    site.kubectl("delete", f"namespace/{NAMESPACE}", "--ignore-not-found")


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
def reader(operator: Site, measured: Path) -> Iterator[Site]:
    """The cluster where the example app that reads digits is Ready, with a high rate.

    Two of its segments reserve more than the least then. With 10m the third would start for two
    minutes on a quick machine, and too long on a slow one.
    """
    segment = {"cpuMinimum": "50m"}
    with reading(operator, measured, segment, rate=200, latency={"target": "20ms"}):
        yield operator


@contextmanager
def reading(
    site: Site, measured: Path, segment: Object | None = None, **spec: Any
) -> Iterator[None]:
    """Apply the example that reads digits, and wait until its app is Ready.

    ``segment`` goes to the model's ``spec.segment``, ``spec`` to the app's.
    """
    kubectl = site.kubectl
    weights, model = _weights(measured / "blocks"), _model(measured, segment or {})
    kubectl("create", "-f", "-", input=json.dumps(weights))
    try:
        for each in (model, *_topology_and_app(spec)):
            kubectl("apply", "-f", "-", input=site.named(json.dumps(each)))
        await_ready(site)
        yield
    finally:
        # The kinds may be gone, if that was the test.
        kubectl("delete", f"inferenceapp/{APP}", f"dnnmodel/{NETWORK}", check=False)
        kubectl("delete", f"configmap/{NETWORK}")
        selector = f"--selector=finoperator.io/app={APP}"
        kubectl("wait", "pods", selector, "--for=delete", "--timeout=60s", timeout=90)


def await_ready(site: Site, app: str = APP) -> None:
    """Wait until an app is Ready; else fail with all that tells why it is not."""
    ready = ("wait", f"inferenceapp/{app}", "--for=condition=Ready", "--timeout=240s")
    if not site.kubectl(*ready, check=False, timeout=300).returncode:
        return
    looks = (
        ("describe", f"inferenceapp/{app}"),
        ("describe", "pods", f"--selector=finoperator.io/app={app}"),
        ("describe", "nodes", f"--selector={LABEL_TIER}"),
        ("logs", f"deployment/{RELEASE}", f"--namespace={NAMESPACE}", "--tail=100"),
    )
    told = (site.kubectl(*each, check=False).stdout for each in looks)
    pytest.fail("\n".join([f"{app} is not Ready", *told]), pytrace=False)


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
