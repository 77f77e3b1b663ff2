"""`fin top`, `fin explain` and `fin whatif` on a live cluster."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fin.cli import app
from testbed import ControlPlane
from tests.helpers.scene import Scene

Fin = Callable[..., Result]


@pytest.fixture
def fin(control_plane: ControlPlane) -> Fin:
    """Run the program as the administrator of the cluster."""

    def run(*arguments: object, kubeconfig: Path = control_plane.kubeconfig) -> Result:
        env = {"KUBECONFIG": str(kubeconfig), "COLUMNS": "200"}
        result = CliRunner(env=env).invoke(app, [str(each) for each in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def row(output: str, name: str) -> str:
    """Return the row of a table that tells of something."""
    return next(line for line in output.splitlines() if name in line)


def test_top_shows_watts_latency_and_where(scene: Scene, fin: Fin) -> None:
    scene.app()
    scene.settled()
    plan = scene.get()["status"]["plan"]
    shown = row(fin("top", "-n", scene.namespace).stdout, "camera")
    assert "Serving" in shown
    assert plan["latency"].removesuffix("ms") in shown
    assert scene.name("edge-0") in shown
    assert row(fin("top", "-A").stdout, scene.namespace) == shown


def test_top_says_what_is_wrong(scene: Scene, fin: Fin) -> None:
    scene.app(minAccuracy=0.99999)
    scene.not_ready("AccuracyUnreachable", kind="Planned")
    assert "AccuracyUnreachable" in row(fin("top", "-n", scene.namespace).stdout, "camera")


def test_top_where_nothing_is(scene: Scene, fin: Fin) -> None:
    assert "No InferenceApps here" in fin("top", "-n", scene.namespace).stdout


def test_explain_says_what_else_there_is_and_what_limits_cost(scene: Scene, fin: Fin) -> None:
    scene.app()
    assert scene.settled() == ["edge-0"]
    result = fin("explain", "camera", "-n", scene.namespace)
    assert result.exit_code == 0
    assert f"on {scene.name('edge-0')}" in result.stdout.splitlines()[0]
    assert "+24.7 %" in row(result.stdout, f"all on {scene.name('edge-1')}")
    assert "LatencyUnreachable" in row(result.stdout, f"all on {scene.name('cloud-0')}")
    assert scene.name("cloud-0") in row(result.stdout, "any latency")


def test_explain_an_app_without_a_plan(scene: Scene, fin: Fin) -> None:
    scene.app(latency={"target": "1ms"})
    scene.not_ready("LatencyUnreachable", kind="Planned")
    result = fin("explain", "camera", "-n", scene.namespace)
    assert result.exit_code == 3
    assert "has no plan: LatencyUnreachable" in result.stdout
    assert "any latency" in result.stdout


def test_explain_what_is_not_there(scene: Scene, fin: Fin) -> None:
    result = fin("explain", "nobody", "-n", scene.namespace)
    assert result.exit_code == 2
    assert f"InferenceApp {scene.namespace}/nobody: there is none" in result.stderr


def test_whatif_a_node_is_gone(scene: Scene, fin: Fin) -> None:
    scene.app()
    scene.settled()
    before = scene.touched("camera")
    result = fin("whatif", "--delete", f"node/{scene.name('edge-0')}")
    assert result.exit_code == 0
    shown = row(result.stdout, "camera")
    assert "moves" in shown
    assert scene.name("edge-1") in shown
    assert scene.touched("camera") == before


def test_whatif_an_app_is_edited_and_another_comes(scene: Scene, fin: Fin, tmp_path: Path) -> None:
    live = scene.app()
    scene.settled()
    edited = {
        "apiVersion": live["apiVersion"],
        "kind": "InferenceApp",
        "metadata": {"name": "camera", "namespace": scene.namespace},
        "spec": {**live["spec"], "latency": {"target": "1ms"}},
    }
    new = {
        **edited,
        "metadata": {"name": "another", "namespace": scene.namespace},
        "spec": live["spec"],
    }
    file = tmp_path / "change.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [edited, new]}))
    result = fin("whatif", "-f", file)
    assert result.exit_code == 3
    assert "no plan: LatencyUnreachable" in row(result.stdout, "camera")
    assert "placed" in row(result.stdout, "another")
    assert scene.get()["spec"] == live["spec"]


def test_whatif_a_node_is_more_efficient(scene: Scene, fin: Fin, tmp_path: Path) -> None:
    """Its labels change; what it has and whether it is Ready is that of the live one."""
    scene.app()
    scene.settled()
    file = tmp_path / "node.json"
    labels = {"finoperator.io/gflops-per-watt": "40"}
    metadata = {"name": scene.name("edge-1"), "labels": labels}
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": metadata}))
    shown = row(fin("whatif", "-f", file).stdout, "camera")
    assert "moves" in shown
    assert scene.name("edge-1") in shown


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--delete", "node/nowhere"), "Node nowhere: the cluster has none"),
        (("--delete", "pickle/jar"), "must be KIND/NAME"),
        (("-f", "/no/such/file"), "can't be read"),
    ],
)
def test_whatif_nonsense(scene: Scene, fin: Fin, arguments: tuple[str, ...], reason: str) -> None:
    result = fin("whatif", *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr


def test_no_cluster(fin: Fin, tmp_path: Path) -> None:
    result = fin("top", kubeconfig=tmp_path / "missing")
    assert result.exit_code == 2
    assert "no cluster" in result.stderr


def test_a_user_without_rights(scene: Scene, fin: Fin, control_plane: ControlPlane) -> None:
    nobody = control_plane.kubeconfig_for_user("nobody")
    result = fin("top", "-A", kubeconfig=nobody)
    assert result.exit_code == 2
    assert "forbidden" in result.stderr
