"""Finds the programs of the testbed, or gets them.

In this order: what the user names (`KUBEBUILDER_ASSETS`, taken as it is; then PATH, where the minor
version is the wanted one), the project's cache, the official release, a build from the published
Go modules.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from testbed import cache
from testbed.build import build
from testbed.download import ReleaseHosts, download
from testbed.errors import TestbedError
from testbed.progress import Reporter
from testbed.versions import BINARIES, CONTROL_PLANE_BINARIES, Binary

_VERSION_ARGUMENTS = {
    "coredns": ["-version"],
    "helm": ["version", "--short"],
    "kubectl": ["version", "--client"],
}


class Origin(StrEnum):
    """Where a program came from."""

    ASSETS = "KUBEBUILDER_ASSETS"
    PATH = "PATH"
    CACHE = "cache"
    RELEASE = "official release"
    BUILD = "built from Go modules"


@dataclass(frozen=True)
class Program:
    """A program that is there to be run."""

    binary: Binary
    path: Path
    origin: Origin


def ensure(
    names: Iterable[str] = CONTROL_PLANE_BINARIES,
    *,
    reporter: Reporter | None = None,
    hosts: ReleaseHosts | None = None,
) -> dict[str, Program]:
    """Find every named program, and download or build those that are not there.

    Parameters
    ----------
    names
        Some of `BINARIES`; those of a control plane by default.
    reporter
        Is told what is going on; nothing is said when everything is there.
    hosts
        Where the official releases are.

    Raises
    ------
    TestbedError
        A program could neither be found, nor downloaded, nor built.
    """
    reporter = reporter or Reporter()
    wanted = [BINARIES[name] for name in names]
    found = _find(wanted)
    if len(found) < len(wanted):
        with cache.locked_workspace() as workspace:
            found = _find(wanted)  # another process may have been at it while this one waited
            for origin in (Origin.RELEASE, Origin.BUILD):
                missing = [binary for binary in wanted if binary.name not in found]
                if not missing:
                    break
                if origin is Origin.RELEASE:
                    download(missing, workspace, reporter, hosts)
                else:
                    build(missing, workspace, reporter)
                for binary in missing:
                    if (path := cache.cached_path(binary)).exists():
                        found[binary.name] = Program(binary, path, origin)
    return {binary.name: found[binary.name] for binary in wanted}


def _find(wanted: Iterable[Binary]) -> dict[str, Program]:
    programs = (_find_one(binary) for binary in wanted)
    return {program.binary.name: program for program in programs if program}


def _find_one(binary: Binary) -> Program | None:
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        if not Path(assets).is_dir():
            raise TestbedError(f"KUBEBUILDER_ASSETS names {assets}, which is not a directory")
        path = Path(assets).absolute() / binary.name
        if path.exists():
            return Program(binary, path, Origin.ASSETS)
    on_path = shutil.which(binary.name)
    if on_path and _has_wanted_minor(Path(on_path), binary):
        return Program(binary, Path(on_path).absolute(), Origin.PATH)
    if (path := cache.cached_path(binary)).exists():
        return Program(binary, path, Origin.CACHE)
    return None


def _has_wanted_minor(path: Path, binary: Binary) -> bool:
    """Tell whether a program on PATH is of the minor version that the testbed is made for.

    One whose version has a suffix, such as `v1.32.4-dispatcher`, is something else than the
    release: a wrapper that picks the real program later, or a vendor's build.
    """
    argv = [str(path), *_VERSION_ARGUMENTS.get(binary.name, ["--version"])]
    try:
        result = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"\bv?(\d+)\.(\d+)\.\d+(-\w)?", result.stdout)
    if result.returncode or version is None or version[3]:
        return False
    return [version[1], version[2]] == binary.version.removeprefix("v").split(".")[:2]
