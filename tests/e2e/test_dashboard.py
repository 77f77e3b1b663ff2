"""What Prometheus gets by the chart's annotations, and the dashboard shows of it."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from fin.controller import kinds
from testbed.nodes.cluster import Cluster
from testbed.nodes.dashboard import draw, panels
from testbed.nodes.prometheus import Prometheus
from testbed.process import wait_for
from tests.e2e.conftest import APP, HELD_OUT, reading
from tests.e2e.faults import Steady
from tests.e2e.sites import ROOT, Site

pytestmark = pytest.mark.timeout(600)

RULES = ROOT / "helm" / "fin-operator" / "files" / "prometheus" / "rules.yaml"
RATE = 20
SHOWN = 180.0
"""Seconds that a picture shows."""


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, operator: Site, measured: Path) -> Iterator[Prometheus]:
    """One that scrapes the operator and an app that is asked, and planned anew meanwhile."""
    with (
        Prometheus(cluster.control_plane, [RULES]) as found,
        reading(operator, measured, {"cpuMinimum": "100m"}, rate=RATE / 2),
        Steady(operator, APP, HELD_OUT, RATE) as steady,
    ):
        wait_for(lambda: bool(found.query("fin_app_rate_per_second")), 60, "the app's metrics")
        steady.api.patch(kinds.APP, "default", APP, {"spec": {"rate": RATE}})
        yield found


def test_operator_and_segments_are_scraped(prometheus: Prometheus) -> None:
    def scraped() -> list[str]:
        return sorted(
            each["labels"]["node"]
            for each in prometheus.targets()
            if each["health"] == "up" and each["labels"]["app_kubernetes_io_name"] == "fin-segment"
        )

    wait_for(lambda: scraped() == ["camera-0", "gateway-0", "server-0"], 60, "three segments")
    (operator,) = prometheus.query("fin_leader == 1")
    assert operator.labels["service"] == "fin-operator-metrics"


def test_every_panel_has_data(prometheus: Prometheus) -> None:
    queries = [expression for panel in panels() for expression, _ in panel.queries]
    empty: list[str] = []

    def are_answered() -> bool:
        empty[:] = [each for each in queries if not has_data(prometheus, each)]
        return not empty

    try:
        wait_for(are_answered, 180, "all panels to have data")
    finally:
        assert not empty


def test_it_can_be_drawn(
    prometheus: Prometheus, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pictures = request.config.getoption("--pictures", None)
    if pictures:
        wait_for(lambda: is_long(prometheus), 240, "enough to see")
    file = Path(pictures or tmp_path) / "dashboard.png"
    draw(prometheus, file, SHOWN)
    assert file.read_bytes().startswith(b"\x89PNG")


def is_long(prometheus: Prometheus) -> bool:
    """Whether what is observed covers half of what a picture shows."""
    (series,) = prometheus.range("fin_app_observed_rate_per_second", SHOWN)
    return series.values[-1][0] - series.values[0][0] > SHOWN / 2


def has_data(prometheus: Prometheus, query: str) -> bool:
    found = prometheus.query(query)
    return any(math.isfinite(value) for series in found for _, value in series.values)


def test_no_alert_fires_while_all_is_well(prometheus: Prometheus) -> None:
    assert prometheus.query("ALERTS{severity!='info'}") == []
