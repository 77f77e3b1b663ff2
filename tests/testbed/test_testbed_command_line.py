import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.versions import CONTROL_PLANE_BINARIES
from tests.helpers.processes import parent_of, processes_that_name, wait_until_gone

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "testbed"]

pytestmark = pytest.mark.cluster


def test_binaries_says_where_each_program_is() -> None:
    result = subprocess.run([*COMMAND, "binaries"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(CONTROL_PLANE_BINARIES)
    for line in lines:
        assert Path(line.rsplit(": ", 1)[1]).is_file()


def test_an_error_is_one_line_without_a_traceback() -> None:
    environment = os.environ | {"KUBEBUILDER_ASSETS": "/no/such/directory"}
    result = subprocess.run(
        [*COMMAND, "up"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: KUBEBUILDER_ASSETS names /no/such/directory, which is not a directory"
    ]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_up_stays_until_it_is_ended_and_leaves_nothing(signum: int) -> None:
    up = subprocess.Popen(
        [*COMMAND, "up"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with up:
        assert up.stdout
        assert up.stderr
        exports = [up.stdout.readline().strip() for _ in range(2)]
        assert "Ctrl-C" in up.stderr.readline()
        kubeconfig = exports[0].removeprefix("export KUBECONFIG=")
        # What it prints is meant for a shell.
        script = "\n".join([*exports, "kubectl get --raw /readyz"])
        told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert told.stdout == "ok"
        components = processes_that_name(Path(kubeconfig).parents[1])
        guard = {parent_of(pid) for pid in components}
        up.send_signal(signum)
        status = up.wait()
    assert status == (0 if signum == signal.SIGINT else -signum)
    wait_until_gone(*guard, *components)
    assert not Path(kubeconfig).exists()
