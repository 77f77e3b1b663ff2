"""Looks at the processes of this machine."""

from functools import partial
from pathlib import Path

from testbed.process import wait_for


def is_running(pid: int) -> bool:
    """Tell whether a process exists and is not a zombie that nobody has collected."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(*pids: int) -> None:
    """Wait until processes have ended."""
    for pid in pids:
        wait_for(partial(_is_gone, pid), 20, f"process {pid} to be gone")


def _is_gone(pid: int) -> bool:
    return not is_running(pid)


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("\nPPid:\t")[2].split()[0])


def processes_that_name(path: Path) -> dict[int, str]:
    """Return the processes with a path in their arguments, and the name of each program."""
    found = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                arguments = (directory / "cmdline").read_text().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if any(str(path) in argument for argument in arguments):
                found[int(directory.name)] = Path(arguments[0]).name
    return found
