"""The examples show what their README says they show."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import ControlPlane
from testbed.process import wait_for
from tests.cli.conftest import Fin

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
Report = dict[str, Any]


def read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / name).read_text(encoding="utf-8")))


@pytest.fixture
def report(fin: Fin) -> Report:
    result = fin("plan", "-f", EXAMPLES, "-o", "json")
    assert (result.exit_code, result.stderr) == (3, "")
    found: Report = json.loads(result.stdout)
    return found


@pytest.fixture
def without_edge_0(fin: Fin, tmp_path: Path) -> Report:
    nodes = [each for each in read("nodes.yaml") if each["metadata"]["name"] != "edge-0"]
    (tmp_path / "nodes.yaml").write_text(yaml.safe_dump_all(nodes), encoding="utf-8")
    others = [path for path in EXAMPLES.glob("*.yaml") if path.name != "nodes.yaml"]
    found: Report = json.loads(fin("plan", tmp_path, *others, "-o", "json").stdout)
    return found


def nodes_of(report: Report) -> dict[str, list[str]]:
    return {app["name"]: [segment["node"] for segment in app["segments"]] for app in report["apps"]}


def speed(report: Report, name: str, node: str) -> float:
    """FLOP/s that an app reserves on a node."""
    (app,) = [each for each in report["apps"] if each["name"] == name]
    return math.fsum(each["flopsPerSecond"] for each in app["segments"] if each["node"] == node)


def test_five_models_six_nodes_in_three_tiers_nine_apps() -> None:
    assert len(list(EXAMPLES.glob("*net*.yaml"))) == 5
    tiers = [each["metadata"]["labels"]["finoperator.io/tier"] for each in read("nodes.yaml")]
    assert sorted(tiers) == ["cloud"] * 2 + ["edge"] * 2 + ["mobile"] * 2
    assert len(read("apps.yaml")) == 9


def test_apps_are_cut_between_tiers_and_end_at_different_exits(report: Report) -> None:
    nodes = nodes_of(report)
    assert nodes["gate-camera"] == ["mobile-1", "edge-0"]
    assert nodes["wildlife-camera"] == ["mobile-0", "edge-0"]
    assert nodes["quality-line"] == nodes["traffic-counter"] == ["edge-0"]
    assert nodes["meter-reader"] == nodes["shelf-scanner"] == ["mobile-0"]
    exits = {app["name"]: app["exit"] for app in report["apps"]}
    assert exits["meter-reader"] == "early"
    assert exits["shelf-scanner"] == "exit2"
    assert exits["gate-camera"] == "final"
    assert exits["parcel-sorter"] == "after-25"


def test_apps_compete(report: Report, fin: Fin, tmp_path: Path) -> None:
    (edge,) = [node for node in report["nodes"] if node["name"] == "edge-0"]
    assert edge["computeUsed"] > 0.99
    name = "wildlife-camera"
    (app,) = [each for each in read("apps.yaml") if each["metadata"]["name"] == name]
    (tmp_path / "app.yaml").write_text(yaml.safe_dump(app), encoding="utf-8")
    others = [path for path in EXAMPLES.glob("*.yaml") if path.name != "apps.yaml"]
    alone: Report = json.loads(fin("plan", tmp_path, *others, "-o", "json").stdout)
    assert speed(report, name, "edge-0") < 0.6 * speed(alone, name, "edge-0")
    assert speed(report, name, "mobile-0") > speed(alone, name, "mobile-0")


def test_one_is_refused_with_a_telling_message(report: Report) -> None:
    (refused,) = [app for app in report["apps"] if not app["feasible"]]
    assert refused["name"] == "drone-pilot"
    assert refused["reason"] == "LatencyUnreachable"
    assert refused["message"] == "latency 147 ms at best, target 20 ms"


def test_without_an_edge_node_apps_move_and_keep_their_targets(
    report: Report, without_edge_0: Report
) -> None:
    before, after = nodes_of(report), nodes_of(without_edge_0)
    moved = {name for name in before if before[name] != after[name]}
    assert moved == {
        "crossing-watch",
        "gate-camera",
        "parcel-sorter",
        "quality-line",
        "traffic-counter",
        "wildlife-camera",
    }
    assert after["crossing-watch"] == ["edge-1"]
    assert after["quality-line"] == after["traffic-counter"] == ["cloud-0"]
    feasible = [app["name"] for app in without_edge_0["apps"] if app["feasible"]]
    assert len(feasible) == 8
    assert 8.5 < without_edge_0["totalPowerWatts"] / report["totalPowerWatts"] < 9.5


def test_every_object_says_where_its_numbers_come_from() -> None:
    for path in EXAMPLES.glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# "), path


def test_a_dump_of_a_cluster_with_the_examples_gives_the_same_plan(
    fin: Fin, cluster: ControlPlane, report: Report
) -> None:
    cluster.kubectl("apply", "-f", str(ROOT / "crds"))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all")
    cluster.kubectl("apply", "-f", str(EXAMPLES))
    names = [each["metadata"]["name"] for each in read("nodes.yaml")]
    cluster.kubectl("label", "nodes", *names, "testbed.finoperator.io/kubelet=kwok")
    cluster.kwok.wait_until_ready(*names)
    # A node is tainted not-ready for a moment longer than it is.
    wait_for(
        lambda: not any(n.spec and n.spec.taints for n in cluster.core.list_node().items),
        timeout=30,
        what="no node to be tainted",
    )
    kinds = "nodes,pods,services,dnnmodels,inferenceapps,networktopologies"
    for form in ("yaml", "json"):
        dump = cluster.kubectl("get", kinds, "-A", "-o", form).stdout
        result = fin("plan", "-f", "-", "-o", "json", stdin=dump)
        assert json.loads(result.stdout)["apps"] == report["apps"]


def test_exit_shares_of_one_exit_at_a_time_became_differences() -> None:
    (model,) = read("resnet-110.yaml")
    rates = [block["exit"].get("exitRate", 0) for block in model["spec"]["blocks"]]
    cumulated = [0.004, 0.287, 0.600, 0.709, 0.873, 0.914, 0.941]
    assert [sum(rates[: i + 1]) for i in range(7)] == pytest.approx(cumulated)
    multiply_adds = 0.442 + 84.93 + 83.76 + 83.76
    flops = sum(float(block["flops"].removesuffix("M")) for block in model["spec"]["blocks"])
    assert flops == pytest.approx(2 * multiply_adds, rel=1e-3)
