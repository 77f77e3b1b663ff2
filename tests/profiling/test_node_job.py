"""The Job that measures a node: the API server takes it, and it may change its own node alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from testbed import ControlPlane
from tests.profiling.conftest import EXAMPLES

TEMPLATE = EXAMPLES / "profiling/node.yaml"
NODES = ("worker-a", "worker-b.example")


def filled(node: str) -> str:
    text = TEMPLATE.read_text(encoding="utf-8")
    values = {"NODE": node, "TIER": "edge", "WATTS": "12", "ALLOCATABLE": "3800m", "REGISTRY": "r"}
    for word, value in values.items():
        text = text.replace(word, value)
    return text


@pytest.fixture
def applied(cluster: ControlPlane) -> ControlPlane:
    cluster.kubectl("create", "namespace", "fin-profile")
    strict = "pod-security.kubernetes.io/warn=restricted"
    cluster.kubectl("label", "namespace", "fin-profile", strict)
    for name in NODES:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        cluster.kubectl("apply", "-f", "-", input=yaml.safe_dump(node))
        done = cluster.kubectl("apply", "-f", "-", input=filled(name))
        assert "would violate PodSecurity" not in done.stderr
    return cluster


def test_a_job_labels_its_own_node_and_can_do_nothing_else(
    applied: ControlPlane, tmp_path: Path
) -> None:
    own, other = NODES
    account = applied.kubeconfig_for_service_account("fin-profile", own)
    patch = tmp_path / "patch.json"
    (measure,) = [
        each["spec"]["template"]["spec"]["initContainers"][0]["args"][0]
        for each in yaml.safe_load_all(filled(own))
        if each["kind"] == "Job"
    ]
    program, _, redirect = measure.removeprefix("fin ").partition(" > ")
    assert redirect == "/labels/patch.json"
    done = subprocess.run(
        [sys.executable, "-m", "fin.cli", *program.split(), "--duration", "200ms"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    patch.write_text(done.stdout, encoding="utf-8")
    command = ("patch", "node", "--type=merge", f"--patch-file={patch}")
    applied.kubectl(*command, own, kubeconfig=account)
    found = applied.kubectl("get", "node", own, "-o", "json").stdout
    labels = json.loads(found)["metadata"]["labels"]
    assert labels["finoperator.io/tier"] == "edge"
    assert {"finoperator.io/flops", "finoperator.io/gflops-per-watt"} <= labels.keys()
    refused = applied.kubectl(*command, other, kubeconfig=account, check=False)
    assert refused.returncode != 0
    assert "is forbidden" in refused.stderr
    forbidden = [("patch", f"node/{other}"), ("delete", f"node/{own}"), ("list", "pods")]
    for verb, what in forbidden:
        allowed = applied.kubectl("auth", "can-i", verb, what, kubeconfig=account, check=False)
        assert allowed.stdout.strip() == "no"


def test_the_job_runs_on_its_node_and_only_one_container_has_a_token(
    applied: ControlPlane,
) -> None:
    for name in NODES:
        found = applied.kubectl("get", "job", name, "-n", "fin-profile", "-o", "yaml").stdout
        spec = yaml.safe_load(found)["spec"]["template"]["spec"]
        (term,) = spec["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]["nodeSelectorTerms"]
        assert term["matchFields"][0]["values"] == [name]
        assert spec["automountServiceAccountToken"] is False
        mounts = {
            each["name"]: [mount["name"] for mount in each["volumeMounts"]]
            for each in (*spec["initContainers"], *spec["containers"])
        }
        assert mounts == {"measure": ["labels"], "label": ["labels", "token"]}
