"""Fifty apps at once."""

import json

from fin.controller import kinds
from testbed import ControlPlane
from tests.helpers import objects
from tests.helpers.api import until
from tests.helpers.operator import Operator
from tests.helpers.scene import Scene

APPS = 50


def test_fifty_apps_applied_at_once(
    scene: Scene, operator: Operator, control_plane: ControlPlane
) -> None:
    sources = [
        scene.node(f"mobile-{index}", flops="400G", gflops_per_watt="1") for index in range(1, 6)
    ]
    names = [f"app-{index}" for index in range(APPS)]
    items = []
    for index, name in enumerate(names):
        item = objects.app(
            name,
            scene.namespace,
            source=sources[index % len(sources)],
            rate=1 + index % 7,
            minAccuracy=0.8 if index % 3 else 0.6,
            placement={"localBlocks": index % 2},
        )
        item["metadata"].pop("uid")
        items.append(item)
    manifest = {"apiVersion": "v1", "kind": "List", "items": items}
    control_plane.kubectl("apply", "-f", "-", input=json.dumps(manifest))

    def ready() -> int:
        apps = scene.api.list(kinds.APP, scene.namespace)
        return sum(
            condition["status"] == "True"
            for app in apps
            for condition in app.get("status", {}).get("conditions", [])
            if condition["type"] == "Ready"
        )

    until(lambda: ready() == APPS, "all apps to be Ready", timeout=120, pause=0.5)
    planned = {
        segment["name"]
        for app in scene.api.list(kinds.APP, scene.namespace)
        for segment in app["status"]["plan"]["segments"]
    }

    def made() -> set[str]:
        found = scene.api.list(kinds.DEPLOYMENT, scene.namespace)
        return {one["metadata"]["name"] for one in found}

    until(lambda: made() == planned, "exactly the planned segments")
    assert operator.metric("fin_rounds_total", result="failed") == 0
    # HiGHS alone takes 8 MiB; the chart's limit is well above.
    assert operator.metric("process_resident_memory_bytes") < 170 * 2**20
    # All go with their namespace.
    for name in names:
        scene.api.delete(kinds.APP, scene.namespace, name)
    until(lambda: not made(), "all segments to be gone", timeout=120)
