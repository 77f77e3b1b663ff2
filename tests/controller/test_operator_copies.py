"""A second copy of the operator: only the holder of the Lease writes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import ControlPlane
from tests.helpers.api import until
from tests.helpers.chart import NAMESPACE
from tests.helpers.operator import Operator
from tests.helpers.scene import Scene


@pytest.fixture
def second(
    control_plane: ControlPlane, operator: Operator, operator_kubeconfig: Path
) -> Iterator[Operator]:
    """A second copy, which waits."""
    made = Operator(control_plane, operator_kubeconfig, namespace=NAMESPACE, name="second")
    made.start()
    yield made
    made.stop(signal.SIGKILL)


def test_of_two_copies_one_writes(scene: Scene, operator: Operator, second: Operator) -> None:
    assert operator.metric("fin_leader") == 1
    assert second.metric("fin_leader") == 0
    assert second.probe("/readyz") == (200, "ok\n")
    scene.app()
    scene.settled()
    writes = ("apply", "create", "patch", "delete")
    assert sum(second.metric("fin_api_requests_total", verb=verb) for verb in writes) == 0
    before = scene.touched("camera")
    # A copy that ends hands over at once; nothing that runs is touched.
    assert operator.stop(signal.SIGINT) == 0
    until(lambda: second.metric("fin_leader") == 1, "the second copy to lead", timeout=10)
    until(lambda: second.rounds > 0, "a round")
    assert scene.touched("camera") == before
    scene.edit(minAccuracy=0.6)
    scene.ready()
    second.stop()
    operator.start()


def test_a_copy_that_was_stopped_writes_no_more_when_another_leads(
    scene: Scene, operator: Operator, second: Operator
) -> None:
    scene.app()
    scene.settled()
    operator.pause()
    until(lambda: second.metric("fin_leader") == 1, "the second copy to lead")
    operator.resume()
    until(lambda: operator.metric("fin_leader") == 0, "the first copy to notice")
    scene.edit(minAccuracy=0.6)
    scene.ready()
    scene.settled()
    assert second.metric("fin_leader") == 1
    assert operator.running
    second.stop()
    until(lambda: operator.metric("fin_leader") == 1, "the first copy to lead again")
