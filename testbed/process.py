"""Processes and files that go when their owner goes, even when it is killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.errors import TestbedError, TestbedTimeoutError

_GUARD = Path(__file__).with_name("guard.py")
_LINES_OF_LOG = 25


class ProcessGroup:
    """A temporary directory and the processes that live in it, in the hands of a guard process.

    Everything goes on `close`, when this process ends in any way, and when it is killed. Methods
    may be called from any thread.

    Parameters
    ----------
    prefix
        How the directory's name begins.

    Raises
    ------
    TestbedError
        There is no room for temporary files.
    """

    directory: Path
    """The temporary directory; the log of each process is `logs/NAME.log` in it."""

    def __init__(self, prefix: str) -> None:
        self._lock = threading.Lock()
        ours, theirs = socket.socketpair()
        with theirs:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), prefix],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._socket = ours
        self._answers = ours.makefile("rb")
        try:
            self.directory = Path(self._read_answer()["directory"])
        except ConnectionError as error:
            self._end_guard()
            place = tempfile.gettempdir()
            raise TestbedError(f"no temporary directory could be made in {place}") from error
        (self.directory / "logs").mkdir()

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
        """Start a process; its output is appended to its log.

        Parameters
        ----------
        name
            What to call it here; the name of a process that has ended may be used again.
        argv
            The program and its arguments.
        env
            The whole environment; this process's own by default.

        Returns
        -------
        int
            The process id.

        Raises
        ------
        TestbedError
            The program can't be run, or a process of this name is running.
        """
        environment = dict(os.environ if env is None else env)
        request = {"do": "start", "argv": list(argv), "env": environment}
        return int(self._ask(name, log=str(self.log(name)), **request)["pid"])

    def status(self, name: str) -> int | None:
        """Return the exit status of a process (negative: the signal that ended it), or None."""
        status: int | None = self._ask(name, do="status")["status"]
        return status

    def stop(self, name: str, signum: int = signal.SIGKILL, timeout: float = 30) -> int:
        """Send a signal to a process and its children, and wait for its end.

        Returns
        -------
        int
            The exit status.

        Raises
        ------
        TestbedTimeoutError
            It did not end within `timeout` seconds.
        """
        self._ask(name, do="signal", signal=int(signum))
        wait_for(lambda: self.status(name) is not None, timeout, f"{name} to end")
        status = self.status(name)
        assert status is not None
        return status

    def log(self, name: str) -> Path:
        """Return the path of a process's log."""
        return self.directory / "logs" / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """Return the last lines of a process's log."""
        lines = self.log(name).read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LINES_OF_LOG:])

    def close(self) -> None:
        """Kill every process and remove the directory. May be called again."""
        self._end_guard()
        # Nothing is left to remove, unless the guard itself was killed.
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end_guard(self) -> None:
        self._answers.close()
        self._socket.close()
        self._guard.wait()

    def _ask(self, name: str, **request: Any) -> dict[str, Any]:
        with self._lock:
            try:
                self._socket.sendall(json.dumps({"name": name, **request}).encode() + b"\n")
                answer = self._read_answer()
            except OSError as error:
                raise TestbedError("the guard of the testbed's processes was killed") from error
        if "error" in answer:
            raise TestbedError(f"{request['do']} {name}: {answer['error']}")
        return answer

    def _read_answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise ConnectionError("the guard is gone")
        answer: dict[str, Any] = json.loads(line)
        return answer


def wait_for(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait until a condition holds.

    Raises
    ------
    TestbedTimeoutError
        It did not hold within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TestbedTimeoutError(f"waited {timeout:g} s for {what} in vain")
        time.sleep(0.02)
