"""kind-config.yaml and the quickstart that uses it, read as the operator reads them."""

import re
from pathlib import Path
from typing import Any

import yaml

from fin.cluster.snapshot import Snapshot
from fin.cluster.world import build_world
from tests.helpers.objects import node

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def workers() -> list[dict[str, str]]:
    """Labels of the workers, in kind's order."""
    config = yaml.safe_load((ROOT / "kind-config.yaml").read_text(encoding="utf-8"))
    assert config["apiVersion"] == "kind.x-k8s.io/v1alpha4"
    control_plane, *others = config["nodes"]
    assert control_plane == {"role": "control-plane"}
    assert all(one["role"] == "worker" for one in others)
    return [one["labels"] for one in others]


def kind_nodes() -> tuple[dict[str, Any], ...]:
    """The workers as Nodes, by the names that kind gives them."""
    names = ["fin-worker", *(f"fin-worker{number}" for number in range(2, 100))]
    pairs = zip(names, workers(), strict=False)
    return tuple(node(name, None, labels=labels) for name, labels in pairs)


def test_workers_carry_the_labels_of_the_example_nodes() -> None:
    documents = yaml.safe_load_all((EXAMPLES / "nodes.yaml").read_text(encoding="utf-8"))
    assert workers() == [one["metadata"]["labels"] for one in documents]


def test_every_worker_takes_part_and_every_tier_is_there() -> None:
    world = build_world(Snapshot(nodes=kind_nodes()))
    assert world.findings == ()
    assert len(world.problem.nodes) == len(workers())
    assert {one.tier for one in world.problem.nodes} == {"mobile", "edge", "cloud"}


def test_the_quickstart_brings_every_example_onto_the_workers() -> None:
    quickstart = (ROOT / "docs" / "quickstart-kind.md").read_text(encoding="utf-8")
    applied = re.findall(r"examples/(\S+?\.yaml)", quickstart)
    assert sorted(applied) == sorted(
        path.name for path in EXAMPLES.glob("*.yaml") if path.name != "nodes.yaml"
    )
    renamed = dict(re.findall(r"'s/(\S+?)/(\S+?)/g'", quickstart))
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for name in applied:
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        for old, new in renamed.items():
            text = text.replace(old, new)
        for document in yaml.safe_load_all(text):
            document["metadata"].setdefault("namespace", "default")
            by_kind.setdefault(document["kind"], []).append(document)

    world = build_world(
        Snapshot(
            nodes=kind_nodes(),
            topologies=tuple(by_kind["NetworkTopology"]),
            models=tuple(by_kind["DNNModel"]),
            apps=tuple(by_kind["InferenceApp"]),
        )
    )
    assert world.rejected == {}
    assert len(world.problem.apps) == len(by_kind["InferenceApp"]) > 0
    assert {finding.reason for finding in world.findings} <= {"Accepted"}
    tiers = {one.name: one.tier for one in world.problem.nodes}
    linked = {(tiers[link.source], tiers[link.target]) for link in world.problem.links}
    assert {("mobile", "edge"), ("edge", "mobile"), ("edge", "cloud")} <= linked
