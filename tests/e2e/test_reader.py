"""The example that reads digits, on real nodes: placed, limited and answered as planned."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import yaml

from fin.api import Quantity
from fin.segment.exits import confidence
from testbed.nodes.cluster import Cluster
from testbed.nodes.network import bytes_sent
from testbed.process import wait_for
from tests.e2e.breaking import uids
from tests.e2e.conftest import APP, HELD_OUT, NAMESPACE, NETWORK, RELEASE, install
from tests.e2e.promised import from_source, get, pods
from tests.e2e.sites import ROOT, Site
from tests.helpers.api import condition

pytestmark = pytest.mark.timeout(900)

CLIENT = """
import sys
from pathlib import Path
from testbed.demo.client import ask
answers = ask(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
print(answers.accuracy, answers.seconds.mean(), len(answers.seconds))
"""


BOTH_CLIENTS = """
import json, sys
from pathlib import Path
import numpy, tritonclient.grpc, tritonclient.http
address, model, samples = sys.argv[1:]
inputs = numpy.load(samples)["inputs"]
seen = {}
for name, module, port in ("grpc", tritonclient.grpc, 9000), ("http", tritonclient.http, 8080):
    with module.InferenceServerClient(f"{address.partition(':')[0]}:{port}") as client:
        seen[name] = []
        for sample in inputs:
            given = module.InferInput("image", [1, *sample.shape], "FP32")
            given.set_data_from_numpy(sample[None])
            told = client.infer(model, [given]).get_response()
            left = told["parameters"]["exits"] if name == "http" else told.parameters["exits"]
            seen[name].append(left if name == "http" else left.string_param)
json.dump(seen, sys.stdout)
"""


LIMITS = """
cd /sys/fs/cgroup
cat cpu.max memory.max 2>/dev/null ||
cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes
"""
"""Of control groups of version 2, or of 1."""


def test_the_operator_has_only_its_own_rights(operator: Site) -> None:
    got = operator.kubectl("get", f"deployment/{RELEASE}", "-n", NAMESPACE, "-o", "json")
    spec = json.loads(got.stdout)["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == RELEASE
    assert json.loads(got.stdout)["status"]["readyReplicas"] == 1


def test_segments_are_where_the_plan_says_and_limited_as_it_says(reader: Site) -> None:
    planned, found = get(reader, APP)["status"]["plan"]["segments"], pods(reader, APP)
    assert {each["nodeName"] for each in planned} == set(reader.nodes.values())
    for segment in planned:
        pod = found[segment["name"]]
        assert pod["spec"]["nodeName"] == segment["nodeName"]
        cores, memory = limits(reader, pod)
        assert cores == pytest.approx(float(Quantity.parse(segment["cpu"])))
        # The kernel counts in pages.
        assert 0 <= float(Quantity.parse(segment["memory"])) - memory < 4096


def test_the_source_is_answered_through_the_apps_service(reader: Site) -> None:
    """By an unchanged client on the camera."""
    accuracy, _ = ask(reader)
    assert accuracy == pytest.approx(get(reader, APP)["status"]["plan"]["accuracy"], abs=0.03)


def test_what_goes_on_crosses_the_planned_link(cluster: Cluster, reader: Site) -> None:
    camera, gateway = (cluster.nodes[name].network for name in ("camera-0", "gateway-0"))
    before = bytes_sent(camera), bytes_sent(gateway)
    _, count = ask(reader)
    # A seventh goes on to the gateway: 2 KiB each.
    assert bytes_sent(camera) - before[0] > 0.05 * count * 2048
    assert bytes_sent(gateway) > before[1]


def test_samples_leave_where_their_confidence_says_over_http_and_grpc(
    reader: Site, measured: Path
) -> None:
    seen = json.loads(from_source(reader, APP, BOTH_CLIENTS, NETWORK, HELD_OUT))
    assert seen["http"] == seen["grpc"]
    first = yaml.safe_load((measured / "model.yaml").read_text())["spec"]["blocks"][0]
    session = onnxruntime.InferenceSession(
        str(measured / "blocks" / f"{first['name']}.onnx"), providers=["CPUExecutionProvider"]
    )
    (given,) = (each.name for each in session.get_inputs())
    with np.load(ROOT / HELD_OUT, allow_pickle=False) as arrays:
        images = arrays["inputs"]
    (logits,) = session.run([first["exit"]["output"]], {given: images})
    sure = confidence(logits) >= first["exit"]["threshold"]
    assert [each == first["exit"]["name"] for each in seen["grpc"]] == sure.tolist()


def test_an_upgrade_leaves_the_segments_alone(reader: Site) -> None:
    before = uids(pods(reader, APP))
    install(reader, "--reset-then-reuse-values", "--set=observing.every=10s", command="upgrade")
    wait_for(lambda: is_ready(reader), 60, "the app to be Ready")
    assert uids(pods(reader, APP)) == before


def test_uninstalling_leaves_the_apps_running(reader: Site) -> None:
    reader.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    running = pods(reader, APP).values()
    assert all(each["status"]["containerStatuses"][0]["ready"] for each in running)
    assert get(reader, APP)["status"]["plan"]["segments"]


def test_installing_again_takes_them_over(reader: Site) -> None:
    before = uids(pods(reader, APP))
    install(reader, "--set=crds.keep=false")
    wait_for(lambda: is_ready(reader), 60, "the app to be Ready")
    assert uids(pods(reader, APP)) == before


def test_uninstalling_without_keeping_the_kinds_removes_all(reader: Site) -> None:
    reader.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--wait")
    wait_for(lambda: not pods(reader, APP), 90, "the segments to be gone")
    left = reader.kubectl("get", "crd", "-o", "name").stdout
    assert "finoperator.io" not in left


def ask(site: Site) -> tuple[float, float]:
    """Return the accuracy of the answers to all samples, and how many these are."""
    accuracy, _, count = map(float, from_source(site, APP, CLIENT, NETWORK, HELD_OUT).split())
    return accuracy, count


def limits(site: Site, pod: dict[str, Any]) -> tuple[float, int]:
    """Return the cores and the bytes of a container, as its control group has them."""
    told = site.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", LIMITS).stdout
    quota, period, memory = map(int, told.split())
    return quota / period, memory


def is_ready(site: Site) -> bool:
    return condition(get(site, APP), "Ready").get("status") == "True"
