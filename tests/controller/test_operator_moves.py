"""Moves: make before break, what is not worth one, and what to do where nothing fits."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fin.controller import kinds
from testbed import ControlPlane
from testbed.kwok import ANNOTATION_READY, ANNOTATION_READY_AFTER
from tests.helpers.api import until
from tests.helpers.chart import NAMESPACE
from tests.helpers.operator import Operator
from tests.helpers.scene import Scene


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane, operator_kubeconfig: Path) -> Iterator[Operator]:
    """One that gives up on a revision early."""
    flags = ("--ready-timeout", "4s")
    made = Operator(
        control_plane, operator_kubeconfig, namespace=NAMESPACE, name="impatient", flags=flags
    )
    made.start()
    yield made
    made.check()


def efficiency(scene: Scene, node: str, value: str) -> None:
    labels = {"finoperator.io/gflops-per-watt": value}
    scene.api.patch(kinds.NODE, "", scene.name(node), {"metadata": {"labels": labels}})


def serving(scene: Scene, app: str = "camera") -> list[str]:
    """Nodes of the Ready endpoints of an app's Service."""
    labels = f"kubernetes.io/service-name={app}"
    slices = scene.api.list(kinds.ENDPOINT_SLICE, scene.namespace, labels)
    return [
        endpoint["nodeName"].removeprefix(f"{scene.id}-")
        for one in slices
        for endpoint in one["endpoints"] or []
        if endpoint["conditions"].get("ready")
    ]


def test_a_move_serves_all_the_while(scene: Scene, control_plane: ControlPlane) -> None:
    scene.app()
    assert scene.settled() == ["edge-0"]
    until(lambda: serving(scene) == ["edge-0"], "the Service to lead to edge-0")
    slowly = control_plane.kwok.annotate_new_pods(
        {ANNOTATION_READY_AFTER: "2s"}, namespace=scene.namespace
    )
    seen = []
    with slowly:
        efficiency(scene, "edge-0", "5")

        def moved() -> bool:
            seen.append((serving(scene), scene.condition("Ready").get("status")))
            return scene.nodes_of() == ["edge-1"]

        until(moved, "the app to move", pause=0.02)
    scene.runs_on("edge-1")
    assert all(nodes for nodes, _ in seen)
    assert {status for _, status in seen} == {"True"}


def test_a_revision_that_does_not_become_ready_is_given_up(
    scene: Scene, control_plane: ControlPlane
) -> None:
    scene.node("edge-2", gflops_per_watt="7")
    scene.app()
    assert scene.settled() == ["edge-0"]
    never = control_plane.kwok.annotate_new_pods(
        {ANNOTATION_READY: "false"}, namespace=scene.namespace, node=scene.name("edge-1")
    )
    with never:
        efficiency(scene, "edge-0", "4")
        until(lambda: scene.events("camera", "NotReadyInTime"), "the Event")
        scene.runs_on("edge-2")
    assert scene.condition("Ready")["status"] == "True"


def test_a_first_revision_that_does_not_become_ready_says_why_and_goes_elsewhere(
    scene: Scene, control_plane: ControlPlane
) -> None:
    never = control_plane.kwok.annotate_new_pods(
        {ANNOTATION_READY: "false"}, namespace=scene.namespace, node=scene.name("edge-0")
    )
    with never:
        scene.app()
        until(lambda: scene.owned(kinds.DEPLOYMENT), "a segment")
        assert until(
            lambda: (
                scene.condition("Ready").get("status") == "False"
                and scene.name("edge-0") in scene.condition("Ready")["message"]
            ),
            "the reason to be told",
        )
        scene.runs_on("edge-1")


@pytest.fixture
def exchange(control_plane: ControlPlane, operator: Operator, scene: Scene) -> Scene:
    """Two edge nodes with room for one segment each, and two sources, each near one of them."""
    for node in ("edge-0", "edge-1"):
        patch = {"status": {"allocatable": {"pods": "1"}}}
        scene.api.patch(kinds.NODE, "", scene.name(node), patch, "status")
        efficiency(scene, node, "10")
    slow = {"metadata": {"labels": {"finoperator.io/flops": "1M"}}}
    scene.api.patch(kinds.NODE, "", scene.name("mobile-0"), slow)
    scene.node("mobile-1", flops="1M")
    control_plane.kwok.wait_until_ready(scene.name("mobile-1"))
    near(scene, {"mobile-0": "edge-0", "mobile-1": "edge-1"})
    return scene


def near(scene: Scene, nearest: dict[str, str]) -> None:
    """Make sending to one edge node cheap for each source, and dear to the other."""
    links = [
        scene.link(source, edge, energyPerBit="10n" if edge == nearest[source] else "1u")
        for source in nearest
        for edge in ("edge-0", "edge-1")
    ]
    scene.api.patch(kinds.TOPOLOGY, "", scene.name("links"), {"spec": {"links": links}})


def test_apps_that_change_places_on_full_nodes_break_one_at_a_time(exchange: Scene) -> None:
    exchange.app("first")
    exchange.app("second", source="mobile-1", priority=-1)
    exchange.runs_on("edge-0", name="first")
    exchange.runs_on("edge-1", name="second")
    near(exchange, {"mobile-0": "edge-1", "mobile-1": "edge-0"})
    exchange.runs_on("edge-1", name="first")
    exchange.runs_on("edge-0", name="second")
    assert exchange.events("second", "BrokenFirst")
    assert not exchange.events("first", "BrokenFirst")


def test_a_higher_priority_evicts_and_a_lower_one_waits(exchange: Scene) -> None:
    edge_only = {"tiers": [exchange.name("edge")]}
    exchange.app("first", placement=edge_only)
    exchange.app("second", placement=edge_only, source="mobile-1")
    exchange.settled("first")
    exchange.settled("second")
    exchange.app("low", placement=edge_only, priority=-5)
    exchange.app("equal", placement=edge_only)
    exchange.not_ready("InsufficientPods", "low", kind="Planned")
    exchange.not_ready("InsufficientPods", "equal", kind="Planned")
    exchange.app("high", placement=edge_only, priority=5)
    exchange.ready("high")
    evicted = [one for one in ("first", "second") if exchange.events(one, "Evicted")]
    assert len(evicted) == 1
    exchange.not_ready("InsufficientPods", evicted[0], kind="Planned")
    exchange.api.delete(kinds.APP, exchange.namespace, "high")
    exchange.ready(evicted[0])


def test_a_drain_waits_until_the_segment_has_moved(
    scene: Scene, control_plane: ControlPlane
) -> None:
    scene.app()
    assert scene.settled() == ["edge-0"]
    drain = ("drain", scene.name("edge-0"), "--delete-emptydir-data", "--timeout=60s")
    control_plane.kubectl(*drain, timeout=90)
    assert scene.settled() == ["edge-1"]
    assert scene.events("camera", "Moved")
    assert not scene.events("camera", "SegmentLost")
