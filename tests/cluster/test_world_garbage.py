"""Whatever is in the snapshot, the world is built, and what was right stays as it was."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fin.cluster.snapshot import Snapshot
from fin.cluster.world import build_world
from tests.helpers.objects import app, container, link, model, node, pod, topology
from tests.helpers.objects import segment_deployment as deployment

GOOD: dict[str, tuple[dict[str, Any], ...]] = {
    "nodes": (node("mobile-0", "mobile"), node("edge-0")),
    "pods": (pod("p", "edge-0", container(cpu="100m")),),
    "topologies": (topology("zz", link("mobile", "edge")),),
    "models": (model(),),
    "apps": (app(),),
    "deployments": (deployment("camera", "edge-0"),),
}
SAMPLES: dict[str, dict[str, Any]] = {
    "nodes": node("edge-9", taints=[{"key": "a", "value": "b", "effect": "NoExecute"}]),
    "pods": pod(
        "q",
        "edge-9",
        container(cpu="1"),
        initContainers=[container("i", cpu="1")],
        resources={"requests": {"cpu": "1"}},
        overhead={"cpu": "1m"},
    ),
    "topologies": topology(
        "broken", link("moon", "edge-9"), interfaces=[{"on": {"tier": "moon"}, "egress": "1M"}]
    ),
    "models": model("broken", tolerations=[{"operator": "Exists"}]),
    "apps": app("broken", placement={"localBlocks": 1, "tiers": ["edge"]}),
    "deployments": deployment("broken", "edge-9"),
}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(
        ["0", "-1", "1e30", "9E", "NaN", "1Ki", "edge-0", "True", "2026-01-01", "5ms"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [p for key in value for p in paths(value[key], (*path, key))]
    if isinstance(value, list):
        found += [p for index, item in enumerate(value) for p in paths(item, (*path, index))]
    return found


@st.composite
def damaged(draw: st.DrawFn, kind: str) -> Any:
    """Return a good object in which one to three fields are replaced or missing; or anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    value = copy.deepcopy(SAMPLES[kind])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(paths(value)))
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.booleans()) and isinstance(parent, dict):
            del parent[path[-1]]
        else:
            parent[path[-1]] = draw(JSON)
        if not paths(value):
            break
    return value


@st.composite
def snapshots(draw: st.DrawFn) -> dict[str, tuple[Any, ...]]:
    return {kind: tuple(draw(st.lists(damaged(kind), max_size=2))) for kind in GOOD}


def named(value: Any) -> Any:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return metadata.get("name") if isinstance(metadata, dict) else None


@settings(max_examples=300, deadline=None)
@given(garbage=snapshots())
def test_garbage_never_raises_and_disturbs_nothing_else(
    garbage: dict[str, tuple[Any, ...]],
) -> None:
    good = build_world(Snapshot(**GOOD))
    found = build_world(Snapshot(**{kind: (*garbage[kind], *GOOD[kind]) for kind in GOOD}))
    key = ("default", "camera")
    assert found.problem.app[key].model == good.problem.app[key].model
    for name in ("mobile-0", "edge-0"):
        assert found.problem.node[name].joules_per_flop == good.problem.node[name].joules_per_flop
    assert found.problem.link[("mobile-0", "edge-0")] == good.problem.link[("mobile-0", "edge-0")]
    for finding in found.findings:
        assert finding.reason
        assert finding.message
    planned, rejected = found.problem.app.keys(), found.rejected.keys()
    assert not planned & rejected
    names = {
        named(each) for each in garbage["apps"] if isinstance(named(each), str) and named(each)
    }
    assert names <= {name for _, name in planned | rejected}
