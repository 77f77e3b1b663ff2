"""`fin profile model`: from a trained network to a plan."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fin.api.dnnmodel import DNNModel
from fin.api.parsing import parse
from testbed import ControlPlane
from tests.cli.conftest import Fin

EXAMPLES = Path(__file__).parents[2] / "examples"
NETWORKS = EXAMPLES / "networks"
DATA = ("--data", NETWORKS / "calibration.npz")
OF_THE_EXTRA = ("onnx", "onnx_tool", "onnxruntime", "uniplot")


def test_a_network_becomes_a_model_that_is_planned_with(
    fin: Fin, tmp_path: Path, write: Callable[..., Path]
) -> None:
    model, blocks = tmp_path / "model.yaml", tmp_path / "blocks"
    found = fin(
        *("profile", "model", NETWORKS / "digits-alexnet.onnx", *DATA),
        *("--accuracy", "0.98", "--name", "digits", "-o", model, "--blocks", blocks),
    )
    assert (found.exit_code, found.stderr) == (0, "")
    assert " exit1  Confidence >= 0." in found.stdout
    assert "Accuracy against expected work: + found, x chosen" in found.stdout
    assert "359 samples, which also chose the thresholds." in found.stdout
    text = model.read_text(encoding="utf-8")
    assert text.startswith(
        "# Measured by `fin profile model` from digits-alexnet.onnx on 359 samples of "
        "calibration.npz.\n"
    )
    spec = parse(DNNModel, yaml.safe_load(text)).spec
    assert spec.blocks[-1].exit is not None
    assert spec.blocks[-1].exit.accuracy >= 0.98
    assert {path.stem for path in blocks.iterdir()} == {block.name for block in spec.blocks}
    app: dict[str, Any] = {
        "apiVersion": "finoperator.io/v1alpha1",
        "kind": "InferenceApp",
        "metadata": {"name": "reader"},
        "spec": {
            "model": "digits",
            "source": {"nodeName": "mobile-1"},
            "rate": 30,
            "latency": {"target": "20ms"},
            "minAccuracy": 0.95,
        },
    }
    others = [EXAMPLES / "nodes.yaml", EXAMPLES / "topology.yaml"]
    plan = fin("plan", "-f", model, write("app.yaml", [app]), *others, "-o", "json")
    assert (plan.exit_code, plan.stderr) == (0, "")
    (planned,) = json.loads(plan.stdout)["apps"]
    assert planned["feasible"]
    assert planned["accuracy"] >= 0.95


def test_the_api_server_takes_the_model(fin: Fin, cluster: ControlPlane, tmp_path: Path) -> None:
    model = tmp_path / "model.yaml"
    fin("profile", "model", NETWORKS / "digits-lenet.onnx", *DATA, "-o", model)
    cluster.kubectl("apply", "-f", str(EXAMPLES.parent / "crds"))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all")
    cluster.kubectl("apply", "-f", str(model))
    stored = cluster.kubectl("get", "dnnmodel", "digits-lenet", "-o", "json").stdout
    (written,) = yaml.safe_load_all(model.read_text(encoding="utf-8"))
    conv1, written_conv1 = json.loads(stored)["spec"]["blocks"][0], written["spec"]["blocks"][0]
    assert conv1["exit"]["threshold"] == written_conv1["exit"]["threshold"]
    assert conv1["exit"]["exitRate"] == written_conv1["exit"]["exitRate"]


def test_blocks_of_a_directory_give_the_same_as_the_whole(fin: Fin, tmp_path: Path) -> None:
    blocks = tmp_path / "digits-lenet"
    whole = fin("profile", "model", NETWORKS / "digits-lenet.onnx", *DATA, "--blocks", blocks)
    parts = fin("profile", "model", blocks, *DATA, "--criterion", "confidence")
    assert parts.exit_code == 0
    assert parts.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]


def test_entropy_is_a_criterion_too(fin: Fin, tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    found = fin(
        *("profile", "model", NETWORKS / "digits-lenet.onnx", *DATA),
        *("--criterion", "entropy", "-o", path),
    )
    assert " early  Entropy <= 0." in found.stdout
    (model,) = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    assert model["metadata"]["name"] == "digits-lenet"
    assert model["spec"]["blocks"][0]["exit"]["criterion"] == "Entropy"


def test_what_is_wrong_is_said_in_one_line(fin: Fin, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", inputs=np.zeros((2, 3)), labels=np.zeros(2, int))
    lenet = NETWORKS / "digits-lenet.onnx"
    for arguments, reason in (
        ((tmp_path / "none.onnx", *DATA), "none.onnx: No such file or directory"),
        ((lenet, "--data", tmp_path / "data.npz"), "inputs are 3 each, and the network takes 1 x"),
        ((lenet, *DATA, "--accuracy", "1"), "the best found is 0.98"),
        ((lenet, *DATA, "--cut", "nowhere"), "--cut nowhere: the network computes no such tensor"),
        ((lenet, *DATA, "--name", "A_B"), "--name A_B: must be lower-case letters"),
        ((lenet, *DATA, "-o", tmp_path), "must be a file in a directory that exists"),
        ((lenet, *DATA, "-o", tmp_path / "no/x"), "must be a file in a directory that exists"),
    ):
        result = fin("profile", "model", *arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")
        assert reason in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("missing", OF_THE_EXTRA)
def test_what_is_missing_is_named(missing: str) -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\nsys.modules[{missing!r}] = None\n"
            "sys.argv = ['fin', 'profile', 'model', 'x.onnx', '--data', 'y.npz']\n"
            "from fin.cli import main\nmain()\n",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    said = f"error: `fin profile model` needs {missing}, which is not installed: "
    assert result.stderr == said + "pip install 'fin-operator[profile]'\n"
