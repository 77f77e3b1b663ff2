"""`fin plan --running`: what runs stays, unless a move saves enough or lets an app in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from fin.api.names import ANNOTATION_PLAN, LABEL_APP
from tests.cli.conftest import Fin
from tests.helpers import objects

Write = Callable[..., Path]
Small = list[dict[str, Any]]
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def examples(fin: Fin, write: Write) -> tuple[Path, Path]:
    """The examples, and what `fin plan -o yaml` makes of them."""
    made = fin("plan", "-f", EXAMPLES, "-o", "yaml")
    return EXAMPLES, write("running.yaml", made.stdout)


def planned(fin: Fin, *arguments: object) -> dict[str, Any]:
    result = fin("plan", *arguments, "-o", "json")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def where(found: dict[str, Any]) -> dict[str, Any]:
    return {app["name"]: app["revision"] for app in found["apps"]}


def test_what_runs_as_planned_stays(fin: Fin, examples: tuple[Path, Path]) -> None:
    files, running = examples
    before, after = planned(fin, "-f", files), planned(fin, "-f", files, "--running", running)
    assert where(after) == where(before)
    assert after["running"]["moved"] == 0
    assert after["running"]["kept"] == sum(app["feasible"] for app in before["apps"])
    assert after["running"]["costOfStayingWatts"] == pytest.approx(0, abs=1e-9)
    assert "running" not in before


def test_a_move_must_save_enough(fin: Fin, write: Write, small: Small) -> None:
    """A node that has become better draws the app away only where no more is asked for."""
    files = write("a.yaml", small)
    running = write("running.yaml", fin("plan", "-f", files, "-o", "yaml").stdout)
    (app,) = planned(fin, "-f", files)["apps"]
    assert [each["node"] for each in app["segments"]] == ["edge-0"]
    better = objects.node("mobile-0", "mobile", cpu="1", flops="12G", gflops_per_watt="1000")
    others = write("b.yaml", [better, *small[1:]])
    fresh = planned(fin, "-f", others)
    assert where(fresh) != where({"apps": [app]})
    stays = planned(fin, "-f", others, "--running", running, "--min-saving", "1")
    moves = planned(fin, "-f", others, "--running", running, "--min-saving", "0")
    assert where(stays) == where({"apps": [app]})
    assert where(moves) == where(fresh)
    assert (stays["running"]["kept"], stays["running"]["moved"]) == (1, 0)
    assert (moves["running"]["kept"], moves["running"]["moved"]) == (0, 1)
    assert stays["running"]["bestPowerWatts"] == pytest.approx(fresh["totalPowerWatts"])
    cost = stays["totalPowerWatts"] - fresh["totalPowerWatts"]
    assert cost > 0
    assert stays["running"]["costOfStayingWatts"] == pytest.approx(cost)


def test_the_table_says_what_staying_costs(fin: Fin, examples: tuple[Path, Path]) -> None:
    files, running = examples
    result = fin("plan", "-f", files, "--running", running)
    assert "staying costs 0 W" in result.stdout


def test_what_can_not_stay_is_said_and_planned_anew(
    fin: Fin, write: Write, examples: tuple[Path, Path]
) -> None:
    files, running = examples
    made = list(yaml.safe_load_all(running.read_text()))
    entries = [each for each in made if ANNOTATION_PLAN in each["metadata"].get("annotations", {})]
    entries[0]["metadata"]["annotations"][ANNOTATION_PLAN] = "{}"
    entries[1]["metadata"]["labels"][LABEL_APP] = "gone"
    edited = write("edited.yaml", made)
    result = fin("plan", "-f", files, "--running", edited, "-o", "json")
    assert json.loads(result.stdout)["running"]["kept"] == len(entries) - 2
    assert "can't be read; it counts as not running" in result.stderr
    assert "gone is not to be planned; its room counts as free" in result.stderr
    assert "edited.yaml" in result.stderr


def test_an_app_on_a_lost_node_is_planned_anew(
    fin: Fin, write: Write, examples: tuple[Path, Path]
) -> None:
    files, running = examples
    everything = [
        each
        for file in sorted(files.glob("*.yaml"))
        for each in yaml.safe_load_all(file.read_text())
    ]
    left = [
        each
        for each in everything
        if each["kind"] != "Node" or each["metadata"]["name"] != "edge-0"
    ]
    result = fin("plan", "-f", write("left.yaml", left), "--running", running, "-o", "json")
    found = json.loads(result.stdout)
    assert "node edge-0 is gone; the app is planned anew" in result.stderr
    nodes = {segment["node"] for app in found["apps"] for segment in app["segments"]}
    assert "edge-0" not in nodes
    assert found["running"]["kept"] > 0


@pytest.mark.parametrize("content", ["", "kind: Deployment\napiVersion: apps/v1\n", "a: ["])
def test_a_file_without_a_plan_is_refused(
    fin: Fin, write: Write, small: Small, content: str
) -> None:
    running = write("running.yaml", content)
    result = fin("plan", "-f", write("a.yaml", small), "--running", running)
    assert result.exit_code == 2
    assert "running.yaml" in result.stderr
