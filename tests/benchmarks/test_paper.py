"""The page about the paper's figures is what comes out, as far as that is cheap to see."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.paper import files
from benchmarks.paper.__main__ import DOCS, FOLDER
from benchmarks.paper.figures import all_figures
from benchmarks.paper.page import page
from benchmarks.paper.points import Point, point, points
from benchmarks.paper.results import Results, best_saving, load
from benchmarks.paper.slots import Slots, slots
from benchmarks.paper.together import COUNTS, LOADS, SOLVERS, Together, shared, together
from fin.cli.drawing import save
from tests.helpers.paper_scenario import ACCURACIES, GRID

STALE = "run `make paper`"


@pytest.fixture(scope="module")
def results() -> Results:
    return load(FOLDER)


def written(kind: type[object], rows: Sequence[object], tmp_path: Path) -> list[dict[str, str]]:
    """Rows as they stand in a file."""
    file = tmp_path / "rows.csv"
    files.write(file, kind, rows)
    return lines(file)


def lines(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


def test_the_page_is_that_of_the_tables(results: Results) -> None:
    assert (DOCS / "paper.md").read_text(encoding="utf-8") == page(results), STALE


def test_the_pictures_of_the_page_are_there_and_can_be_drawn(
    results: Results, tmp_path: Path
) -> None:
    text = (DOCS / "paper.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\((\S+)\)", text)
    first, again = all_figures(results), all_figures(results)
    assert shown == [f"paper/{name}.svg" for name in first]
    for name in first:
        assert (FOLDER / f"{name}.svg").read_bytes().startswith(b"<?xml")
        save(first[name], tmp_path / "first.svg")
        save(again[name], tmp_path / "again.svg")
        assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()


def test_a_few_points_are_right(tmp_path: Path) -> None:
    stored = lines(FOLDER / "points.csv")
    grid = [
        (name, latency, accuracy)
        for name, (_, latencies) in GRID.items()
        for latency in latencies
        for accuracy in ACCURACIES
    ]
    assert len(stored) == len(grid)
    some = range(7, len(grid), 29)
    found = written(Point, [point(*grid[index]) for index in some], tmp_path)
    assert found == [stored[index] for index in some], STALE


@pytest.mark.parametrize("gamma", [10, 30, None])
def test_slots_of_a_network_are_right(tmp_path: Path, gamma: int | None) -> None:
    stored = lines(FOLDER / "slots.csv")
    (found,) = written(Slots, [slots("alexnet-10", gamma)], tmp_path)
    assert found in stored, STALE


@pytest.mark.parametrize("load", LOADS)
def test_a_few_applications_together_are_right(tmp_path: Path, load: str) -> None:
    stored = lines(FOLDER / "together.csv")
    assert len(stored) == len(LOADS) * len(COUNTS) * len(SOLVERS)
    found = written(Together, [*together(load, 2), *together(load, 6)], tmp_path)
    assert [each for each in found if each not in stored] == [], STALE


def test_no_feasible_point_is_missed_and_none_is_below_the_optimum(results: Results) -> None:
    for each in results.points:
        assert (each.fin is None) == (each.optimum is None)
        if each.fin and each.optimum and each.mcp and each.mcp_cheapest and each.mcp_dearest:
            assert each.fin >= each.optimum * (1 - 1e-5)
            assert each.optimum <= each.mcp_cheapest * (1 + 1e-5)
            assert each.mcp_cheapest <= each.mcp * (1 + 1e-5)
            assert each.mcp <= each.mcp_dearest * (1 + 1e-5)
            parts = (each.exit_part or 0.0) + (each.split_part or 0.0)
            assert parts == pytest.approx(each.saving(each.mcp), abs=1e-4)


def test_the_page_says_less_where_less_is_saved(results: Results) -> None:
    assert "reproduced for 3 of 4 networks" in page(results)
    assert best_saving(results, "resnet") > 0.89
    dearer = [replace(each, fin=each.mcp) for each in results.points]
    worse = page(replace(results, points=dearer))
    assert "not at every point" in worse
    assert "reproduced for 0 of 4 networks" in worse


def test_applications_share_the_servers_and_nothing_else() -> None:
    problem = shared(100.0, 5)
    assert len({app.source for app in problem.apps}) == 5
    assert sorted(node.name for node in problem.nodes)[:2] == ["cloud", "edge"]
    ends = {frozenset((link.source, link.target)) for link in problem.links}
    assert len(ends) == 1 + 2 * 5
    assert len(problem.links) == 2 * len(ends)


def test_the_whole_grid_is_measured() -> None:
    first = next(points())
    assert (first.model, first.latency, first.accuracy) == ("alexnet-10", 3.0, 0.1)
