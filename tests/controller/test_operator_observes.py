"""The loop with real segments that answer real requests, and a real API server."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fin.api.duration import Duration
from fin.api.names import ANNOTATION_ADAPTED
from fin.api.quantity import Quantity
from fin.controller import kinds
from fin.controller.definitions import OBSERVED
from fin.segment.exits import ExitRule, confidence
from testbed import ControlPlane
from tests.helpers.api import Api, until
from tests.helpers.chart import NAMESPACE
from tests.helpers.networks import Floats, Network, network
from tests.helpers.operator import Operator
from tests.helpers.realpods import Client, RealPods
from tests.helpers.scene import Scene

EARLY = 0.4
RATE = 30.0


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane, operator_kubeconfig: Path) -> Iterator[Operator]:
    """An operator that reads segments twice a second."""
    made = Operator(control_plane, operator_kubeconfig, namespace=NAMESPACE, observe_every="500ms")
    made.start()
    yield made
    made.check()


@pytest.fixture
def trained() -> tuple[Network, Floats]:
    """A network of the scene's blocks, and samples of which 40 % leave at its first exit."""
    made = network([ExitRule(0.5), None, ExitRule()])
    samples = made.batch(500)
    first = made.layers[0]
    assert first.head is not None
    sure = confidence(np.maximum(samples @ first.weights, 0) @ first.head)
    threshold = round(float(np.quantile(sure, 1 - EARLY)), 4)
    layers = [replace(layer, name=f"block{at}") for at, layer in enumerate(made.layers, start=1)]
    layers[0] = replace(layers[0], rule=ExitRule(threshold))
    return Network(tuple(layers)), samples


def start(scene: Scene, trained: Network, exit_rate: float, **spec: Any) -> None:
    """Declare the model with its threshold, and an app whose first block stays at the source."""
    model = scene.api.get(kinds.MODEL, scene.namespace, "net")
    blocks = model["spec"]["blocks"]
    blocks[0]["exit"] |= {"threshold": trained.layers[0].rule.threshold, "exitRate": exit_rate}
    scene.api.patch(kinds.MODEL, scene.namespace, "net", {"spec": {"blocks": blocks}})
    asked = {"rate": int(RATE), "latency": {"target": "2s"}, "placement": {"localBlocks": 1}}
    scene.app(**{**asked, **spec})


def drifted(scene: Scene) -> tuple[str, str]:
    found = scene.condition("Drifted")
    return str(found.get("status")), str(found.get("reason"))


def wait_for_drifted(scene: Scene, status: str, reason: str) -> None:
    until(
        lambda: drifted(scene) == (status, reason),
        f"Drifted to be {status}, {reason}; it is {scene.condition('Drifted')}",
    )


def observed(scene: Scene) -> dict[str, Any]:
    return dict(scene.get().get("status", {}).get("observed", {}))


def test_what_segments_report_stands_beside_the_plan(
    scene: Scene, operator: Operator, trained: tuple[Network, Floats], tmp_path: Path
) -> None:
    net, samples = trained
    start(scene, net, EARLY)
    scene.settled()
    with RealPods(scene, net, tmp_path) as pods, Client(samples, RATE) as client:
        client.ip = pods.run()
        assert len(pods.names) == 2
        wait_for_drifted(scene, "False", "AsPlanned")
        found = until(lambda: observed(scene) if "exits" in observed(scene) else None, "exits")
        plan = scene.get()["status"]["plan"]
        assert found["revision"] == plan["revision"]
        assert plan["rate"] == "30"
        assert plan["exits"] == [{"name": "block1", "share": 0.4}, {"name": "final", "share": 0.6}]
        assert float(Quantity.parse(found["rate"])) == pytest.approx(RATE, rel=0.3)
        shares = {each["name"]: each["share"] for each in found["exits"]}
        assert shares == pytest.approx({"block1": EARLY, "final": 1 - EARLY}, abs=0.15)
        mean, p99 = (float(Duration.parse(found["latency"][key])) for key in ("mean", "p99"))
        assert 0 < mean <= p99
        assert found["latency"]["fromSource"] == "0s"
        energy = float(Quantity.parse(plan["energyPerInference"]))
        rate = float(Quantity.parse(found["rate"]))
        assert float(Quantity.parse(found["power"])) == pytest.approx(rate * energy, rel=0.3)

        labels = {"namespace": scene.namespace, "app": "camera"}
        shown = {name for (name, of), _ in operator.metrics().items() if labels.items() <= set(of)}
        assert {each.name for each in OBSERVED} <= shown
        assert operator.metric("fin_app_drifted", **labels) == 0
        share = operator.metric("fin_app_observed_exit_ratio", exit="block1", **labels)
        assert share == pytest.approx(EARLY, abs=0.15)
        assert operator.metric("fin_scrapes_total", result="done") > 0

        # A container that starts again counts from 0; nobody takes that for requests.
        before = client.served
        pods.restart(pods.names[1])
        until(lambda: client.served > before + 100, "requests to be served again")
        wait_for_drifted(scene, "False", "AsPlanned")
        assert float(Quantity.parse(observed(scene)["rate"])) == pytest.approx(RATE, rel=0.3)

        # Half of the truth is none: where a segment can't be read, nothing is said.
        pods.stop(pods.names[1])
        wait_for_drifted(scene, "Unknown", "NotObserved")
        assert f"metrics of {pods.names[1]}" in scene.condition("Drifted")["message"]
        assert observed(scene) == {}
    assert not scene.events("camera", "Adapted")


