"""The metrics: what they say, that they go when apps go, and that each is described."""

from dataclasses import replace

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fin.cluster.conditions import Verdict
from fin.cluster.revision import Share
from fin.cluster.telemetry.seen import Latency, Seen
from fin.cluster.telemetry.track import Told, Track
from fin.controller.definitions import BY_NAME
from fin.controller.energy import EnergyMeter
from fin.controller.metrics import Metrics
from fin.controller.reference import FILE, reference
from fin.controller.report import AppReport, LinkReport, NodeReport, Report

MOBILE = Share("network", "mobile-0", "mobile")
EDGE = Share("compute", "edge-0", "edge")
APP = AppReport(
    namespace="vision",
    name="gate",
    ready=True,
    rate=20.0,
    energy={EDGE: 8e-3, MOBILE: 1e-3},
    latency=0.0187,
    source_latency=0.004,
    shares={"early": 0.4, "final": 0.6},
    latency_target=0.02,
    accuracy=0.83,
    gap=0.004,
    saved={"source-only": 0.5, "cloud-only": -0.1},
)
KEY = ("vision", "gate")
REPORT = Report(
    ready={KEY: True, ("vision", "waits"): False},
    apps=(APP,),
    admitted=1,
    refused={"LatencyUnreachable": 2},
    nodes=(NodeReport("edge-0", "edge", cores=(0.5, 4.0), memory=(100, 1000), pods=(1, 110)),),
    links=(LinkReport("mobile-0", "edge-0", load=1e5, bandwidth=1e6),),
    power_bound=0.17,
)

