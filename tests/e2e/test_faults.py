"""What happens to an app under steady traffic when something breaks, or moves as planned."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from fin.controller import kinds
from testbed.nodes.cluster import Cluster
from testbed.process import wait_for
from tests.e2e.breaking import (
    bypass,
    copied,
    crash,
    cut_for_a_moment,
    declare,
    delete_pod,
    deployments,
    drifted,
    filled,
    find,
    flops,
    kill_operator,
    label,
    ready,
    target,
    uids,
    watch_cut,
)
from tests.e2e.conftest import APP, HELD_OUT, NETWORK, await_ready, reading
from tests.e2e.faults import Figures, State, Steady
from tests.e2e.sites import OwnSite, Site
from tests.helpers.api import condition

pytestmark = pytest.mark.timeout(600)

HOME = ("camera-0", "gateway-0", "server-0")
RATE = 20
SLOW = 1.0
"""Seconds there and back over a link that was slowed."""

Tell = Callable[[str, Figures], None]


@pytest.fixture(scope="module")
def steady(operator: Site, measured: Path) -> Iterator[Steady]:
    """The app that reads digits on all three nodes, and who asks it all the while."""
    with (
        reading(operator, measured, {"cpuMinimum": "100m"}, rate=RATE),
        bypass(operator),
        Steady(operator, APP, HELD_OUT, RATE) as found,
    ):
        found.during(lambda: None, at_home)
        yield found


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Print figures, and keep them with the test's result."""

    def told(what: str, figures: Figures) -> None:
        record_property(what, str(figures))
        print(f"{what}: {figures}")

    return told


def at_home(state: State) -> bool:
    return state.nodes == HOME


def anywhere(state: State) -> bool:
    return bool(state.nodes)


def without(node: str) -> Callable[[State], bool]:
    return lambda state: bool(state.nodes) and node not in state.nodes


def test_a_lost_node(cluster: Cluster, steady: Steady, tell: Tell) -> None:
    lost = steady.during(cluster.nodes["gateway-0"].power_cut, without("gateway-0"))
    tell("node lost", lost)
    back = steady.during(lambda: find(cluster, steady, "gateway-0"), at_home)
    tell("node back", back)
    assert back.failed == 0


def test_a_drained_node(steady: Steady, tell: Tell) -> None:
    kubectl, node = steady.site.kubectl, steady.site.nodes["gateway-0"]
    drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s")
    drained = steady.during(lambda: kubectl(*drain, timeout=200), without("gateway-0"))
    tell("node drained", drained)
    back = steady.during(lambda: kubectl("uncordon", node), at_home)
    tell("node uncordoned", back)
    assert drained.failed == back.failed == 0


def test_a_label_that_is_removed(steady: Steady, tell: Tell) -> None:
    before = flops(steady, "gateway-0")
    removed = steady.during(lambda: label(steady, "gateway-0", None), without("gateway-0"))
    tell("label removed", removed)
    back = steady.during(lambda: label(steady, "gateway-0", before), at_home)
    tell("label back", back)
    assert removed.failed == back.failed == 0


def test_an_app_with_a_tighter_target(steady: Steady, tell: Tell) -> None:
    before = steady.now().revision
    tighter = steady.during(
        lambda: target(steady, "6ms"), lambda state: state.revision not in ("", before)
    )
    tell("tighter target", tighter)
    # It may keep what it has: that uses no more energy.
    back = steady.during(lambda: target(steady, "50ms"), at_home)
    tell("target as before", back)
    assert tighter.failed == back.failed == 0


def test_an_image_that_is_missing(steady: Steady, tell: Tell) -> None:
    def image(value: str | None) -> None:
        steady.api.patch(kinds.MODEL, "default", NETWORK, {"spec": {"segment": {"image": value}}})

    def told() -> bool:
        return "nowhere/to-be-found" in str(condition(steady.get(), "Ready"))

    def wrong() -> None:
        image("nowhere/to-be-found:1")
        wait_for(told, 60, "the condition to tell")

    before = steady.now().serving
    missing = steady.during(wrong, lambda state: state.serving == before, settled=False)
    tell("image missing", missing)
    back = steady.during(lambda: image(None), at_home)
    tell("image as before", back)
    assert missing.failed == back.failed == 0


def test_a_crashed_segment(cluster: Cluster, steady: Steady, tell: Tell) -> None:
    entry, *_ = (each["name"] for each in steady.get()["status"]["plan"]["segments"])
    crashed = steady.during(lambda: crash(cluster, steady, entry), at_home)
    tell("segment crashed", crashed)
    assert steady.pods()[entry]["status"]["containerStatuses"][0]["restartCount"] >= 1


def test_a_killed_operator(steady: Steady, tell: Tell) -> None:
    pods = steady.pods()
    killed = steady.during(lambda: kill_operator(steady), at_home)
    tell("operator killed", killed)
    assert killed.failed == 0
    assert uids(steady.pods()) == uids(pods)


def test_a_restarted_api_server(cluster: Cluster, steady: Steady, tell: Tell) -> None:
    pods = steady.pods()
    restarted = steady.during(cluster.control_plane.restart_apiserver, at_home)
    tell("API server restarted", restarted)
    assert restarted.failed == 0
    assert uids(steady.pods()) == uids(pods)


