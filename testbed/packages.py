"""Debian's packages that the testbed uses, installed where they are missing."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from testbed.errors import TestbedError
from testbed.progress import Reporter

_NO_SERVICES = "/usr/sbin/policy-rc.d"
_REFUSE = "#!/bin/sh\nexit 101\n"
"""Tells Debian's scripts to start no service that a package brings."""


def ensure_packages(programs: Iterable[tuple[str, str]], reporter: Reporter) -> None:
    """Install what is missing.

    Parameters
    ----------
    programs
        Programs (a name on PATH, or a file), each with the package that has it.

    Raises
    ------
    TestbedError
        Some are missing and can't be installed here; the text says what to do.
    """
    missing = sorted({package for program, package in programs if not _is_there(program)})
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise TestbedError(
            f"{', '.join(missing)} must be installed first: on Debian and Ubuntu, "
            f"apt install {' '.join(missing)}"
        )
    reporter.say(f"installing {', '.join(missing)}")
    with _no_services():
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", *missing)


def _is_there(program: str) -> bool:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is not None


class _no_services:  # noqa: N801 - reads as a statement
    """For as long as it lasts, packages start no services."""

    def __enter__(self) -> None:
        self._kept: Path | None = None
        policy = Path(_NO_SERVICES)
        if policy.exists():
            self._kept = Path(tempfile.mkdtemp()) / policy.name
            shutil.move(policy, self._kept)
        policy.write_text(_REFUSE)
        policy.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        policy = Path(_NO_SERVICES)
        policy.unlink(missing_ok=True)
        if self._kept is not None:
            shutil.move(self._kept, policy)
            self._kept.parent.rmdir()


def _apt_get(*arguments: str) -> None:
    result = subprocess.run(
        ["apt-get", "--quiet", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise TestbedError(f"apt-get {arguments[0]} failed:\n{result.stderr.strip()}")
