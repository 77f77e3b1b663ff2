"""The chart as the tests use it: rendered, installed and removed by the real helm."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from fin.api.names import GROUP
from testbed import ControlPlane
from testbed.process import wait_for
from testbed.versions import BINARIES

CHART = Path(__file__).parents[2] / "helm" / "fin-operator"
NAMESPACE = "fin-system"
RELEASE = "fin-operator"

Object = dict[str, Any]
Values = Mapping[str, Any]


def template(
    cluster: ControlPlane, values: Values, *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run `helm template` with values."""
    return cluster.helm(
        *("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", "-"),
        *("--kube-version", BINARIES["kube-apiserver"].version),
        input=json.dumps(values),
        check=check,
    )


def render(cluster: ControlPlane, values: Values | None = None) -> list[Object]:
    """Render the chart's objects."""
    documents = yaml.safe_load_all(template(cluster, values or {}).stdout)
    return [document for document in documents if document]


def one(objects: Iterable[Object], kind: str, name: str = RELEASE) -> Object:
    """Find the one object of a kind and name."""
    found = [x for x in objects if x["kind"] == kind and x["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects {kind} {name}"
    return found[0]


def install(
    cluster: ControlPlane, *args: str, values: Values | None = None, release: str = RELEASE
) -> None:
    """Install or upgrade a release and wait until the operator's pod is Ready."""
    cluster.helm(
        *("upgrade", "--install", release, str(CHART), "--namespace", NAMESPACE),
        *("--create-namespace", "--values", "-", "--wait", "--timeout", "60s", *args),
        input=json.dumps(values or {}),
    )


def crds(cluster: ControlPlane) -> set[str]:
    """Names of the project's CRDs that are there."""
    listed = cluster.kubectl("get", "crd", "-o", "name").stdout.split()
    return {one.partition("/")[2] for one in listed if one.endswith(f".{GROUP}")}


def settle(cluster: ControlPlane) -> None:
    """Wait until the API server can list what its CRDs define.

    It makes the storage of a kind anew when the CRD changes. A CRD that is deleted before that
    storage was first used may stay Terminating for minutes ("storage is (re)initializing").
    """
    kinds = ",".join(crds(cluster))
    if kinds:
        wait_for(
            lambda: cluster.kubectl("get", kinds, "-A", check=False).returncode == 0,
            timeout=30,
            what=f"{kinds} to be served",
        )


def uninstall(cluster: ControlPlane, release: str = RELEASE) -> None:
    """Uninstall a release and wait until its objects are gone."""
    settle(cluster)
    cluster.helm("uninstall", release, "--namespace", NAMESPACE, "--wait", "--timeout", "60s")
