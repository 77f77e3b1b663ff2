"""The user's cache: programs by version, written atomically and by one process at a time."""

import fcntl
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.versions import Binary

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def operating_system() -> str:
    """Return this machine's system as Go calls it, such as `linux`."""
    return platform.system().lower()


def architecture() -> str:
    """Return this machine's processor as Go calls it, such as `amd64`."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def cache_directory() -> Path:
    """Return the project's directory in the user's cache (`XDG_CACHE_HOME`, else `~/.cache`)."""
    # The XDG specification tells programs to ignore a relative path.
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = configured if configured.is_absolute() else Path.home() / ".cache"
    return base / "fin-operator" / "testbed"


def cached_path(binary: Binary) -> Path:
    """Return where a program is, or would be, in the cache."""
    kind = f"{binary.version}-{operating_system()}-{architecture()}"
    return cache_directory() / "bin" / binary.name / kind / binary.name


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Hold a lock of this name in the cache; wait for it where another process has it."""
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_workspace() -> Iterator[Path]:
    """Hold the cache's lock and give an empty directory in it to work in.

    The lock goes with the process that holds it, so none is ever left behind, and what a killed
    process left in the workspace is removed by the next.
    """
    workspace = cache_directory() / "work"
    with only_one("lock"):
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir()
        try:
            yield workspace
        finally:
            shutil.rmtree(workspace, ignore_errors=True)


def store(file: Path, binary: Binary) -> Path:
    """Move a finished program from the workspace into the cache, in one step."""
    target = cached_path(binary)
    target.parent.mkdir(parents=True, exist_ok=True)
    file.chmod(0o755)
    file.replace(target)
    return target
