import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from testbed.errors import TestbedError, TestbedTimeoutError
from testbed.process import ProcessGroup, wait_for
from tests.helpers.processes import is_running, wait_until_gone

ROOT = Path(__file__).parents[2]


@pytest.fixture
def group() -> Iterator[ProcessGroup]:
    with closing(ProcessGroup("fin-test-")) as started:
        yield started


def test_close_kills_processes_and_their_children_and_removes_the_files(
    group: ProcessGroup,
) -> None:
    parent = group.start("family", ["sh", "-c", "sleep 1000 & echo $! ; wait"])
    wait_for(lambda: group.log("family").read_text().endswith("\n"), 20, "the child's id")
    child = int(group.log("family").read_text())
    (group.directory / "file").write_text("x")

    group.close()

    wait_until_gone(parent, child)
    assert not group.directory.exists()


def test_status_and_stop_tell_how_a_process_ended(group: ProcessGroup) -> None:
    group.start("fails", ["sh", "-c", "echo reason >&2; exit 3"])
    wait_for(lambda: group.status("fails") is not None, 20, "the end")
    assert group.status("fails") == 3
    assert group.log_tail("fails") == "reason"

    group.start("sleeps", ["sleep", "1000"])
    assert group.status("sleeps") is None
    assert group.stop("sleeps", signal.SIGTERM) == -signal.SIGTERM


def test_a_stubborn_process_is_named_when_it_does_not_end(group: ProcessGroup) -> None:
    group.start("stubborn", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
    wait_for(lambda: "ready" in group.log("stubborn").read_text(), 20, "the trap")
    with pytest.raises(TestbedTimeoutError, match="stubborn to end"):
        group.stop("stubborn", signal.SIGTERM, timeout=0.2)
    assert group.stop("stubborn") == -signal.SIGKILL


def test_what_cannot_be_started_is_refused_with_the_reason(group: ProcessGroup) -> None:
    with pytest.raises(TestbedError, match=r"start absent: .*/no/such/program"):
        group.start("absent", ["/no/such/program"])
    group.start("one", ["sleep", "1000"])
    with pytest.raises(TestbedError, match="one is running already"):
        group.start("one", ["sleep", "1000"])
    group.stop("one")
    group.start("one", ["sleep", "1000"])


def test_processes_get_the_environment_that_is_named(group: ProcessGroup) -> None:
    group.start("env", ["/bin/sh", "-c", "echo $FIN_TEST_VALUE"], {"FIN_TEST_VALUE": "this"})
    wait_for(lambda: group.status("env") is not None, 20, "the end")
    assert group.log_tail("env") == "this"


OWNER = """
import multiprocessing, sys, time
from testbed.process import ProcessGroup

group = ProcessGroup("fin-test-")
pid = group.start("sleeps", ["sleep", "1000"])
fork = multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,))
if "fork" in sys.argv:
    fork.start()
print(group.directory, pid, fork.pid if fork.pid else 0, flush=True)
if "raise" in sys.argv:
    raise ValueError("on purpose")
if "wait" in sys.argv:
    time.sleep(1000)
"""


def start_owner(*arguments: str) -> tuple[subprocess.Popen[str], Path, int, int]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout
    directory, pid, fork = owner.stdout.readline().split()
    assert is_running(int(pid)) or "wait" not in arguments
    return owner, Path(directory), int(pid), int(fork)


@pytest.mark.parametrize("how", ["end", "raise"])
def test_everything_goes_when_the_owner_ends_without_closing(how: str) -> None:
    owner, directory, pid, _ = start_owner(how)
    with owner:
        owner.wait()
    wait_until_gone(pid)
    wait_for(lambda: not directory.exists(), 20, "the directory to be removed")


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_everything_goes_when_the_owner_is_killed(signum: int) -> None:
    owner, directory, pid, _ = start_owner("wait")
    with owner:
        owner.send_signal(signum)
        owner.wait()
    wait_until_gone(pid)
    wait_for(lambda: not directory.exists(), 20, "the directory to be removed")


def test_a_fork_of_the_owner_does_not_keep_its_processes_alive() -> None:
    owner, directory, pid, fork = start_owner("wait", "fork")
    with owner:
        owner.kill()
        try:
            wait_until_gone(pid)
            wait_for(lambda: not directory.exists(), 20, "the directory to be removed")
        finally:
            os.kill(fork, signal.SIGKILL)


def test_the_kernel_ends_the_processes_when_the_guard_is_killed() -> None:
    group = ProcessGroup("fin-test-")
    pid = group.start("sleeps", ["sleep", "1000"])
    guard = int(Path(f"/proc/{pid}/stat").read_text().split()[3])
    os.kill(guard, signal.SIGKILL)
    wait_until_gone(pid)
    with pytest.raises(TestbedError, match="was killed"):
        group.status("sleeps")
    group.close()
    assert not group.directory.exists()
