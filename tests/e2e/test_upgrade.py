"""From an earlier chart to this one, while an app runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fin.controller import kinds
from testbed.images import image_name
from tests.e2e.breaking import uids
from tests.e2e.conftest import APP, HELD_OUT, install, reading, uninstall
from tests.e2e.faults import Steady
from tests.e2e.promised import pods
from tests.e2e.sites import Site

pytestmark = pytest.mark.timeout(600)

EARLIER = Path(__file__).parent / "charts" / "fin-operator-2026-11-26.tgz"
"""The chart of commit 925605e: its kinds know neither `arrivals` nor what is observed of apps, its
operator may not patch pods, and what image segments are of must be said."""
RATE = 20


@pytest.fixture
def steady(site: Site, measured: Path) -> Iterator[Steady]:
    """An app that the earlier chart's operator has placed, and who asks it all the while."""
    uninstall(site)  # what other tests have installed
    image = f"--set=segment.image={image_name('segment')}"
    own = () if any(each.startswith("segment.image=") for each in site.values) else (image,)
    install(site, "--create-namespace", *own, chart=str(EARLIER))
    with (
        reading(site, measured, {"cpuMinimum": "100m"}, rate=RATE),
        Steady(site, APP, HELD_OUT, RATE) as found,
    ):
        yield found
    uninstall(site)


def test_apps_run_on_while_the_chart_is_upgraded(steady: Steady) -> None:
    before = uids(pods(steady.site, APP))
    nodes = steady.now().nodes
    figures = steady.during(
        lambda: install(steady.site, "--reset-values", command="upgrade"),
        lambda state: state.nodes == nodes,
    )
    print(f"chart upgraded: {figures}")
    assert figures.failed == 0
    assert uids(pods(steady.site, APP)) == before
    # The kinds are the new ones: the old ones would drop the field.
    steady.api.patch(kinds.APP, "default", APP, {"spec": {"arrivals": "Periodic"}})
    assert steady.get()["spec"]["arrivals"] == "Periodic"
