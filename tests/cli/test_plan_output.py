"""What `fin plan` prints, and its exit status."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fin.cli.plan import Solver
from fin.planning.plan import AppPlan, Placement, Plan
from fin.planning.solvers import SOLVERS
from tests.cli.conftest import Fin
from tests.helpers import objects

Write = Callable[..., Path]
Small = list[dict[str, Any]]
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_all_planned_is_status_0(fin: Fin, write: Write, small: Small) -> None:
    result = fin("plan", "-f", write("a.yaml", small))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert "1 of 1 apps planned by fin" in result.stdout


def test_the_solvers_are_those_of_planning() -> None:
    assert {solver.value for solver in Solver} == set(SOLVERS)


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_every_solver_answers(fin: Fin, write: Write, small: Small, solver: str) -> None:
    result = fin("plan", "-f", write("a.yaml", small), "--solver", solver, "-o", "json")
    found = json.loads(result.stdout)
    assert found["solver"] == solver
    assert result.exit_code == (0 if found["apps"][0]["feasible"] else 3)


def test_json_is_as_documented(fin: Fin, write: Write, small: Small) -> None:
    small[-1]["spec"]["placement"] = {"localBlocks": 1}
    result = fin("plan", "-f", write("a.yaml", small), "-o", "json")
    found = json.loads(result.stdout)
    assert list(found) == [
        "solver",
        "totalPowerWatts",
        "lowerBoundWatts",
        "gap",
        "admissionProven",
        "apps",
        "nodes",
        "links",
    ]
    (app,) = found["apps"]
    assert list(app) == [
        "namespace",
        "name",
        "feasible",
        "reason",
        "message",
        "revision",
        "exit",
        "accuracy",
        "latencySeconds",
        "energyJoules",
        "computeEnergyJoules",
        "networkEnergyJoules",
        "powerWatts",
        "lowerBoundJoules",
        "segments",
        "routes",
    ]
    assert (app["namespace"], app["name"], app["feasible"]) == ("default", "camera", True)
    assert (app["exit"], app["accuracy"]) == ("final", 0.9)
    first, second = app["segments"]
    assert list(first) == ["name", "node", "blocks", "flopsPerSecond", "cpu", "memoryBytes"]
    assert (first["node"], first["blocks"]) == ("mobile-0", ["block1"])
    assert (second["node"], second["blocks"]) == ("edge-0", ["block2", "block3"])
    assert app["routes"] == [["mobile-0", "edge-0"]]
    # By hand: block and exit on the device, six tenths of 4 KiB over the link, two blocks there.
    compute = 11e6 * 1e-9 / 1.65 + 0.6 * 20e6 * 1e-9 / 6.7
    network = 0.6 * 8 * 4096 * 10e-9
    assert app["computeEnergyJoules"] == pytest.approx(compute)
    assert app["networkEnergyJoules"] == pytest.approx(network)
    assert app["energyJoules"] == pytest.approx(compute + network)
    assert app["powerWatts"] == pytest.approx(10 * (compute + network))
    assert found["totalPowerWatts"] == pytest.approx(app["powerWatts"])
    millicores = int(first["cpu"].removesuffix("m"))
    assert first["flopsPerSecond"] == pytest.approx(millicores * 12e9 / 1000)
    assert first["memoryBytes"] == 128 * 2**20 + 2**20 + 10 * 2**10
    assert app["latencySeconds"] <= 0.05
    edge = next(each for each in found["nodes"] if each["name"] == "edge-0")
    assert list(edge) == ["name", "tier", "computeUsed", "memoryUsed"]
    assert edge["tier"] == "edge"
    assert edge["computeUsed"] == pytest.approx(int(second["cpu"].removesuffix("m")) / 4000)
    used = {(each["from"], each["to"]): each["bandwidthUsed"] for each in found["links"]}
    assert used["mobile-0", "edge-0"] == pytest.approx(10 * 0.6 * 8 * 4096 / 100e6)
    assert used["edge-0", "mobile-0"] == 0


def test_an_app_without_a_plan_is_status_3_and_says_why(
    fin: Fin, write: Write, small: Small
) -> None:
    hasty = objects.app("hasty", latency={"target": "1us"})
    orphan = objects.app("orphan", model="missing")
    result = fin("plan", "-f", write("a.yaml", [*small, hasty, orphan]), "-o", "json")
    assert result.exit_code == 3
    apps = {each["name"]: each for each in json.loads(result.stdout)["apps"]}
    assert apps["camera"]["feasible"]
    assert apps["hasty"]["reason"] == "LatencyUnreachable"
    assert "at best, target 1" in apps["hasty"]["message"]
    assert apps["hasty"]["segments"] == apps["hasty"]["routes"] == []
    assert apps["hasty"]["energyJoules"] is None
    assert apps["orphan"]["reason"] == "ModelNotFound"
    assert list(apps["orphan"]) == list(apps["camera"])


def test_the_table_shows_plans_refusals_and_use(fin: Fin, write: Write, small: Small) -> None:
    small[-1]["spec"]["placement"] = {"localBlocks": 1}
    hasty = objects.app("hasty", "shop", latency={"target": "1us"})
    files = write("a.yaml", [*small, hasty, objects.model(namespace="shop")])
    result = fin("plan", "-f", files)
    assert result.exit_code == 3
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("default/camera final 90.0 %") for line in lines)
    assert any(line.startswith("default/camera mobile-0 mobile block1 ") for line in lines)
    assert any(line.startswith("edge-0 edge block2 - block3 ") for line in lines)
    assert any(line.startswith("shop/hasty LatencyUnreachable: latency ") for line in lines)
    assert any(line.startswith("mobile-0 -> edge-0 197 kbit/s 100 Mbit/s 0.2 %") for line in lines)
    assert lines[-1].startswith("1 of 2 apps planned by fin. Total power ")


def test_the_namespace_is_shown_only_where_there_are_several(
    fin: Fin, write: Write, small: Small
) -> None:
    assert "default/" not in fin("plan", "-f", write("a.yaml", small)).stdout


def test_a_file_or_a_pipe_gets_whole_lines_without_colours(
    fin: Fin, write: Write, small: Small
) -> None:
    small[-1]["metadata"]["name"] = "a-name-that-is-as-long-as-a-service-may-be-called-" + "x" * 13
    result = fin("plan", "-f", write("a.yaml", small), COLUMNS="40", TERM="xterm")
    assert "\x1b" not in result.stdout
    assert f" {small[-1]['metadata']['name']}  final" in result.stdout
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def test_the_examples_fit_into_100_columns(fin: Fin) -> None:
    assert max(map(len, fin("plan", "-f", EXAMPLES).stdout.splitlines())) <= 100


def test_a_terminal_gets_colours(write: Write, small: Small) -> None:
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "fin.cli", "plan", "-f", str(write("a.yaml", small))]
    env = {**os.environ, "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(command, stdout=writer, env=env) as process:
        os.close(writer)
        shown = b""
        try:
            while chunk := os.read(reader, 4096):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        os.close(reader)
    assert process.returncode == 0
    assert b"\x1b[1m" in shown


def test_yaml_is_what_the_operator_creates(fin: Fin, write: Write, small: Small) -> None:
    hasty = objects.app("hasty", latency={"target": "1us"})
    result = fin("plan", "-f", write("a.yaml", [*small, hasty]), "-o", "yaml")
    assert result.exit_code == 3
    assert "InferenceApp default/hasty: LatencyUnreachable" in result.stderr
    made = list(yaml.safe_load_all(result.stdout))
    deployments = [each for each in made if each["kind"] == "Deployment"]
    assert deployments
    for each in deployments:
        assert each["metadata"]["labels"]["finoperator.io/app"] == "camera"
        (container,) = each["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "fin-segment"
        assert container["resources"]["requests"] == container["resources"]["limits"]
    assert {each["kind"] for each in made} >= {"Deployment", "Service", "ConfigMap"}


def test_the_segment_image_is_part_of_names_and_objects(
    fin: Fin, write: Write, small: Small
) -> None:
    file = write("a.yaml", small)
    usual = json.loads(fin("plan", "-f", file, "-o", "json").stdout)
    other = json.loads(fin("plan", "-f", file, "-o", "json", "--segment-image", "x:1").stdout)
    assert usual["apps"][0]["revision"] != other["apps"][0]["revision"]
    assert "image: x:1" in fin("plan", "-f", file, "-o", "yaml", "--segment-image", "x:1").stdout


def test_the_result_does_not_depend_on_the_order_of_the_input(
    fin: Fin, write: Write, small: Small
) -> None:
    more = [objects.app(f"app-{i}", rate=20 + i) for i in range(3)]
    forward = write("forward.yaml", [*small, *more])
    backward = write("backward.yaml", [*more, *small][::-1])
    outputs = [fin("plan", "-f", file, "-o", "json").stdout for file in (forward, backward)]
    assert outputs[0] == outputs[1]


def test_pods_take_room(fin: Fin, write: Write, small: Small) -> None:
    busy = objects.pod("busy", "mobile-0", objects.container(cpu="995m"))
    small[-1]["spec"]["placement"] = {"tiers": ["mobile"]}
    result = fin("plan", "-f", write("a.yaml", [*small, busy]), "-o", "json")
    assert result.exit_code == 3
    assert fin("plan", "-f", write("b.yaml", small), "-o", "json").exit_code == 0


def test_what_is_left_out_is_a_warning(fin: Fin, write: Write, small: Small) -> None:
    partly = objects.node("edge-1")
    del partly["metadata"]["labels"]["finoperator.io/flops"]
    gone = objects.node("edge-2", ready=False)
    second = objects.topology("other", objects.link("edge", "mobile"))
    local = objects.model("local", artifact={"hostPath": {"path": "/models"}})
    file = write("a.yaml", [*small, partly, gone, second, local])
    result = fin("plan", "-f", file)
    assert result.exit_code == 0
    assert f"warning: {file}, document 6: Node edge-1: label finoperator.io/flops is missing" in (
        result.stderr
    )
    assert f"warning: {file}, document 7: Node edge-2: it is not Ready" in result.stderr
    assert "NetworkTopology other: spec.links[0]: spec.links[0] of default already" in result.stderr
    assert "DNNModel default/local: spec.segment.artifact.hostPath: " in result.stderr
    assert len(result.stderr.splitlines()) == 4


@pytest.mark.parametrize("flag", ["--gamma", "--tolerance", "--utilisation", "--time-limit"])
@pytest.mark.parametrize("value", ["-1", "0", "nan", "many", "inf"])
def test_flags_out_of_range_are_refused(
    fin: Fin, write: Write, small: Small, flag: str, value: str
) -> None:
    result = fin("plan", "-f", write("a.yaml", small), flag, value)
    assert result.exit_code == 2
    assert flag in result.stderr


def test_flags_reach_the_planner(fin: Fin, write: Write, small: Small) -> None:
    file = write("a.yaml", small)
    # A reservation carries its load over the utilisation: half of it, twice the CPU.
    small[-1]["spec"]["placement"] = {"tiers": ["mobile"]}
    small[-1]["spec"]["latency"] = {"target": "10s"}
    file = write("b.yaml", small)
    cpu = {}
    for utilisation in ("0.4", "0.8"):
        shown = fin("plan", "-f", file, "-o", "json", "--utilisation", utilisation).stdout
        cpu[utilisation] = int(json.loads(shown)["apps"][0]["segments"][0]["cpu"].rstrip("m"))
    assert cpu["0.4"] == pytest.approx(2 * cpu["0.8"], abs=2)
    assert fin("plan", "-f", file, "--gamma", "20", "--tolerance", "0.01").exit_code == 0


def test_something_must_be_named(fin: Fin) -> None:
    result = fin("plan")
    assert result.exit_code == 2
    assert "name at least one file" in result.stderr


def test_version(fin: Fin) -> None:
    assert fin("version").stdout.startswith("fin 0.")


def test_a_plan_that_breaks_a_constraint_is_not_shown(
    fin: Fin, write: Write, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Plan:
        return Plan("fin", (AppPlan(("default", "camera"), Placement((), ()), ()),), ())

    monkeypatch.setattr("fin.planning.solvers.SOLVERS", {"fin": broken})
    result = fin("plan", "-f", write("a.yaml", small))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: solver fin: its plan breaks a constraint")
