"""What README and tutorial print is what comes out."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Fin

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The tutorial's files, in an empty folder."""
    blocks = re.findall(r"`(\w+\.yaml)`:\n\n```yaml\n(.*?)```", TUTORIAL, re.S)
    assert [name for name, _ in blocks] == [
        "nodes.yaml",
        "topology.yaml",
        "model.yaml",
        "app.yaml",
    ]
    for name, text in blocks:
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def printed(page: str, command: str) -> list[str]:
    """Lines that a page shows under a command, without those that stand for others."""
    _, _, rest = page.partition(f"\n$ {command}\n")
    assert rest, command
    shown = re.split(r"^(?:\$ |```)", rest, maxsplit=1, flags=re.M)[0]
    return [line for line in shown.splitlines() if line.strip() not in ("", "...")]


def test_readme_shows_the_plan_of_the_examples(fin: Fin) -> None:
    real = fin("plan", "-f", ROOT / "examples").stdout.splitlines()
    lines = printed(README, ".venv/bin/fin plan -f examples/")
    assert len(lines) > 10
    assert [line for line in lines if line not in real] == []


def test_readme_shows_the_comparison_of_the_examples(fin: Fin) -> None:
    def timeless(lines: list[str]) -> list[str]:
        return [re.sub(r" +[\d.]+ (s|ms|µs)\b", "", line) for line in lines]

    real = timeless(fin("compare", "-f", ROOT / "examples").stdout.splitlines())
    command = ".venv/bin/fin compare -f examples/ --picture compare.svg"
    lines = timeless(printed(README, command))
    assert len(lines) > 6
    assert [line for line in lines if line not in real] == []


@pytest.mark.parametrize(
    "options", ["", " --solver source-only", " --solver edge-only", " --solver optimal"]
)
def test_tutorial_shows_its_plans(fin: Fin, files: Path, options: str) -> None:
    command = f"fin plan .{options}" + (" | tail -1" if options else "")
    real = fin("plan", files, *options.split()).stdout.splitlines()
    assert [line for line in printed(TUTORIAL, command) if line not in real] == []


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("minAccuracy: 0.9", "minAccuracy: 0.8", "191 mW"),
        ("100ms", "10ms", "LatencyUnreachable: latency 16.9 ms at best, target 10 ms"),
        (
            "minAccuracy: 0.9",
            "minAccuracy: 0.99",
            "AccuracyUnreachable: accuracy 0.92 at best, asked for 0.99",
        ),
        ("rate: 5", "rate: 500", "RateTooHigh: rate 122/s at best, asked for 500/s"),
        ("  minAcc", "  placement: {tiers: [mobile]}\n  minAcc", "603 mW"),
        ("  minAcc", "  placement: {localBlocks: 2}\n  minAcc", "328 mW"),
        (
            "rate: 5",
            "rates: 5",
            "InferenceApp default/door: spec.rates: is not a field; did you mean rate?",
        ),
    ],
)
def test_tutorial_tells_what_changes_do(
    fin: Fin, files: Path, old: str, new: str, outcome: str
) -> None:
    assert outcome in TUTORIAL
    app = files / "app.yaml"
    app.write_text(app.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    result = fin("plan", files)
    assert outcome in result.stdout + result.stderr


def test_links_between_pages_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
