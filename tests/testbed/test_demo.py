"""The demonstration, as a user runs it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import link
from testbed.process import wait_for
from tests.helpers.processes import processes_that_name, wait_until_gone

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, "-m", "testbed.demo"]

pytestmark = pytest.mark.cluster


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the demo keeps its files; at the end neither a file nor a process is left."""
    # Short, since sockets live there.
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        monkeypatch.setenv("TMPDIR", directory)
        yield Path(directory)
        wait_for(lambda: not any(Path(directory).iterdir()), 20, f"{directory} to be empty")
        assert not processes_that_name(Path(directory))


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *args], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def test_it_shows_everything_and_ends_well(place: Path) -> None:
    result = run()
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    shown = result.stdout
    assert "\x1b" not in shown  # no colour in a pipe
    assert "system:serviceaccount:fin-system:fin-operator" in shown
    assert "drone-pilot has no plan: LatencyUnreachable: latency 147 ms at best" in shown
    assert re.search(r"gate-camera +final .* mobile-1 -> edge-0$", shown, re.M)
    assert re.search(r"gate-camera-\w+ +conv1-2 +mobile-1 +\d+m .* 1/1$", shown, re.M)
    assert re.search(r"quality-line +\S+ mJ +\S+ W +\S+ m?J$", shown, re.M)
    assert re.search(r"crossing-watch +edge-0 +edge-1 ", shown)
    assert "node edge-0 is not Ready" in shown
    assert "All 8 apps are Ready again" in shown
    assert re.search(r"digit-reader-\w+ +conv1 +camera-0 .* 1/1$", shown, re.M)
    left = re.findall(r"^ +(exit1|exit2|final) +(\S+) +(\d+) +\S+ % +\S+ % ", shown, re.M)
    assert [row[:2] for row in left] == [
        ("exit1", "camera-0"),
        ("exit2", "gateway-0"),
        ("final", "server-0"),
    ]
    assert sum(int(row[2]) for row in left) == 360
    right = re.search(r"(\d+\.\d) % of 360 held-out samples are read right", shown)
    assert right
    assert float(right[1]) >= 98.8
    assert len(re.findall(r"^   done in \d+\.\d s$", shown, re.M)) == 13
    assert re.search(r"Every step did what it says, in \d+ s\.", shown)
    wide = [line for line in shown.splitlines() if len(line) > 100]
    assert all(line.endswith(("AGE", "s", "m")) for line in wide), wide  # kubectl's own table


def test_a_broken_example_makes_it_fail(place: Path, tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", examples)
    apps = examples / "apps.yaml"
    apps.write_text(apps.read_text().replace("minAccuracy: 0.93", "minAccuracy: high"))
    result = run("--examples", str(examples))
    assert result.returncode == 1
    assert "The demo failed in step 3:" in result.stdout
    assert "meter-reader: spec.minAccuracy" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_without_the_node_that_fails_it_does_not_claim_a_move(place: Path, tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", examples)
    for file in examples.glob("*.yaml"):
        file.write_text(re.sub(r"\bedge-0\b", "edge-2", file.read_text()))
    result = run("--examples", str(examples))
    assert result.returncode == 1
    assert "The demo failed in step 9:" in result.stdout


def test_a_killed_operator_makes_it_fail(place: Path) -> None:
    with subprocess.Popen(
        DEMO, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout
        shown = ""
        for line in demo.stdout:
            shown += line
            if line.startswith("5."):
                break
        (address,) = re.findall(r"--metrics-address=\S+", shown)
        (pid,) = processes_that_name(Path(address))
        os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid)
        shown += demo.stdout.read()
    assert demo.returncode == 1
    assert re.search(r"The demo failed in step \d+: the operator has ended with status -9", shown)
    assert "INFO    operator" in shown  # the end of its log


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_in_the_middle_it_leaves_nothing(place: Path, signum: int) -> None:
    with subprocess.Popen(
        DEMO, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if line.startswith("3."):
                break
        running = processes_that_name(place)
        assert "etcd" in {Path(name).name for name in running.values()}
        demo.send_signal(signum)
        demo.stdout.read()
    expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
    assert demo.returncode == expected[signal.Signals(signum)]
    wait_until_gone(*running)


def test_killed_while_segments_serve_it_leaves_none(place: Path) -> None:
    def serving() -> list[int]:
        links = [*processes_that_name(Path(link.__file__))]
        named = processes_that_name(Path("/segments/"))
        segments = [pid for pid in named if pid in processes_that_name(place)]
        return [*links, *segments] if (len(links), len(segments)) == (2, 3) else []

    with subprocess.Popen(
        DEMO, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if line.startswith("13."):
                break
        wait_for(lambda: bool(serving()), 20, "three segments and two links")
        running = serving()
        demo.kill()
        demo.stdout.read()
    wait_until_gone(*running)
