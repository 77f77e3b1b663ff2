"""The example that reads digits, on real nodes: placed, limited and answered as planned."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testbed.nodes.cluster import Cluster
from testbed.nodes.network import bytes_sent
from tests.e2e.conftest import EXAMPLES, NAMESPACE, NETWORK, RELEASE, ROOT

pytestmark = pytest.mark.timeout(900)

CLIENT = """
import sys
from pathlib import Path
from testbed.demo.client import ask
answers = ask(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
print(answers.accuracy, answers.seconds.mean(), len(answers.seconds))
"""


def app(cluster: Cluster) -> dict[str, Any]:
    got = cluster.control_plane.kubectl("get", "inferenceapp/digit-reader", "-o", "json")
    return dict(json.loads(got.stdout))


def pods(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The app's pods, by segment."""
    selector = "--selector=finoperator.io/app=digit-reader"
    got = json.loads(cluster.control_plane.kubectl("get", "pods", selector, "-o", "json").stdout)
    return {each["metadata"]["name"].rsplit("-", 2)[0]: each for each in got["items"]}


def test_the_operator_has_only_its_own_rights(operator: Cluster) -> None:
    got = operator.control_plane.kubectl(
        "get", f"deployment/{RELEASE}", "-n", NAMESPACE, "-o", "json"
    )
    spec = json.loads(got.stdout)["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == RELEASE
    assert json.loads(got.stdout)["status"]["readyReplicas"] == 1


def test_segments_are_where_the_plan_says_and_limited_as_it_says(reader: Cluster) -> None:
    planned, found = app(reader)["status"]["plan"]["segments"], pods(reader)
    assert {each["nodeName"] for each in planned} == {"camera-0", "gateway-0", "server-0"}
    for segment in planned:
        pod = found[segment["name"]]
        assert pod["spec"]["nodeName"] == segment["nodeName"]
        group = reader.nodes[segment["nodeName"]].network.namespace
        inside = f"{group}/kubepods/pod{pod['metadata']['uid']}"
        cpu, memory = (Path("/sys/fs/cgroup") / kind / inside for kind in ("cpu", "memory"))
        quota = int((cpu / "cpu.cfs_quota_us").read_text())
        assert quota == 100 * int(segment["cpu"].removesuffix("m"))
        limit = int((memory / "memory.limit_in_bytes").read_text())
        kib = int(segment["memory"].removesuffix("Ki"))
        assert 0 <= 1024 * kib - limit < 4096  # the kernel counts in pages


def test_the_source_is_answered_through_the_apps_service(reader: Cluster) -> None:
    """By an unchanged client on the camera; what must go on does so over the planned link."""
    address = reader.control_plane.kubectl(
        "get", "service/digit-reader", "-o", "jsonpath={.spec.clusterIP}"
    ).stdout
    camera, gateway = (reader.nodes[name].network for name in ("camera-0", "gateway-0"))
    before = bytes_sent(camera), bytes_sent(gateway)
    result = subprocess.run(
        [
            "ip", "netns", "exec", camera.namespace, sys.executable, "-c", CLIENT,
            f"{address}:9000", NETWORK, str(EXAMPLES / "heldout.npz"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    accuracy, _, count = map(float, result.stdout.split())
    assert accuracy == pytest.approx(app(reader)["status"]["plan"]["accuracy"], abs=0.03)
    # A seventh goes on to the gateway: 2 KiB each.
    assert bytes_sent(camera) - before[0] > 0.05 * count * 2048
    assert bytes_sent(gateway) > before[1]


def test_uninstalling_leaves_the_apps_running(reader: Cluster) -> None:
    reader.control_plane.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    assert all(each["status"]["containerStatuses"][0]["ready"] for each in pods(reader).values())
    assert app(reader)["status"]["plan"]["segments"]
