"""Cut off from the cluster for a while: it converges, and acts on nothing that it saw before."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from fin.controller import kinds
from fin.controller.lease import NAME, RENEW_DEADLINE
from testbed import ControlPlane
from tests.helpers.api import Api, until
from tests.helpers.chart import NAMESPACE
from tests.helpers.operator import Operator
from tests.helpers.proxy import Proxy
from tests.helpers.scene import Scene


def test_stopped_while_objects_are_deleted(scene: Scene, operator: Operator) -> None:
    """Longer than its Lease lasts: it may act on nothing that it saw before."""
    scene.app()
    scene.app("goes")
    scene.settled()
    scene.settled("goes")
    lost = operator.log.count("lease: lost")
    scene.edit("goes", rate=20)  # something is under way when it stops
    operator.pause()
    scene.api.delete(kinds.APP, scene.namespace, "goes")
    for one in scene.owned(kinds.DEPLOYMENT):
        scene.api.delete(kinds.DEPLOYMENT, scene.namespace, one["metadata"]["name"])
    until(lambda: not scene.identities("goes"), "all objects of the app to be gone")
    until(lambda: since_renewal(scene.api) > RENEW_DEADLINE, "the trust in a renewal to be over")
    operator.resume()
    until(lambda: scene.owned(kinds.DEPLOYMENT), "the segment to be there again")
    scene.ready()
    assert not scene.identities("goes")
    assert operator.running
    assert operator.log.count("lease: lost") >= lost


def since_renewal(api: Api) -> float:
    """Seconds since the operator has renewed its Lease."""
    renewed = api.get(kinds.LEASE, NAMESPACE, NAME)["spec"]["renewTime"]
    return (datetime.now(UTC) - datetime.fromisoformat(renewed)).total_seconds()


@pytest.fixture
def proxied(
    control_plane: ControlPlane, operator: Operator, operator_kubeconfig: Path
) -> Iterator[tuple[Proxy, Operator]]:
    """An operator behind a network that can be cut, in place of the usual one."""
    operator.stop()
    with Proxy(control_plane.url) as proxy:
        config = yaml.safe_load(operator_kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = proxy.url
        path = control_plane.directory / "proxied.yaml"
        path.write_text(yaml.safe_dump(config))
        made = Operator(control_plane, path, namespace=NAMESPACE, name="proxied")
        made.start()
        yield proxy, made
        proxy.mend()
        made.check()
    operator.start()


def test_cut_off_while_objects_are_deleted(scene: Scene, proxied: tuple[Proxy, Operator]) -> None:
    proxy, operator = proxied
    scene.app()
    scene.app("goes")
    scene.settled()
    scene.settled("goes")
    proxy.cut()
    for one in scene.owned(kinds.SERVICE):
        scene.api.delete(kinds.SERVICE, scene.namespace, one["metadata"]["name"])
    scene.api.delete(kinds.APP, scene.namespace, "goes")
    scene.app("newcomer")
    until(lambda: operator.metric("fin_leader") == 0, "the Lease to be lost")
    assert operator.probe("/livez")[0] == 200
    proxy.mend()
    scene.ready("newcomer")
    until(lambda: len(scene.owned(kinds.SERVICE)) == 2, "the Services to be there again")
    scene.ready()
    until(lambda: not scene.identities("goes"), "all objects of the deleted app to be gone")
    # The watches are back too, not only the rounds.
    scene.edit("newcomer", minAccuracy=0.6)
    scene.ready("newcomer")


def test_an_api_server_that_restarts_while_apps_come(
    scene: Scene, operator: Operator, control_plane: ControlPlane
) -> None:
    scene.app("before")
    scene.settled("before")
    before = scene.touched("before")
    apps = [f"app-{index}" for index in range(5)]
    for app in apps:
        scene.app(app)
    control_plane.restart_apiserver()
    for app in apps:
        scene.settled(app)
    assert scene.touched("before") == before
    operator.excuse()
    scene.edit("before", minAccuracy=0.6)
    scene.ready("before")
    assert operator.running