TRACK = Track(
    "7c9f21ab",
    0.0,
    off={"exits": 3.0},
    now=Told(
        "7c9f21ab",
        Verdict("True", "ExitsOffPlan", "Leaving elsewhere"),
        Seen(60.0, 1200.0, 1.0, 21.0, 0.2, Latency(0.015, 0.04), {"early": 0.3, "final": 0.7}),
    ),
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def metrics() -> Metrics:
    made = Metrics()
    made.show(REPORT)
    made.observe({KEY: TRACK})
    made.count_request("apply", "Deployment", 200)
    made.rounds.labels("done").inc()
    return made


def samples(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
    }


def test_what_an_app_costs_and_gets(metrics: Metrics) -> None:
    found = samples(metrics)
    edge, mobile = ("compute", "edge-0", "edge"), ("network", "mobile-0", "mobile")
    assert found["fin_app_energy_per_inference_joules", KEY + edge] == 8e-3
    assert found["fin_app_power_watts", KEY + edge] == pytest.approx(0.16)
    assert found["fin_app_power_watts", KEY + mobile] == pytest.approx(0.02)
    assert found["fin_app_planned_latency_seconds", KEY] == 0.0187
    assert found["fin_app_latency_target_seconds", KEY] == 0.02
    assert found["fin_app_planned_source_latency_seconds", KEY] == 0.004
    assert found["fin_app_planned_exit_ratio", (*KEY, "early")] == 0.4
    assert found["fin_app_accuracy_ratio", KEY] == 0.83
    assert found["fin_app_gap_ratio", KEY] == 0.004
    assert found["fin_app_power_saved_watts", (*KEY, "source-only")] == 0.5
    assert found["fin_app_power_saved_watts", (*KEY, "cloud-only")] == -0.1
    assert found["fin_app_ready", KEY] == 1
    assert found["fin_app_ready", ("vision", "waits")] == 0


def test_what_was_observed_of_an_app(metrics: Metrics) -> None:
    found = samples(metrics)
    assert found["fin_app_observed_rate_per_second", KEY] == 21
    assert found["fin_app_observed_power_watts", KEY] == 0.2
    assert found["fin_app_observed_latency_seconds", (*KEY, "mean")] == 0.015
    assert found["fin_app_observed_latency_seconds", (*KEY, "p99")] == 0.04
    assert found["fin_app_observed_exit_ratio", (*KEY, "early")] == 0.3
    assert found["fin_app_drifted", (*KEY, "exits")] == 1
    assert found["fin_app_drifted", (*KEY, "rate")] == 0
    metrics.observe({KEY: replace(TRACK, now=None)})
    assert not any("observed" in name or "drifted" in name for name, _ in samples(metrics))


def test_totals_and_the_system(metrics: Metrics) -> None:
    found = samples(metrics)
    assert found["fin_apps_admitted", ()] == 1
    assert found["fin_apps_refused", ("LatencyUnreachable",)] == 2
    assert found["fin_power_watts", ()] == pytest.approx(0.18)
    assert found["fin_power_bound_watts", ()] == 0.17
    assert found["fin_node_cpu_reserved_cores", ("edge-0", "edge")] == 0.5
    assert found["fin_node_cpu_usable_cores", ("edge-0", "edge")] == 4
    assert found["fin_node_memory_reserved_bytes", ("edge-0", "edge")] == 100
    assert found["fin_node_pods_usable", ("edge-0", "edge")] == 110
    assert found["fin_link_load_bytes_per_second", ("mobile-0", "edge-0")] == 1e5
    assert found["fin_api_requests_total", ("apply", "Deployment", "200")] == 1
    assert found["fin_rounds_total", ("done",)] == 1


def test_an_app_that_does_not_serve_takes_no_power(metrics: Metrics) -> None:
    metrics.show(replace(REPORT, apps=(replace(APP, ready=False),)))
    found = samples(metrics)
    assert found["fin_app_power_watts", (*KEY, "compute", "edge-0", "edge")] == 0
    assert found["fin_app_energy_per_inference_joules", (*KEY, "compute", "edge-0", "edge")] > 0
    assert found["fin_power_watts", ()] == 0


def test_a_latency_target_that_is_not_known_is_left_out(metrics: Metrics) -> None:
    metrics.show(replace(REPORT, apps=(replace(APP, latency_target=None),)))
    found = samples(metrics)
    assert ("fin_app_latency_target_seconds", KEY) not in found
    assert found["fin_app_planned_latency_seconds", KEY] == 0.0187


def test_what_is_gone_is_gone_from_the_metrics(metrics: Metrics) -> None:
    metrics.show(Report())
    metrics.observe({})
    left = {name for name, labels in samples(metrics) if "gate" in labels or "edge-0" in labels}
    assert not left


def test_energy_adds_up_over_the_time_in_which_an_app_serves() -> None:
    clock = Clock()
    meter = EnergyMeter(clock)
    meter.run([APP], REPORT.ready)
    clock.now = 10
    assert meter.read()[KEY] == {EDGE: pytest.approx(1.6), MOBILE: pytest.approx(0.2)}
    meter.run([replace(APP, ready=False)], REPORT.ready)
    clock.now = 100
    assert meter.read()[KEY][EDGE] == pytest.approx(1.6)


def test_energy_of_a_node_that_an_app_has_left_stays() -> None:
    clock = Clock()
    meter = EnergyMeter(clock)
    meter.run([APP], REPORT.ready)
    clock.now = 10
    cloud = Share("compute", "cloud-0", "cloud")
    meter.run([replace(APP, energy={cloud: 1e-3})], REPORT.ready)
    clock.now = 20
    assert meter.read()[KEY] == {
        EDGE: pytest.approx(1.6),
        MOBILE: pytest.approx(0.2),
        cloud: pytest.approx(0.2),
    }


def test_energy_stands_still_while_an_app_can_not_be_measured_and_goes_with_it() -> None:
    clock = Clock()
    meter = EnergyMeter(clock)
    meter.run([APP], REPORT.ready)
    clock.now = 10
    meter.run([], REPORT.ready)
    clock.now = 20
    assert meter.read()[KEY][EDGE] == pytest.approx(1.6)
    meter.run([], {})
    assert not meter.read()


def test_every_metric_is_defined_and_every_definition_is_a_metric(metrics: Metrics) -> None:
    found = {
        (f"{family.name}_total" if family.type == "counter" else family.name): family
        for family in metrics.registry.collect()
        if not family.name.startswith("process_")
    }
    assert found.keys() == BY_NAME.keys()
    for name, definition in BY_NAME.items():
        family = found[name]
        assert (family.type, family.documentation) == (definition.type, definition.text)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(definition.labels), name


def test_the_reference_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == reference(), "run `make metrics-reference`"


def test_the_text_is_what_prometheus_reads_and_keeps_its_conventions(metrics: Metrics) -> None:
    text = generate_latest(metrics.registry).decode()
    families = list(text_string_to_metric_families(text))
    assert families
    units = ("_seconds", "_joules", "_watts", "_bytes", "_cores", "_ratio", "_per_second")
    counted = {"fin_apps_admitted", "fin_apps_refused", "fin_app_ready", "fin_leader"}
    counted |= {"fin_node_pods_reserved", "fin_node_pods_usable", "fin_build_info"}
    counted |= {"fin_app_drifted"}
    for family in families:
        assert family.documentation, family.name
        assert family.documentation.endswith(".") or family.name.startswith("process_")
        if family.name.startswith("process_"):
            continue
        assert family.name.startswith("fin_")
        if family.type == "gauge":
            assert family.name.endswith(units) or family.name in counted, family.name
        if family.type == "counter":
            assert all(s.name.endswith("_total") for s in family.samples)