def test_a_watch_that_is_cut_while_objects_are_deleted(
    cluster: Cluster, steady: Steady, tell: Tell
) -> None:
    """What was deleted meanwhile is not missed: an app stays away, a segment comes back."""
    steady.api.create(kinds.APP, copied(steady.get(), "short-lived"))
    wait_for(lambda: bool(deployments(steady, "short-lived")), 60, "the other app's segments")
    *_, last = (each["name"] for each in steady.get()["status"]["plan"]["segments"])
    old = steady.pods()[last]["metadata"]["uid"]

    def delete() -> None:
        with watch_cut(cluster, steady):
            steady.api.delete(kinds.APP, "default", "short-lived")
            steady.api.delete(kinds.DEPLOYMENT, "default", last)
            wait_for(lambda: last not in steady.pods(), 60, "the segment to be gone")
        wait_for(
            lambda: ready(steady.pods().get(last)) not in ("", old), 90, "the segment to be back"
        )

    cut = steady.during(delete, at_home)
    tell("watch cut, segment deleted", cut)
    assert not deployments(steady, "short-lived")


def test_a_slow_link(cluster: Cluster, steady: Steady, tell: Tell) -> None:
    """It is observed; what the plan does about it, it does once the topology says so."""
    links = cluster.links
    assert links is not None

    def slow() -> None:
        links.change("camera-0", "gateway-0", bandwidth=100e6 / 8, rtt=SLOW)
        wait_for(lambda: drifted(steady) == "True", 150, "the condition Drifted")

    slowed = steady.during(slow, at_home, timeout=200)
    tell("link slowed, Drifted", slowed)
    declared = steady.during(lambda: declare(steady, f"{SLOW}s"), without("gateway-0"))
    tell("link declared slow", declared)
    links.change("camera-0", "gateway-0", bandwidth=100e6 / 8, rtt=0.005)
    back = steady.during(lambda: declare(steady, "5ms"), at_home)
    tell("link as before", back)
    assert slowed.failed == declared.failed == back.failed == 0


def test_apps_that_change_places_on_full_nodes(steady: Steady, tell: Tell) -> None:
    """No third place is free: the app of lower priority makes way, and is back soon."""
    nodes = ("gateway-0", "server-0")
    tiers = [[node.removesuffix("-0")] for node in nodes]
    specs = {"higher": {"priority": 1}, "lower": {"priority": -1}}

    def place(*where: list[str]) -> None:
        for name, tier in zip(specs, where, strict=True):
            patch = {"spec": {"placement": {"tiers": tier}}}
            steady.api.patch(kinds.APP, "default", name, patch)

    def on(node: str) -> Callable[[State], bool]:
        return lambda state: state.nodes == (node,)

    with ExitStack() as stack:
        for (name, spec), tier in zip(specs.items(), tiers, strict=True):
            made = {**spec, "rate": 10, "placement": {"tiers": tier}}
            steady.api.create(kinds.APP, copied(steady.get(), name, **made))
            stack.callback(steady.api.delete, kinds.APP, "default", name)
        for name in specs:
            await_ready(steady.site, name)
        planned = {each["name"] for each in steady.get()["status"]["plan"]["segments"]}
        wait_for(lambda: set(steady.pods()) == planned, 150, "what earlier plans left to go")
        for node in nodes:
            stack.enter_context(filled(steady, node, left=50))
        higher, lower = (
            stack.enter_context(Steady(steady.site, name, HELD_OUT, 10)) for name in specs
        )
        for one, node in ((higher, "gateway-0"), (lower, "server-0")):
            one.during(lambda: None, on(node))
        begin = time.time()
        moved = higher.during(lambda: place(*reversed(tiers)), on("server-0"))
        tell("changed places, the app of higher priority", moved)
        broken = lower.during(lambda: None, on("gateway-0"), begin=begin)
        tell("changed places, the app of lower priority", broken)
        assert moved.failed == 0


def test_twenty_faults_in_a_row(steady: Steady, tell: Tell) -> None:
    """Of those that the cluster's owner can cause too; more on the testbed."""
    random = Random(20)

    def any_segment() -> str:
        return random.choice(sorted(steady.pods()))

    def delete_deployment() -> None:
        steady.api.delete(kinds.DEPLOYMENT, "default", any_segment())

    def take_label_away_and_back() -> None:
        before = flops(steady, "gateway-0")
        label(steady, "gateway-0", None)
        label(steady, "gateway-0", before)

    faults: dict[str, Callable[[], None]] = {
        "operator killed": lambda: kill_operator(steady),
        "pod deleted": lambda: delete_pod(steady, any_segment()),
        "Deployment deleted": delete_deployment,
        "label gone and back": take_label_away_and_back,
        "target changed": lambda: target(steady, f"{random.randint(20, 60)}ms"),
    }
    if isinstance(steady.site, OwnSite):
        cluster = steady.site.cluster

        def switch_off_and_on() -> None:
            cluster.nodes["gateway-0"].power_cut()
            cluster.await_ready("gateway-0", ready=False)
            find(cluster, steady, "gateway-0")

        faults |= {
            "segment crashed": lambda: crash(cluster, steady, any_segment()),
            "API server restarted": cluster.control_plane.restart_apiserver,
            "node off and on": switch_off_and_on,
            "watch cut": lambda: cut_for_a_moment(cluster, steady),
        }
    for number in range(20):
        what = random.choice(sorted(faults))
        tell(f"{number + 1}. {what}", steady.during(faults[what], anywhere, timeout=180))
    tell("at the end", steady.during(lambda: target(steady, "50ms"), at_home))
