"""The process that owns a testbed's processes and files, and outlives whoever asked for them.

Run as a program, on its own: `python -I -S guard.py PREFIX`. It talks JSON, one object a line, on
the socket that is its standard input. First it makes a temporary directory and tells its path;
then it answers requests to start, signal and look at processes. When the other end closes, or the
parent is gone for any reason (SIGKILL included), it kills every process and removes the directory.

It runs alone in a session of its own, so an interrupt from the terminal does not reach it. Were it
killed itself, the kernel would kill its children (PR_SET_PDEATHSIG). The asking process can't have
that from the kernel directly: the signal follows the *thread* that forked, and a test runner's
threads come and go.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_SECONDS_BETWEEN_LOOKS = 1.0
_ABSENCES_OF_ORPHANS = 10


class Guard:
    """Carries out the requests."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._libc = ctypes.CDLL(None)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks; give the answer to it."""
        name = request["name"]
        match request["do"]:
            case "start":
                return {"pid": self._start(name, request)}
            case "signal":
                self._signal(name, request["signal"])
                return {}
            case "status":
                return {"status": self._processes[name].poll()}
            case unknown:
                raise ValueError(f"unknown request {unknown}")

    def end(self) -> None:
        """Kill every process, with its own children, and wait for each."""
        for name in self._processes:
            self._signal(name, signal.SIGKILL)
        for process in self._processes.values():
            process.wait()

    def _start(self, name: str, request: dict[str, Any]) -> int:
        running = self._processes.get(name)
        if running and running.poll() is None:
            raise ValueError(f"{name} is running already")
        with Path(request["log"]).open("ab") as log:
            process = subprocess.Popen(
                request["argv"],
                env=request["env"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=self._die_with_guard,
            )
        self._processes[name] = process
        return process.pid

    def _signal(self, name: str, number: int) -> None:
        process = self._processes[name]
        if process.poll() is None:
            # The whole group: a process may have children of its own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    def _die_with_guard(self) -> None:
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve(connection: socket.socket, guard: Guard, parent: int) -> None:
    """Answer requests until the other end closes or the parent is gone."""
    received = b""
    while os.getppid() == parent:
        # The parent is looked at too: a fork of it may hold the other end open.
        readable, _, _ = select.select([connection], [], [], _SECONDS_BETWEEN_LOOKS)
        if not readable:
            continue
        chunk = connection.recv(1 << 16)
        if not chunk:
            return
        received += chunk
        while b"\n" in received:
            line, received = received.split(b"\n", 1)
            try:
                answer = guard.answer(json.loads(line))
            except (OSError, ValueError, KeyError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            connection.sendall(json.dumps(answer).encode() + b"\n")


def remove(directory: str, *, orphaned: bool) -> None:
    """Remove a directory; where its owner was killed, see that it stays away for a second.

    A command of the owner's, such as kubectl, may still be writing while it ends, and make
    directories anew.
    """
    wanted = _ABSENCES_OF_ORPHANS if orphaned else 1
    absences = 0
    for _ in range(50):
        shutil.rmtree(directory, ignore_errors=True)
        absences = 0 if Path(directory).exists() else absences + 1
        if absences >= wanted:
            return
        select.select([], [], [], 0.1)


def main(prefix: str) -> None:
    """Guard one testbed until its owner is gone."""
    parent = os.getppid()
    # A polite end is like any other: the processes and the directory go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    guard = Guard()
    directory = tempfile.mkdtemp(prefix=prefix)
    try:
        with socket.socket(fileno=os.dup(0)) as connection, contextlib.suppress(OSError):
            connection.sendall(json.dumps({"directory": directory}).encode() + b"\n")
            _serve(connection, guard, parent)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        guard.end()
        remove(directory, orphaned=os.getppid() != parent)


if __name__ == "__main__":
    main(sys.argv[1])
