"""From a trained network to answers: measured, planned, rendered by the operator, and served."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tritonclient.grpc
import yaml

from fin.segment.exits import ExitRule
from testbed.ports import free_ports
from tests.helpers.segments import LOOPBACK, Segment, write

NETWORKS = Path(__file__).parents[2] / "examples/networks"
NAME = "digits-alexnet"
OBJECTS = """
apiVersion: v1
kind: Node
metadata:
  name: camera
  labels: {finoperator.io/tier: mobile, finoperator.io/flops: 10G, finoperator.io/gflops-per-watt: "0.5"}
status:
  allocatable: {cpu: "4", memory: 2Gi, pods: "10"}
---
apiVersion: v1
kind: Node
metadata:
  name: server
  labels: {finoperator.io/tier: edge, finoperator.io/flops: 100G, finoperator.io/gflops-per-watt: "50"}
status:
  allocatable: {cpu: "8", memory: 8Gi, pods: "10"}
---
apiVersion: finoperator.io/v1alpha1
kind: NetworkTopology
metadata: {name: default}
spec:
  links:
  - {from: {tier: mobile}, to: {tier: edge}, bandwidth: 50M, rtt: 4ms, energyPerBit: 20n}
---
apiVersion: finoperator.io/v1alpha1
kind: InferenceApp
metadata: {name: reader}
spec:
  model: digits-alexnet
  source: {nodeName: camera}
  rate: 20
  latency: {target: 50ms}
  minAccuracy: 0.98
  placement: {localBlocks: 1}
"""  # noqa: E501


def fin(*arguments: object) -> str:
    command = [sys.executable, "-m", "fin.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the measured model, its blocks, and what is planned with it."""
    directory = tmp_path_factory.mktemp("planned")
    (directory / "objects.yaml").write_text(OBJECTS)
    model = directory / "model.yaml"
    fin(
        *("profile", "model", NETWORKS / f"{NAME}.onnx", "--data", NETWORKS / "calibration.npz"),
        *("-o", model, "--blocks", directory / "blocks"),
    )
    return directory


def objects(directory: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    files = ("-f", directory / "model.yaml", "-f", directory / "objects.yaml")
    for each in yaml.safe_load_all(fin("plan", *files, "-o", "yaml")):
        found.setdefault(each["kind"], []).append(each)
    return found


@pytest.fixture(scope="module")
def segments(planned: Path) -> Iterator[list[Segment]]:
    """The segments that the operator would create, as processes here."""
    made = objects(planned)
    routes = json.loads(made["ConfigMap"][0]["data"]["routes.json"])
    started = []
    for deployment in made["Deployment"]:
        annotations = deployment["spec"]["template"]["metadata"]["annotations"]
        config = json.loads(annotations["finoperator.io/config"])
        config["artifact"] = {"path": str(planned / "blocks")}
        directory = planned / config["name"]
        directory.mkdir()
        http, grpc = free_ports(LOOPBACK, 2)
        names = [block["name"] for block in config["blocks"]]
        started.append(Segment(config["name"], names, directory, http, grpc))
        write(directory / "segment.json", config)
    ports = {segment.name: segment.http for segment in started}
    for way in routes["revisions"].values():
        for hop in way["hops"]:
            hop |= {"host": LOOPBACK, "http": ports[hop["segment"]]}
    try:
        for segment in started:
            write(segment.directory / "routes.json", routes)
            segment.start()
        for segment in started:
            segment.wait_ready()
        yield started
    finally:
        for segment in started:
            if segment.process and segment.process.poll() is None:
                segment.process.kill()
                segment.process.wait()


def expected(planned: Path, batch: Any) -> tuple[Any, list[str]]:
    """What the whole network answers, with the exits and thresholds that were measured."""
    spec = yaml.safe_load((planned / "model.yaml").read_text())["spec"]
    whole = onnxruntime.InferenceSession(NETWORKS / f"{NAME}.onnx")
    names = [output.name for output in whole.get_outputs()]
    outputs = dict(zip(names, whole.run(None, {"image": batch}), strict=True))
    logits, exits = np.zeros((len(batch), 10), np.float32), [""] * len(batch)
    there = np.ones(len(batch), bool)
    for leaving in (block["exit"] for block in spec["blocks"] if "exit" in block):
        rule = ExitRule(leaving.get("threshold"), leaving.get("criterion", "Confidence"))
        leaves = there & rule.leaves(outputs[leaving["output"]])
        # minAccuracy is met at exit2: there the plan cuts the model, and all leave.
        leaves = there if leaving["name"] == "exit2" else leaves
        logits[leaves] = outputs[leaving["output"]][leaves]
        for sample in np.flatnonzero(leaves):
            exits[sample] = leaving["name"]
        there = there & ~leaves
        if not there.any():
            break
    return logits, exits


def test_held_out_samples_through_the_planned_segments(
    planned: Path, segments: list[Segment]
) -> None:
    assert [segment.blocks for segment in segments] == [["conv1"], ["conv2"]]
    samples = np.load(NETWORKS / "heldout.npz")
    batch, labels = samples["inputs"].astype(np.float32), samples["labels"]
    with tritonclient.grpc.InferenceServerClient(f"{LOOPBACK}:{segments[0].grpc}") as client:
        given = tritonclient.grpc.InferInput("image", batch.shape, "FP32")
        result = client.infer(NAME, [given.set_data_from_numpy(batch)])
    logits, exits = expected(planned, batch)
    np.testing.assert_allclose(result.as_numpy("logits"), logits, rtol=1e-3, atol=1e-4)
    told = result.get_response().parameters["exits"].string_param.split(",")
    assert told == exits
    assert {*told} == {"exit1", "exit2"}
    accuracy = (result.as_numpy("logits").argmax(axis=1) == labels).mean()
    assert accuracy >= 0.96
    # The modelled energy is the plan's, but for the shares: those of these samples.
    went_on = told.count("exit2")
    files = ("-f", planned / "model.yaml", "-f", planned / "objects.yaml")
    (app,) = json.loads(fin("plan", *files, "-o", "json"))["apps"]
    spec = yaml.safe_load((planned / "model.yaml").read_text())["spec"]["blocks"]
    joules = [
        sum(segment.metric("fin_segment_energy_joules_total", component=component)
            for segment in segments)
        for component in ("compute", "network")
    ]  # fmt: skip
    share = 1 - spec[0]["exit"]["exitRate"]
    first = (spec[0]["flops"] + spec[0]["exit"]["flops"]) / 0.5e9
    behind = (app["computeEnergyJoules"] - first) / share
    assert joules[0] == pytest.approx(len(batch) * first + went_on * behind)
    assert joules[1] == pytest.approx(went_on * app["networkEnergyJoules"] / share)