def test_old_segments_go_when_the_entry_says_that_it_follows_the_new_revision(
    scene: Scene, trained: tuple[Network, Floats], tmp_path: Path
) -> None:
    """And not before; without its word they stay for 100 s."""
    net, samples = trained
    start(scene, net, EARLY)
    scene.settled()
    with RealPods(scene, net, tmp_path) as pods, Client(samples, RATE) as client:
        client.ip = pods.run()
        entry, old = pods.names
        turned_from = scene.get()["status"]["plan"]["revision"]
        labels = {"metadata": {"labels": {"finoperator.io/gflops-per-watt": "10000"}}}
        scene.api.patch(kinds.NODE, "", scene.name("edge-0"), labels)

        def revision() -> Any:
            found = scene.get()["status"]["plan"]["revision"]
            return found != turned_from and pods.names[1] != old

        until(revision, "the app to move")
        assert pods.names[0] == entry
        read = client.served
        until(lambda: client.served > read + 2 * RATE, "requests on their old way")
        assert scene.api.find(kinds.DEPLOYMENT, scene.namespace, old) is not None
        pods.run()
        until(
            lambda: scene.api.find(kinds.DEPLOYMENT, scene.namespace, old) is None, "it to be gone"
        )
        assert client.failed == 0


def test_an_app_that_adapts_is_planned_for_what_is_observed(
    scene: Scene,
    operator: Operator,
    api: Api,
    trained: tuple[Network, Floats],
    tmp_path: Path,
) -> None:
    net, samples = trained
    start(scene, net, exit_rate=0.9, adapt=True)
    scene.settled()

    def planned_rate() -> float:
        return float(Quantity.parse(scene.get()["status"]["plan"]["rate"]))

    def planned_early() -> float:
        return float(scene.get()["status"]["plan"]["exits"][0]["share"])

    def revision() -> str:
        return str(scene.get()["status"]["plan"]["revision"])

    def as_planned() -> bool:
        seen = observed(scene).get("revision") == revision()
        return seen and drifted(scene) == ("False", "AsPlanned")

    with RealPods(scene, net, tmp_path) as pods, Client(samples, RATE) as client:

        def until_served(condition: Callable[[], bool], what: str) -> None:
            """Wait, and run meanwhile whatever serves."""

            def served() -> bool:
                client.ip = pods.run()
                return condition()

            until(served, what)

        first = revision()
        until_served(
            lambda: planned_early() == pytest.approx(EARLY, abs=0.15), "exits to be adapted"
        )
        until_served(lambda: revision() != first and as_planned(), "it to run as planned")
        second, client.rate = revision(), 3 * RATE
        until_served(lambda: planned_rate() > 1.5 * RATE, "the rate to be adapted")
        until_served(lambda: revision() != second and as_planned(), "it to run as planned")
        assert scene.events("camera", "Adapted")

        # Nothing moves because the operator starts again, and no status is lost.
        config = scene.api.get(kinds.CONFIG_MAP, scene.namespace, "camera-routes")
        assert ANNOTATION_ADAPTED in config["metadata"]["annotations"]
        rate, touched = planned_rate(), scene.touched("camera")
        operator.kill(api)
        operator.start()
        until(lambda: operator.rounds > 0, "a round")
        assert planned_rate() == rate
        assert scene.touched("camera") == touched
        assert drifted(scene) == ("False", "AsPlanned")
        wait = operator.metric("fin_scrapes_total", result="done") + 20
        until(lambda: operator.metric("fin_scrapes_total", result="done") > wait, "more readings")
        assert planned_rate() == pytest.approx(3 * RATE, rel=0.4)

    scene.edit(adapt=False)
    until(lambda: planned_rate() == RATE, "the declared rate to count again")
    until(lambda: planned_early() == 0.9, "the declared shares to count again")


def test_what_is_no_segment_is_told_and_does_no_harm(
    scene: Scene, operator: Operator, trained: tuple[Network, Floats], tmp_path: Path
) -> None:
    """An address where nobody answers, as all of kwok's."""
    net, _ = trained
    start(scene, net, EARLY)
    scene.settled()
    wait_for_drifted(scene, "Unknown", "NotObserved")
    until(lambda: "can't be read" in scene.condition("Drifted")["message"], "the reason to be told")
    assert scene.condition("Ready")["status"] == "True"
