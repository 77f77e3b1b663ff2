from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fin.cluster.capacity import Amount, Demand, Room, demands, pod_requests, quantity
from tests.helpers.objects import container, pod

SEGMENT_LABELS = {
    "app.kubernetes.io/managed-by": "fin-operator",
    "finoperator.io/segment": "abcd1234",
}
MI = 2**20


def amount(cpu: str, memory_mi: int = 0) -> Amount:
    return Amount(Fraction(cpu), Fraction(memory_mi * MI))


def init(name: str, *, sidecar: bool = False, **requests: str) -> dict[str, Any]:
    always = {"restartPolicy": "Always"} if sidecar else {}
    return {**container(name, **requests), **always}


def test_containers_add_up_exactly() -> None:
    found = pod_requests(
        pod("p", "n1", container("a", cpu="0.1", memory="1Mi"), container("b", cpu="200m"))
    )
    assert found == amount("3/10", 1)


def test_the_largest_init_container_counts_where_it_exceeds_the_containers() -> None:
    found = pod_requests(
        pod(
            "p",
            "n1",
            container("a", cpu="100m", memory="64Mi"),
            initContainers=[init("x", cpu="1"), init("y", cpu="300m", memory="32Mi")],
        )
    )
    assert found == amount("1", 64)


def test_a_sidecar_runs_beside_the_containers_and_beside_later_init_containers() -> None:
    found = pod_requests(
        pod(
            "p",
            "n1",
            container("a", cpu="100m"),
            initContainers=[
                init("early", cpu="250m"),
                init("proxy", sidecar=True, cpu="200m"),
                init("late", cpu="150m"),
            ],
        )
    )
    # 300m while it runs; 350m while "late" runs beside the proxy.
    assert found == amount("0.35")


def test_an_init_container_before_the_sidecar_does_not_run_beside_it() -> None:
    found = pod_requests(
        pod(
            "p",
            "n1",
            container("a", cpu="100m"),
            initContainers=[init("early", cpu="250m"), init("proxy", sidecar=True, cpu="100m")],
        )
    )
    assert found == amount("0.25")


def test_overhead_comes_on_top() -> None:
    found = pod_requests(
        pod("p", "n1", container(cpu="100m"), overhead={"cpu": "50m", "memory": "10Mi"})
    )
    assert found == amount("0.15", 10)


def test_missing_requests_are_the_limits() -> None:
    limited = {"name": "a", "resources": {"limits": {"cpu": "1", "memory": "5Mi"}}}
    partly = {
        "name": "b",
        "resources": {"limits": {"cpu": "1", "memory": "5Mi"}, "requests": {"cpu": "100m"}},
    }
    assert pod_requests(pod("p", "n1", limited, partly)) == amount("1.1", 10)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"requests": {"cpu": "2"}}, amount("2", 8)),
        ({"requests": {"cpu": "2", "memory": "9Mi"}}, amount("2", 9)),
        ({"limits": {"cpu": "3", "memory": "9Mi"}}, amount("0.5", 8)),
        ({"requests": {"memory": "9Mi"}, "limits": {"cpu": "3"}}, amount("0.5", 9)),
    ],
)
def test_requests_of_the_whole_pod_replace_those_of_its_containers(
    resources: dict[str, Any], expected: Amount
) -> None:
    found = pod_requests(pod("p", "n1", container(cpu="500m", memory="8Mi"), resources=resources))
    assert found == expected


def test_limits_of_the_whole_pod_count_where_no_container_requests_anything() -> None:
    limits = {"cpu": "3", "memory": "9Mi"}
    assert pod_requests(pod("p", "n1", container(), resources={"limits": limits})) == amount("3", 9)


def resized(asked: str, granted: str, condition: dict[str, str] | None = None) -> dict[str, Any]:
    found = pod("p", "n1", container("a", cpu=asked))
    found["status"]["containerStatuses"] = [
        {
            "name": "a",
            "resources": {"requests": {"cpu": granted}},
            "allocatedResources": {"cpu": granted},
        }
    ]
    found["status"]["conditions"] = [condition] if condition else []
    return found


def test_a_resize_counts_with_the_greater_until_it_is_over() -> None:
    assert pod_requests(resized("1", "2")) == amount("2")
    assert pod_requests(resized("2", "1")) == amount("2")


