"""Each change of a node leads to the right state again, within seconds."""

from collections.abc import Callable

import pytest

from fin.api.names import LABEL_FLOPS, LABEL_GFLOPS_PER_WATT, LABEL_TIER
from fin.controller import kinds
from testbed import ControlPlane
from tests.helpers.api import Object, until
from tests.helpers.scene import Scene


@pytest.fixture
def running(scene: Scene) -> Scene:
    """A scene with an app that runs on edge-0."""
    scene.app()
    assert scene.settled() == ["edge-0"]
    return scene


def patch_node(scene: Scene, node: str, patch: Object, subresource: str = "") -> None:
    scene.api.patch(kinds.NODE, "", scene.name(node), patch, subresource)


def label(scene: Scene, node: str, **labels: str | None) -> None:
    names = {"tier": LABEL_TIER, "flops": LABEL_FLOPS, "efficiency": LABEL_GFLOPS_PER_WATT}
    patch = {"metadata": {"labels": {names[key]: value for key, value in labels.items()}}}
    patch_node(scene, node, patch)


def test_a_label_that_makes_a_node_better_or_worse(running: Scene) -> None:
    label(running, "edge-0", efficiency="5")
    running.runs_on("edge-1")


@pytest.mark.parametrize("value", [None, "a-lot"])
def test_a_label_removed_or_unreadable_takes_the_node_out_of_planning(
    running: Scene, value: str | None
) -> None:
    """What runs there is left alone; an edit finds it another place."""
    label(running, "edge-0", flops=value)
    running.app("second")
    running.runs_on("edge-1", name="second")
    assert running.owned(kinds.DEPLOYMENT)


def test_less_capacity_makes_an_app_move(running: Scene) -> None:
    patch_node(running, "edge-0", {"status": {"allocatable": {"memory": "9Mi"}}}, "status")
    running.runs_on("edge-1")


def test_more_capacity_admits_an_app(scene: Scene) -> None:
    for node in ("mobile-0", "edge-0", "edge-1", "cloud-0"):
        patch_node(scene, node, {"status": {"allocatable": {"memory": "1Mi"}}}, "status")
    scene.app()
    scene.not_ready("InsufficientMemory", kind="Planned")
    patch_node(scene, "edge-1", {"status": {"allocatable": {"memory": "8Gi"}}}, "status")
    scene.runs_on("edge-1")


def test_a_node_that_is_lost_is_left_at_once_and_taken_again_when_it_is_back(
    running: Scene, control_plane: ControlPlane
) -> None:
    edge = running.name("edge-0")
    control_plane.kwok.fail_node(edge)
    control_plane.kwok.wait_until_lost(edge)
    running.runs_on("edge-1")
    until(lambda: running.events("camera", "SegmentLost"), "the Event")
    control_plane.kwok.restore_node(edge)
    running.runs_on("edge-0")  # it saves a fifth


def test_a_node_that_is_deleted(running: Scene) -> None:
    running.api.delete(kinds.NODE, "", running.name("edge-0"))
    running.runs_on("edge-1")


def test_a_source_that_is_lost(running: Scene, control_plane: ControlPlane) -> None:
    before = running.identities()
    control_plane.kwok.fail_node(running.name("mobile-0"))
    running.not_ready("SourceUnavailable", kind="Planned")
    assert running.identities() == before
    control_plane.kwok.restore_node(running.name("mobile-0"))
    until(lambda: running.condition("Planned").get("status") == "True", "it to be planned again")
    assert running.identities() == before


def test_a_cordoned_node_is_left_before_anything_breaks(
    running: Scene, control_plane: ControlPlane
) -> None:
    control_plane.kubectl("cordon", running.name("edge-0"))
    seen = watch_ready(running)
    running.runs_on("edge-1")
    assert seen() == {"True"}
    control_plane.kubectl("uncordon", running.name("edge-0"))
    running.runs_on("edge-0")


