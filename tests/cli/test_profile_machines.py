"""`fin profile node` and `fin profile link`."""

import json
import shlex
import signal
import subprocess
import sys

import pytest
import yaml

from fin.api.networktopology import NetworkTopology
from fin.api.parsing import parse
from tests.cli.conftest import Fin


def test_node_prints_a_command_that_labels_it(fin: Fin) -> None:
    result = fin(
        *("profile", "node", "edge-0", "--duration", "300ms", "--cpus", 1, "--watts", "12"),
        *("--tier", "edge", "--allocatable", "3800m"),
    )
    assert result.exit_code == 0
    assert result.stderr.startswith("Sustained ")
    assert " on 1 CPUs over " in result.stderr
    *command, flops, efficiency, tier = shlex.split(result.stdout)
    assert command == ["kubectl", "label", "node", "edge-0", "--overwrite"]
    assert flops.startswith("finoperator.io/flops=")
    assert efficiency.startswith("finoperator.io/gflops-per-watt=")
    assert tier == "finoperator.io/tier=edge"


def test_node_prints_a_patch_for_programs(fin: Fin) -> None:
    result = fin("profile", "node", "--duration", "200ms", "-o", "patch", NODE_NAME="edge-1")
    labels = json.loads(result.stdout)["metadata"]["labels"]
    assert "finoperator.io/flops" in labels
    if "finoperator.io/gflops-per-watt" not in labels:
        assert "give the node's power with --watts" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--network", "/nowhere.onnx"], "/nowhere.onnx: No such file or directory"),
        (["--cpus", "9999"], "CPUs for this process, and not 9999"),
        (["--tier", "my edge", "--duration", "50ms"], "--tier my edge: must be letters"),
    ],
)
def test_node_says_what_is_wrong(fin: Fin, arguments: list[str], reason: str) -> None:
    result = fin("profile", "node", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert reason in result.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["node", "--duration", "0s"], "--duration"),
        (["node", "--allocatable", "much"], "--allocatable"),
        (["node", "--watts", "0"], "--watts"),
        (["link"], "A B"),
        (["link", "a", "b"], "--connect"),
        (["link", "a", "b", "--connect", "host"], "--connect"),
        (["link", "a", "b", "--connect", "127.0.0.1:1"], "--energy-per-bit"),
        (["link", "a", "b", "--listen", "127.0.0.1:0"], "--listen"),
    ],
)
def test_a_flag_that_is_missing_or_wrong_is_named(
    fin: Fin, arguments: list[str], named: str
) -> None:
    result = fin("profile", *arguments)
    assert result.exit_code == 2
    assert named in result.stderr


def test_link_between_two_processes_is_a_topology(fin: Fin) -> None:
    listening = subprocess.Popen(
        [sys.executable, "-m", "fin.cli", "profile", "link", "--listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert listening.stderr is not None
        said = listening.stderr.readline()
        where = said.removeprefix("Listening at ").partition(";")[0]
        result = fin(
            *("profile", "link", "cam-1", "edge-0", "--connect", where),
            *("--energy-per-bit", "50n", "--duration", "200ms"),
        )
        assert (result.exit_code, said[:12]) == (0, "Listening at")
        assert result.stderr.startswith("cam-1 to edge-0 ")
        spec = parse(NetworkTopology, yaml.safe_load(result.stdout)).spec
        assert {link.from_.node_name for link in spec.links} <= {"cam-1", "edge-0"}
        assert float(spec.links[0].bandwidth) > 1e6
    finally:
        listening.send_signal(signal.SIGINT)
        _, rest = listening.communicate(timeout=30)
    assert listening.returncode == 0
    assert "Traceback" not in rest


def test_link_says_what_is_wrong(fin: Fin) -> None:
    result = fin(
        *("profile", "link", "a", "b", "--connect", "127.0.0.1:1", "--energy-per-bit", "1n")
    )
    assert result.exit_code == 2
    assert result.stderr.startswith("error: 127.0.0.1:1: ")
