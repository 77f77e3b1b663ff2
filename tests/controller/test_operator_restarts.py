"""Restarts and starts: nothing is lost, nothing that runs is touched."""

import random
import signal
import time
from pathlib import Path

import pytest
import yaml

from fin.controller import kinds
from testbed import ControlPlane
from testbed.process import wait_for
from tests.helpers.api import Api, until
from tests.helpers.chart import NAMESPACE
from tests.helpers.operator import Operator
from tests.helpers.scene import Scene


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_changes_nothing_that_runs(
    scene: Scene, operator: Operator, signum: signal.Signals
) -> None:
    scene.app("one")
    scene.app("two", minAccuracy=0.6)
    scene.settled("one")
    scene.settled("two")
    before = scene.touched("one", "two")
    status = [scene.get(name)["status"] for name in ("one", "two")]
    if signum == signal.SIGTERM:
        assert operator.stop() == 0
    else:
        operator.kill(scene.api)
    operator.start()
    until(lambda: operator.rounds > 0, "a round")
    assert scene.touched("one", "two") == before
    assert [scene.get(name)["status"] for name in ("one", "two")] == status


def test_killed_at_any_moment_it_converges_all_the_same(scene: Scene, operator: Operator) -> None:
    seed = random.randrange(1000)
    moments = random.Random(seed)
    apps = [f"app-{index}" for index in range(6)]
    for app in apps:
        scene.app(app)
    for _ in range(4):
        until(lambda: "lease: held" in operator.log, "the Lease")
        time.sleep(moments.uniform(0, 2))  # it plans a second after that, and writes at once
        operator.kill(scene.api)
        operator.start(ready=False)
    for app in apps:
        assert scene.settled(app) == ["edge-0"], f"seed {seed}"


def test_an_app_that_is_deleted_while_the_operator_is_off_goes_too(
    scene: Scene, operator: Operator
) -> None:
    scene.app("stays")
    scene.app("goes")
    scene.settled("stays")
    scene.settled("goes")
    before = scene.touched("stays")
    operator.stop()
    scene.api.delete(kinds.APP, scene.namespace, "goes")
    until(lambda: not scene.identities("goes"), "all objects of the app to be gone")
    operator.start()
    until(lambda: operator.rounds > 0, "a round")
    assert not scene.identities("goes")
    assert scene.touched("stays") == before


def test_what_changes_while_it_is_off_is_seen_when_it_starts(
    scene: Scene, operator: Operator
) -> None:
    scene.app()
    scene.settled()
    operator.stop()
    for one in scene.owned(kinds.DEPLOYMENT):
        scene.api.delete(kinds.DEPLOYMENT, scene.namespace, one["metadata"]["name"])
    scene.api.delete(kinds.NODE, "", scene.name("edge-0"))
    scene.app("newcomer")
    operator.start()
    scene.runs_on("edge-1")
    scene.runs_on("edge-1", name="newcomer")


def test_without_crds_it_waits_and_says_so(
    control_plane: ControlPlane, operator: Operator, api: Api
) -> None:
    crd = "networktopologies.finoperator.io"
    manifest = control_plane.kubectl("get", "crd", crd, "-o", "json").stdout
    control_plane.kubectl("delete", "crd", crd)
    operator.stop()
    operator.start(ready=False)
    until(lambda: "install the CRDs" in operator.log, "the operator to say what is missing")
    assert operator.probe("/readyz")[0] == 503
    assert operator.probe("/livez")[0] == 200
    control_plane.kubectl("create", "-f", "-", input=_bare(manifest))
    until(lambda: operator.probe("/readyz")[0] == 200, "the operator to be ready")


def _bare(manifest: str) -> str:
    obj = yaml.safe_load(manifest)
    obj.pop("status")
    for key in ("uid", "resourceVersion", "creationTimestamp", "generation"):
        obj["metadata"].pop(key)
    return str(yaml.safe_dump(obj))


def test_a_port_that_is_taken_is_said(
    control_plane: ControlPlane, operator_kubeconfig: Path, operator: Operator
) -> None:
    port = operator.log.split("metrics on port ")[1].split(",")[0]
    flags = ("--metrics-address", f"127.0.0.1:{port}")
    made = Operator(
        control_plane, operator_kubeconfig, namespace=NAMESPACE, name="clash", flags=flags
    )
    made.start(ready=False)
    wait_for(lambda: not made.running, 60, "the operator to end")
    assert "can't listen" in made.log
    assert "Traceback" not in made.log
