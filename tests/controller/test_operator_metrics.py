"""The metrics and probes of a running operator, from the real state."""

import pytest

from fin.api.duration import Duration
from fin.api.quantity import Quantity
from fin.controller import kinds
from fin.controller.definitions import BY_NAME, OBSERVED
from testbed import ControlPlane
from tests.helpers.api import until
from tests.helpers.operator import Operator
from tests.helpers.scene import Scene


def test_metrics_say_what_the_status_says(scene: Scene, operator: Operator) -> None:
    scene.app()
    scene.settled()
    plan = scene.get()["status"]["plan"]
    labels = {"namespace": scene.namespace, "app": "camera"}
    until(lambda: operator.metric("fin_app_ready", **labels) == 1, "the app to be shown Ready")

    def of(name: str, **more: str) -> float:
        return operator.metric(name, **labels, **more)

    energy = float(Quantity.parse(plan["energyPerInference"]))
    power = float(Quantity.parse(plan["power"]))
    assert of("fin_app_energy_per_inference_joules") == pytest.approx(energy, rel=5e-3)
    assert of("fin_app_power_watts") == pytest.approx(power, rel=5e-3)
    assert of("fin_app_planned_latency_seconds") == pytest.approx(
        float(Duration.parse(plan["latency"])), rel=5e-3
    )
    assert of("fin_app_latency_target_seconds") == 0.05
    assert of("fin_app_accuracy_ratio") == plan["accuracy"]
    assert of("fin_app_rate_per_second") == 10
    tier, node = scene.name("edge"), scene.name("edge-0")
    compute = of("fin_app_power_watts", component="compute", node=node, tier=tier)
    network = of("fin_app_power_watts", component="network", node=scene.name("mobile-0"))
    assert compute + network == pytest.approx(of("fin_app_power_watts"))
    assert 0 < network < compute
    # On the mobile node an operation costs ten times as much, and nothing is sent.
    saved = of("fin_app_power_saved_watts", baseline="source-only")
    assert saved == pytest.approx(10 * compute - compute - network)
    cpu = float(Quantity.parse(plan["segments"][0]["cpu"]))
    assert operator.metric("fin_node_cpu_reserved_cores", node=node) == pytest.approx(cpu)
    assert operator.metric("fin_node_cpu_usable_cores", node=node) == 4
    source = scene.name("mobile-0")
    assert operator.metric("fin_link_load_bytes_per_second", source=source) == pytest.approx(
        10 * 3072
    )


def test_energy_adds_up_while_an_app_serves_and_goes_with_it(
    scene: Scene, operator: Operator, control_plane: ControlPlane
) -> None:
    scene.app()
    scene.settled()
    labels = {"namespace": scene.namespace, "app": "camera"}

    def joules() -> float:
        return operator.metric("fin_app_energy_joules_total", **labels)

    first = until(joules, "energy to be counted")
    until(lambda: joules() > first, "energy to add up")
    scene.api.delete(kinds.APP, scene.namespace, "camera")
    until(
        lambda: not any(("app", "camera") in sample[1] for sample in operator.metrics()),
        "the app to be gone from the metrics",
    )


def test_what_runs_on_without_its_model_still_takes_power(scene: Scene, operator: Operator) -> None:
    scene.app()
    scene.settled()
    labels = {"namespace": scene.namespace, "app": "camera"}

    def of(name: str, **more: str) -> float:
        return operator.metric(name, **labels, **more)

    until(lambda: of("fin_app_power_watts") > 0, "its power to be shown")
    before = {
        component: of("fin_app_power_watts", component=component)
        for component in ("compute", "network")
    }
    total = operator.metric("fin_power_watts")
    scene.api.delete(kinds.MODEL, scene.namespace, "net")
    scene.not_ready("ModelNotFound", kind="Planned")
    until(lambda: operator.metric("fin_apps_refused", reason="ModelNotFound") == 1, "the report")
    assert of("fin_app_ready") == 1
    for component, watts in before.items():
        assert of("fin_app_power_watts", component=component) == pytest.approx(watts)
    assert operator.metric("fin_power_watts") == pytest.approx(total)
    assert of("fin_app_rate_per_second") == pytest.approx(10)
    first = of("fin_app_energy_joules_total")
    until(lambda: of("fin_app_energy_joules_total") > first, "energy to add up")


def test_refused_apps_are_counted_by_reason(scene: Scene, operator: Operator) -> None:
    def refused(reason: str) -> float:
        return operator.metric("fin_apps_refused", reason=reason)

    scene.app("hasty", latency={"target": "100us"})
    scene.app("lost", source="nowhere")
    until(lambda: refused("LatencyUnreachable") == 1, "the refusal")
    until(lambda: refused("SourceUnavailable") == 1, "the refusal")
    assert operator.metric("fin_app_ready", app="hasty") == 0
    scene.api.delete(kinds.APP, scene.namespace, "hasty")
    until(lambda: refused("LatencyUnreachable") == 0, "the refusal to be gone")


def test_every_metric_is_described_and_there(scene: Scene, operator: Operator) -> None:
    scene.app()
    scene.app("hasty", latency={"target": "100us"})
    scene.settled()
    until(lambda: operator.metric("fin_apps_refused") > 0, "all to be reported")
    text = operator.metrics_text()
    for name, definition in BY_NAME.items():
        assert f"# HELP {name} {definition.text}" in text
        assert f"# TYPE {name} {definition.type}" in text
    bare = {name for name, _ in operator.metrics()}
    for name, definition in BY_NAME.items():
        if definition in OBSERVED:  # nobody answers where kwok's pods are (test_operator_observes)
            continue
        assert (f"{name}_count" if definition.type == "histogram" else name) in bare


def test_the_operator_s_own_health(scene: Scene, operator: Operator) -> None:
    assert operator.probe("/livez") == (200, "ok\n")
    assert operator.probe("/readyz") == (200, "ok\n")
    assert operator.metric("fin_leader") == 1
    assert operator.metric("fin_rounds_total", result="done") > 0
    assert operator.metric("fin_rounds_total", result="failed") == 0
    assert operator.metric("fin_round_duration_seconds_count") > 0
    assert operator.metric("fin_api_requests_total", verb="list", kind="Node", code="200") > 0
    assert operator.metric("process_resident_memory_bytes") < 150 * 2**20
