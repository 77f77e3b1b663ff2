"""Each change of a resource, or of what the operator made, leads to the right state again."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from fin.controller import kinds
from tests.helpers.api import Object, until
from tests.helpers.scene import MADE, Scene


@pytest.fixture
def running(scene: Scene) -> Scene:
    """A scene with an app that runs on edge-0."""
    scene.app()
    assert scene.settled() == ["edge-0"]
    return scene


# The three resources


def test_a_topology_that_changes(running: Scene) -> None:
    links = [running.link("mobile", "edge-1"), running.link("edge", "cloud", rtt="200ms")]
    running.api.patch(kinds.TOPOLOGY, "", running.name("links"), {"spec": {"links": links}})
    running.runs_on("edge-1")


def test_a_topology_that_goes(running: Scene) -> None:
    """Without any link the app can only stay at its source."""
    running.api.delete(kinds.TOPOLOGY, "", running.name("links"))
    running.runs_on("mobile-0")


def test_a_model_that_changes(running: Scene) -> None:
    spec = running.api.get(kinds.MODEL, running.namespace, "net")["spec"]
    spec["blocks"][0]["exit"]["accuracy"] = 0.85  # accurate enough from the first exit on
    running.api.patch(kinds.MODEL, running.namespace, "net", {"spec": spec})
    until(lambda: running.get()["status"]["plan"]["exit"] == "block1", "the new plan to be served")
    running.settled()


def test_a_template_that_changes_makes_new_segments(running: Scene) -> None:
    (before,) = (one["metadata"]["name"] for one in running.owned(kinds.DEPLOYMENT))
    segment = {"image": "registry.example/other:1"}
    running.api.patch(kinds.MODEL, running.namespace, "net", {"spec": {"segment": segment}})

    def image() -> bool:
        found = running.owned(kinds.DEPLOYMENT)
        images = {one["spec"]["template"]["spec"]["containers"][0]["image"] for one in found}
        names = {one["metadata"]["name"] for one in found}
        return images == {"registry.example/other:1"} and before not in names

    until(image, "segments with the new image alone")
    running.ready()


def test_an_app_that_changes(running: Scene) -> None:
    running.edit(placement={"tiers": [running.name("mobile")]})
    running.runs_on("mobile-0")


# What the operator made


def test_what_is_deleted_is_made_anew(scene: Scene) -> None:
    apps = {f"without-{kind.plural}": kind for kind in MADE}
    run_all(scene, apps)
    before = {app: scene.identities(app) for app in apps}
    for app, kind in apps.items():
        for one in scene.owned(kind, app):
            scene.api.delete(kind, scene.namespace, one["metadata"]["name"])

    def anew(app: str) -> bool:
        now, deleted = scene.identities(app), f"{apps[app].name} "
        return now.keys() == before[app].keys() and all(
            (uid != before[app][name]) == name.startswith(deleted) for name, uid in now.items()
        )

    until(lambda: all(map(anew, apps)), "all that was deleted to be there again, and no more")
    for app in apps:
        scene.ready(app)


def run_all(scene: Scene, apps: Iterable[str]) -> None:
    """Run apps, all at once."""
    for app in apps:
        scene.app(app)
    for app in apps:
        scene.settled(app)


EDITS: dict[str, tuple[kinds.Kind, Object]] = {
    "replicas": (kinds.DEPLOYMENT, {"spec": {"replicas": 0}}),
    "an image": (
        kinds.DEPLOYMENT,
        {"spec": {"template": {"spec": {"containers": [{"name": "segment", "image": "evil"}]}}}},
    ),
    "the plan": (kinds.DEPLOYMENT, {"metadata": {"annotations": {"finoperator.io/plan": "{"}}}),
    "a plan that is gone": (
        kinds.DEPLOYMENT,
        {"metadata": {"annotations": {"finoperator.io/plan": None}}},
    ),
    "labels": (kinds.DEPLOYMENT, {"metadata": {"labels": {"finoperator.io/app": "other"}}}),
    "a selector": (kinds.SERVICE, {"spec": {"selector": {"app": "evil"}}}),
    "a label that is gone": (
        kinds.SERVICE,
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
    ),
    "routes": (kinds.CONFIG_MAP, {"data": {"routes.json": "{}"}}),
    "a label of the routes": (
        kinds.CONFIG_MAP,
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
    ),
    "a budget": (kinds.BUDGET, {"spec": {"maxUnavailable": 1}}),
}


def test_what_is_edited_is_as_it_was_again(scene: Scene) -> None:
    apps = {f"edit-{index}": edit for index, edit in enumerate(EDITS)}
    run_all(scene, apps)
    before = {app: all_written(scene, app) for app in apps}
    for app, edit in apps.items():
        kind, patch = EDITS[edit]
        for one in scene.owned(kind, app):
            scene.api.patch(kind, scene.namespace, one["metadata"]["name"], patch)

    def mended(app: str) -> bool:
        return all_written(scene, app) == before[app]

    def all_mended() -> bool:
        return all(map(mended, apps))

    try:
        until(all_mended, "all that was edited to be as it was")
    except AssertionError as error:
        left = [edit for app, edit in apps.items() if not mended(app)]
        raise AssertionError(f"not as they were: {left}") from error
    for app in apps:
        scene.ready(app)


def all_written(scene: Scene, app: str) -> Mapping[str, Any]:
    return {
        f"{kind.name} {one['metadata']['name']}": written(one)
        for kind in MADE
        for one in scene.owned(kind, app)
    }


def written(obj: Object) -> Any:
    """What the operator writes of an object."""
    metadata = obj["metadata"]
    annotations = {
        key: value
        for key, value in metadata.get("annotations", {}).items()
        if not key.startswith("deployment.kubernetes.io/")
    }
    spec = {key: value for key, value in obj.get("spec", {}).items() if key != "progressing"}
    return spec, obj.get("data"), metadata.get("labels"), annotations


def test_what_is_added_to_a_template_is_removed(running: Scene) -> None:
    """Server-side apply alone would leave it there."""
    (name,) = (one["metadata"]["name"] for one in running.owned(kinds.DEPLOYMENT))
    added = {"spec": {"template": {"metadata": {"annotations": {"added": "by-hand"}}}}}
    running.api.patch(kinds.DEPLOYMENT, running.namespace, name, added)

    def gone() -> bool:
        found = running.api.find(kinds.DEPLOYMENT, running.namespace, name)
        annotations = found and found["spec"]["template"]["metadata"].get("annotations", {})
        return annotations is not None and "added" not in annotations

    until(gone, "the addition to be gone")
    running.ready()


def test_a_status_that_somebody_wrote_is_not_believed(running: Scene) -> None:
    lie: Object = {"status": {"conditions": [], "plan": None, "observedGeneration": 99}}
    running.api.patch(kinds.APP, running.namespace, "camera", lie, "status")
    running.edit(rate=11)
    assert running.ready()["status"]["observedGeneration"] == 2
