"""A control plane for the chart's tests alone: they install and remove the cluster's CRDs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import ControlPlane
from tests.helpers.chart import NAMESPACE


@pytest.fixture(scope="session")
def chart_cluster() -> Iterator[ControlPlane]:
    with ControlPlane() as cluster:
        cluster.kwok.create_node("node-0")
        cluster.kubectl("create", "namespace", NAMESPACE)
        cluster.kubectl("apply", "-f", str(Path(__file__).with_name("monitoring-crds.yaml")))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield cluster