def test_a_resize_that_the_node_can_never_grant_counts_with_what_it_has() -> None:
    infeasible = {"type": "PodResizePending", "reason": "Infeasible"}
    deferred = {"type": "PodResizePending", "reason": "Deferred"}
    assert pod_requests(resized("9", "1", infeasible)) == amount("1")
    assert pod_requests(resized("9", "1", deferred)) == amount("9")


def test_only_bound_pods_that_have_not_ended_take_room() -> None:
    pods = [
        pod("runs", "n1", container(cpu="100m", memory="1Mi")),
        pod("starts", "n1", container(cpu="100m"), phase="Pending"),
        pod("unknown", "n1", container(cpu="100m"), phase="Unknown"),
        pod("done", "n1", container(cpu="4"), phase="Succeeded"),
        pod("failed", "n1", container(cpu="4"), phase="Failed"),
        pod("unbound", None, container(cpu="4"), phase="Pending"),
        pod("other", "n2", container(cpu="1")),
    ]
    taken = demands(pods)
    assert taken["n1"] == Demand(Room(300, MI, 3), Room(300, MI, 3))
    assert taken["n2"].total == Room(1000, 0, 1)
    assert set(taken) == {"n1", "n2"}


def test_a_terminating_pod_still_takes_its_room() -> None:
    leaving = pod("p", "n1", container(cpu="100m"))
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert demands([leaving])["n1"].total == Room(100, 0, 1)


def test_cpu_is_rounded_up_pod_by_pod() -> None:
    pods = [pod(f"p{i}", "n1", container(cpu="100u", memory="500m")) for i in range(3)]
    assert demands(pods)["n1"].total == Room(3, 3, 3)


def test_a_segment_is_not_foreign() -> None:
    segment = pod(
        "s", "n1", container("segment", cpu="400m", memory="128Mi"), labels=SEGMENT_LABELS
    )
    assert demands([segment])["n1"] == Demand(Room(400, 128 * MI, 1), Room())


def test_what_is_injected_into_a_segment_is_foreign() -> None:
    segment = pod(
        "s",
        "n1",
        container("segment", cpu="400m", memory="128Mi"),
        container("proxy", cpu="50m", memory="40Mi"),
        labels=SEGMENT_LABELS,
        overhead={"cpu": "10m"},
    )
    assert demands([segment])["n1"] == Demand(Room(460, 168 * MI, 1), Room(60, 40 * MI, 0))


@pytest.mark.parametrize("missing", list(SEGMENT_LABELS))
def test_a_pod_with_one_of_the_labels_alone_is_foreign(missing: str) -> None:
    labels = {key: value for key, value in SEGMENT_LABELS.items() if key != missing}
    other = pod("s", "n1", container("segment", cpu="400m"), labels=labels)
    assert demands([other])["n1"].foreign == Room(400, 0, 1)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("250m", Fraction(1, 4)),
        ("1e3", Fraction(1000)),
        (2, Fraction(2)),
        (0.5, Fraction(1, 2)),
        ("0.1", Fraction(1, 10)),
        ("lots", None),
        ("", None),
        (-1, None),
        (True, None),
        (None, None),
        (["1"], None),
        pytest.param(10**5000, None, id="huge"),
        (float("nan"), None),
    ],
)
def test_quantities_of_core_objects(written: object, value: Fraction | None) -> None:
    assert quantity(written) == value


@given(
    running=st.lists(st.integers(0, 4000), max_size=4),
    starting=st.lists(st.tuples(st.integers(0, 4000), st.booleans()), max_size=5),
    overhead=st.integers(0, 100),
)
def test_requests_are_the_most_that_runs_at_any_moment(
    running: list[int], starting: list[tuple[int, bool]], overhead: int
) -> None:
    """Played step by step: init containers in order, sidecars stay, then all containers."""
    peak = sidecars = 0
    for millicores, sidecar in starting:
        peak = max(peak, sidecars + millicores)
        sidecars += millicores if sidecar else 0
    peak = max(peak, sidecars + sum(running)) + overhead
    found = pod_requests(
        pod(
            "p",
            "n1",
            *(container(f"c{i}", cpu=f"{m}m") for i, m in enumerate(running)),
            initContainers=[
                init(f"i{i}", sidecar=sidecar, cpu=f"{m}m")
                for i, (m, sidecar) in enumerate(starting)
            ],
            overhead={"cpu": f"{overhead}m"},
        )
    )
    assert found.cpu * 1000 == peak