def watch_ready(scene: Scene) -> Callable[[], set[str]]:
    """Return a function that tells which values Ready has had, by its last transition."""
    before = scene.condition("Ready")["lastTransitionTime"]

    def seen() -> set[str]:
        now = scene.condition("Ready")
        return {now["status"]} | (set() if now["lastTransitionTime"] == before else {"changed"})

    return seen


def test_a_cordon_with_no_alternative_is_said_and_borne(
    running: Scene, control_plane: ControlPlane
) -> None:
    running.api.delete(kinds.NODE, "", running.name("edge-1"))
    label(running, "mobile-0", flops="1M")
    before = running.identities()
    control_plane.kubectl("cordon", running.name("edge-0"))
    until(lambda: running.events("camera", "NodeCordoned"), "the Event")
    assert running.condition("Planned")["reason"] == "NodeCordoned"
    assert running.condition("Ready")["status"] == "True"
    after = running.identities()
    # All that goes is the budget, so that a drain is not held up for ever.
    assert {name for name in before if name not in after} <= {
        name for name in before if name.startswith("PodDisruptionBudget")
    }
    assert after.items() <= before.items()


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_a_taint_drives_segments_away(running: Scene, effect: str) -> None:
    taint = {"key": "maintenance", "value": "yes", "effect": effect}
    patch_node(running, "edge-0", {"spec": {"taints": [taint]}})
    running.runs_on("edge-1")
    if effect == "NoExecute":
        assert running.events("camera", "SegmentLost")
    else:
        assert running.events("camera", "Moved")


def test_a_taint_that_the_model_tolerates_does_not(scene: Scene) -> None:
    toleration = {"key": "maintenance", "operator": "Exists"}
    scene.model("tough", tolerations=[toleration])
    scene.app(model="tough")
    assert scene.settled() == ["edge-0"]
    before = scene.identities()
    taint = {"key": "maintenance", "value": "yes", "effect": "NoExecute"}
    patch_node(scene, "edge-0", {"spec": {"taints": [taint]}})
    scene.app("second", model="tough")
    scene.runs_on("edge-0", name="second")
    assert scene.identities() == before


def test_pods_of_others_take_room(running: Scene, control_plane: ControlPlane) -> None:
    """They were there first as far as the planner is concerned: an app gives way."""
    pod(running, "greedy", "edge-0", cpu="4")
    running.runs_on("edge-1")
    control_plane.core.delete_namespaced_pod("greedy", running.namespace)
    running.runs_on("edge-0")


def pod(scene: Scene, name: str, node: str, **requests: str) -> None:
    container = {"name": "main", "image": "none", "resources": {"requests": requests}}
    scene.api.create(
        kinds.POD,
        {
            "metadata": {"name": name, "namespace": scene.namespace},
            "spec": {"nodeName": scene.name(node), "containers": [container]},
        },
    )


def test_an_app_on_hold_stays_though_it_could_save(running: Scene) -> None:
    hold = {"metadata": {"annotations": {"finoperator.io/hold": "true"}}}
    running.api.patch(kinds.APP, running.namespace, "camera", hold)
    running.app("free")
    running.runs_on("edge-0", name="free")
    before = running.identities()
    label(running, "edge-0", efficiency="5")
    running.runs_on("edge-1", name="free")
    assert running.identities() == before
    let_go = {"metadata": {"annotations": {"finoperator.io/hold": None}}}
    running.api.patch(kinds.APP, running.namespace, "camera", let_go)
    running.runs_on("edge-1")


def test_a_saving_below_the_threshold_moves_nothing(running: Scene) -> None:
    label(running, "edge-1", efficiency="10.3")  # 3 % better than edge-0
    running.app("newcomer")
    running.runs_on("edge-1", name="newcomer")
    assert running.nodes_of() == ["edge-0"]
    label(running, "edge-1", efficiency="12")
    running.runs_on("edge-1")
