"""``make paper``: compute the paper's figures anew, and write page, figures and tables."""

from pathlib import Path

from benchmarks.paper.figures import all_figures
from benchmarks.paper.page import page
from benchmarks.paper.points import points
from benchmarks.paper.results import load, store
from benchmarks.paper.slots import all_slots
from benchmarks.paper.together import all_together
from fin.cli.drawing import save

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "paper"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    store(FOLDER, points(), all_slots(), all_together())
    write()


def write() -> None:
    """Write page and figures from the results as they are in their files."""
    results = load(FOLDER)
    (DOCS / "paper.md").write_text(page(results), encoding="utf-8")
    for name, figure in all_figures(results).items():
        save(figure, FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
