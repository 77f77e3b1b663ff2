"""`fin compare`: every solver on the same files."""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fin.cli.comparison import Compared, Comparison
from fin.cli.comparison import compared as compared_with
from fin.cli.drawing import save
from fin.cli.inputs import load
from fin.cli.outcome import outcome
from fin.cli.picture import draw
from fin.cluster.settings import SegmentSettings
from fin.planning.solvers import SOLVERS, make_plan
from tests.cli.conftest import Fin
from tests.helpers import objects

Write = Callable[..., Path]
Small = list[dict[str, Any]]
EXAMPLES = Path(__file__).parents[2] / "examples"


def compared(fin: Fin, *arguments: object) -> dict[str, dict[str, Any]]:
    result = fin("compare", *arguments, "-o", "json")
    assert result.exit_code == 0
    return {each["solver"]: each for each in json.loads(result.stdout)["solvers"]}


def test_every_solver_is_there_and_says_what_fin_plan_says(fin: Fin) -> None:
    found = compared(fin, "-f", EXAMPLES)
    assert set(found) == set(SOLVERS)
    assert next(iter(found)) == "fin"
    for solver in ("fin", "mcp", "cloud-only"):
        alone = json.loads(fin("plan", EXAMPLES, "--solver", solver, "-o", "json").stdout)
        apps = [
            {key: value for key, value in app.items() if key != "broken"}
            for app in found[solver]["apps"]
        ]
        assert apps == alone["apps"]
        assert found[solver]["totalPowerWatts"] == alone["totalPowerWatts"]
        assert found[solver]["admitted"] == sum(app["feasible"] for app in alone["apps"])


def test_the_saving_is_that_of_the_apps_that_both_plan(fin: Fin) -> None:
    found = compared(fin, EXAMPLES)
    ours = {app["name"]: app["powerWatts"] for app in found["fin"]["apps"]}
    assert found["fin"]["saving"] is None
    for solver, each in found.items():
        assert each["seconds"] > 0
        if solver == "fin":
            continue
        theirs = {app["name"]: app["powerWatts"] for app in each["apps"] if app["feasible"]}
        watts = sum(theirs.values()) - sum(ours[name] for name in theirs)
        assert each["saving"]["apps"] == len(theirs)
        assert each["saving"]["powerWatts"] == pytest.approx(watts, abs=1e-9)
        assert each["saving"]["share"] == pytest.approx(watts / sum(theirs.values()), abs=1e-9)
    assert found["optimal"]["saving"]["share"] == pytest.approx(0, abs=1e-3)
    assert found["mcp"]["saving"]["share"] > 0.5


def test_the_constraints_that_a_baseline_breaks_are_named(fin: Fin) -> None:
    found = compared(fin, EXAMPLES)
    (drone,) = (app for app in found["mcp"]["apps"] if not app["feasible"])
    assert (drone["name"], drone["reason"]) == ("drone-pilot", "ConstraintBroken")
    assert drone["broken"] == ["Latency", "Bandwidth"]
    assert "0.02 s" in drone["message"]
    (drone,) = (app for app in found["fin"]["apps"] if not app["feasible"])
    assert drone["broken"] == []


def test_the_table_has_a_row_for_each_solver_and_app(fin: Fin) -> None:
    result = fin("compare", "-f", EXAMPLES)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("fin 8 of 9 15 W 0.0 % - - ") for line in lines)
    assert any(
        line.startswith("mcp 8 of 9 86.9 W 82.7 % 82.7 % 8 ")
        and line.endswith(" Bandwidth (1), Latency (1)")
        for line in lines
    )
    starts = {"Energy": "13.9 mJ", "Latency": "30.7 ms", "Accuracy": "79.2 %"}
    for title, first in starts.items():
        (row,) = (index for index, line in enumerate(lines) if line.startswith(f"{title} fin "))
        table = lines[row + 2 : row + 11]
        assert any(line.startswith(f"gate-camera {first} ") for line in table)
        assert "drone-pilot - - - - - - - -" in table


def test_an_app_that_no_solver_may_plan_is_counted(fin: Fin, write: Write, small: Small) -> None:
    files = write("a.yaml", [*small, objects.app("orphan", model="missing")])
    found = compared(fin, files)
    for each in found.values():
        (orphan,) = (app for app in each["apps"] if app["name"] == "orphan")
        assert orphan["reason"] == "ModelNotFound"
    assert "1 of 2" in fin("compare", files).stdout


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_picture_is_drawn(
    fin: Fin, write: Write, small: Small, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"picture.{suffix}"
    files = write("a.yaml", small)
    result = fin("compare", files, "--picture", file)
    assert (result.exit_code, result.stderr) == (0, "")
    drawn = file.read_bytes()
    if suffix == "png":
        assert drawn.startswith(b"\x89PNG")
    else:
        root = ElementTree.fromstring(drawn)
        assert root.tag.endswith("svg")
        assert b"<dc:date>" not in drawn


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_comparison_is_the_same_file(
    write: Write, small: Small, tmp_path: Path, suffix: str
) -> None:
    world = load([str(write("a.yaml", small))], 0.8).world
    results: list[Compared] = []
    for solver in ("fin", "mcp"):
        plan = make_plan(world.problem, solver=solver)
        found = outcome(world, plan, SegmentSettings("fin-segment", allow_host_path=True))
        results.append(compared_with(found, 1.0, results[0].outcome if results else None))
    files = [tmp_path / f"{number}.{suffix}" for number in range(2)]
    for file in files:
        save(draw(Comparison(results)), file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_picture_without_a_single_plan(
    fin: Fin, write: Write, small: Small, tmp_path: Path
) -> None:
    small[-1]["spec"]["latency"] = {"target": "1us"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fin("compare", write("a.yaml", small), "--picture", tmp_path / "none.svg")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (tmp_path / "none.svg").stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("picture.gif", "must end in .svg or .png"),
        ("picture", "must end in .svg or .png"),
        ("nowhere/picture.svg", "there is no directory"),
    ],
)
def test_a_picture_that_cannot_be_is_refused_before_any_work(
    fin: Fin, tmp_path: Path, name: str, said: str
) -> None:
    result = fin("compare", EXAMPLES, "--picture", tmp_path / name)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout == ""


def test_a_picture_that_cannot_be_written_is_named(
    fin: Fin, write: Write, small: Small, tmp_path: Path
) -> None:
    (tmp_path / "taken.svg").mkdir()
    result = fin("compare", write("a.yaml", small), "--picture", tmp_path / "taken.svg")
    assert result.exit_code == 2
    assert "taken.svg: can't be written: " in result.stderr


def test_without_matplotlib_only_the_picture_is_missing(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = (
            "import sys\nsys.modules['matplotlib'] = None\n"
            f"sys.argv = ['fin', 'compare', {str(EXAMPLES)!r}, *{arguments!r}]\n"
            "from fin.cli import main\nmain()\n"
        )
        command = [sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    assert run().returncode == 0
    result = run("--picture", str(tmp_path / "a.svg"))
    assert result.returncode == 1
    assert result.stdout == ""
    said = "error: --picture needs matplotlib, which is not installed: "
    assert result.stderr == said + "pip install 'fin-operator[picture]'\n"


def test_bad_input_is_status_2_and_named(fin: Fin, write: Write, small: Small) -> None:
    small[-1]["spec"]["minAccuracy"] = "high"
    result = fin("compare", write("a.yaml", small))
    assert result.exit_code == 2
    assert "InferenceApp default/camera: spec.minAccuracy" in result.stderr
    assert fin("compare").exit_code == 2
