"""What is read of the cluster, and what wakes the planner, on the real API server."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from fin.api.names import API_VERSION
from fin.cluster.snapshot import Snapshot
from fin.controller import kinds, watching
from fin.controller.connection import load_configuration
from fin.controller.kube import Kube
from fin.controller.selectors import OURS, WATCHED
from fin.controller.snapshots import UnknownKindError, take_snapshot
from fin.controller.watching import Watches
from testbed import ControlPlane
from testbed.process import wait_for
from tests.controller.conftest import WithKube
from tests.helpers import objects

Object = Mapping[str, Any]
LABELS = {"app.kubernetes.io/managed-by": "fin-operator"}


def by_name(found: tuple[Object, ...], area: str) -> dict[str, Object]:
    return {
        each["metadata"]["name"]: each
        for each in found
        if each["metadata"].get("namespace") == area
    }


def test_of_others_objects_only_the_metadata_is_read(
    with_kube: WithKube[Snapshot], area: str, control_plane: ControlPlane
) -> None:
    app = objects.app(namespace=area)
    app["metadata"].pop("uid")
    made = control_plane.kubectl("create", "-f", "-", "-o", "json", input=_yaml(app)).stdout
    uid = yaml.safe_load(made)["metadata"]["uid"]
    owner = {"apiVersion": API_VERSION, "kind": "InferenceApp", "name": "camera", "uid": uid}
    metas: dict[str, Any] = {
        "ours": {"labels": LABELS},
        "stripped": {"ownerReferences": [owner]},
        "others": {},
    }
    ports = {"ports": [{"port": 80}]}
    bodies: dict[str, Any] = {"ConfigMap": {"data": {"a": "b"}}, "Service": {"spec": ports}}
    for name, meta in metas.items():
        for kind, body in bodies.items():
            obj = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **meta}} | body
            control_plane.kubectl("create", "-n", area, "-f", "-", input=_yaml(obj))
    snapshot = with_kube(take_snapshot)
    configs, services = by_name(snapshot.configmaps, area), by_name(snapshot.services, area)
    assert set(configs) >= set(metas)
    for found, field in ((configs, "data"), (services, "spec")):
        assert [field in found[name] for name in metas] == [True, True, False]
        assert {found[name]["kind"] for name in metas} <= {"ConfigMap", "Service"}


def test_of_our_deployments_it_is_read_what_others_wrote(
    with_kube: WithKube[Snapshot], area: str, control_plane: ControlPlane
) -> None:
    async def write(kube: Kube) -> Snapshot:
        container = {"name": "segment", "image": "none"}
        labels = {"a": "b"}
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "d", "namespace": area, "labels": LABELS},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
        await kube.apply(kinds.DEPLOYMENT, deployment)
        await asyncio.to_thread(
            control_plane.kubectl, "set", "env", "deployment/d", "A=B", "-n", area
        )
        return await take_snapshot(kube)

    (found,) = by_name(with_kube(write).deployments, area).values()
    managers = {entry["manager"] for entry in found["metadata"]["managedFields"]}
    assert "fin-operator" not in managers
    assert "kubectl-set" in managers


def test_names_of_images_are_left_out(
    with_kube: WithKube[Snapshot], control_plane: ControlPlane
) -> None:
    control_plane.kwok.create_node("full-of-images")
    try:
        snapshot = with_kube(take_snapshot)
        (node,) = [one for one in snapshot.nodes if one["metadata"]["name"] == "full-of-images"]
        assert "images" not in node["status"]
        assert "managedFields" not in node["metadata"]
    finally:
        control_plane.core.delete_node("full-of-images")


def test_missing_crds_are_named(
    with_kube: WithKube[Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds.APP.__class__, "path", lambda kind, *_: f"/apis/none.io/v1/{kind}")
    with pytest.raises(UnknownKindError, match="install the CRDs"):
        with_kube(take_snapshot)


class Woken:
    """Counts what the watches tell."""

    def __init__(self, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
        self.times = 0
        self.restarts = 0
        self.configuration = asyncio.run(load_configuration())
        self.watches = Watches(self.configuration, self._wake, self._restart)

    def _wake(self) -> None:
        self.times += 1

    def _restart(self) -> None:
        self.restarts += 1

    def by(self, change: Callable[[], object]) -> None:
        """See that a change wakes."""
        before = self.times
        change()
        wait_for(lambda: self.times > before, 30, "the watches to wake the planner")

    def settle(self) -> None:
        """Wait until all watches run and nothing more is told."""
        wait_for(lambda: self.watches.silent_for < 1, 30, "the watches to run")
        quiet_since, times = time.monotonic(), self.times
        while time.monotonic() - quiet_since < 0.5:
            if self.times != times:
                quiet_since, times = time.monotonic(), self.times
            time.sleep(0.02)


@pytest.fixture
def woken(
    control_plane: ControlPlane, crds: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Woken]:
    made = Woken(control_plane, monkeypatch)
    made.watches.start()
    made.settle()
    yield made
    made.watches.stop()


def test_changes_wake_and_noise_does_not(
    woken: Woken, area: str, control_plane: ControlPlane
) -> None:
    kubectl = control_plane.kubectl
    obj = {**objects.app(namespace=area)}
    obj["metadata"].pop("uid")
    woken.by(lambda: kubectl("apply", "-f", "-", input=_yaml(obj)))
    patch = '{"spec": {"rate": 7}}'
    name = ("inferenceapp", "camera", "-n", area)
    woken.by(lambda: kubectl("patch", *name, "--type=merge", "-p", patch))
    noise = iter(range(100))

    def slept() -> bool:
        woken.settle()
        before, index = woken.times, next(noise)
        status = f'{{"status": {{"observedGeneration": {index}}}}}'
        kubectl("patch", *name, "--type=merge", "-p", status, "--subresource=status")
        kubectl("annotate", "--overwrite", *name, f"a={index}")
        woken.settle()
        return woken.times == before

    # What earlier tests have left may go in the middle of it; noise that matters always would.
    wait_for(slept, 60, "noise that wakes nobody")
    woken.by(lambda: kubectl("delete", *name))


def test_the_watches_go_on_when_the_api_server_was_away(
    woken: Woken, area: str, control_plane: ControlPlane
) -> None:
    control_plane.restart_apiserver()
    wait_for(lambda: woken.watches.silent_for < 1, 60, "the watches to run again")
    config = ("create", "configmap", "c", "-n", area)
    control_plane.kubectl(*config)
    woken.by(lambda: control_plane.kubectl("label", "configmap", "c", "-n", area, *_words(LABELS)))


def test_watches_that_end_are_started_again(
    woken: Woken, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_RESTART", 0.1)
    monkeypatch.setattr(watching, "_ERROR_BACKOFFS", (0.1,))
    woken.watches.stop()
    fresh = Watches(woken.configuration, woken._wake, woken._restart)
    good = woken.configuration.host
    woken.configuration.host = "https://127.0.0.1:1"
    fresh.start()
    try:
        wait_for(lambda: woken.restarts > 0, 60, "kopf to give up")
        assert fresh.silent_for > 1
        woken.configuration.host = good
        wait_for(lambda: fresh.silent_for < 1, 60, "the watches to run")
    finally:
        fresh.stop()


def test_a_dead_watch_is_seen(
    woken: Woken, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """kopf goes on without a watch that has ended; here one more is expected than there are."""
    monkeypatch.setattr(watching, "_INCOMPLETE", 0.5)
    monkeypatch.setattr(watching, "WATCHED", {**WATCHED, kinds.EVENT: OURS})
    wait_for(lambda: woken.restarts > 0, 30, "the watches to be started again")
    assert "not every kind is watched" in caplog.text


def _words(labels: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items()]


def _yaml(obj: object) -> str:
    return str(yaml.safe_dump(obj))
