"""Builds the programs from the published Go modules, checked against `go/go.sum`."""

import os
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from testbed import cache
from testbed.errors import TestbedError
from testbed.progress import Reporter
from testbed.toolchain import find_go
from testbed.versions import BINARIES, Binary

_VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")


def build(binaries: Iterable[Binary], workspace: Path, reporter: Reporter) -> None:
    """Build programs and put them into the cache.

    Those of a module in one call of `go build`: they share most packages, so that is much faster.

    Raises
    ------
    TestbedError
        There is no Go, or the build failed; the text ends with what Go said.
    """
    go = find_go(workspace, reporter)
    output = workspace / "bin"
    output.mkdir()
    wanted = sorted(binaries, key=lambda binary: binary.go_module)
    for module, group in groupby(wanted, key=lambda binary: binary.go_module):
        _build(list(group), module, go, output, reporter)


def _build(
    wanted: Sequence[Binary], module: Path, go: Path, output: Path, reporter: Reporter
) -> None:
    packages = [binary.package for binary in wanted]
    total = 0
    with reporter.task("downloading Go modules") as update:
        # Lists what there is to compile, and downloads the modules that hold it on the way.
        modules = 0
        for line in _run_go(go, module, "list", "-deps", *packages):
            is_download = line.startswith("go: ")
            modules += is_download
            total += not is_download
            update(modules, None)
    reporter.say(f"building {', '.join(binary.name for binary in wanted)}; this takes minutes")
    with reporter.task("compiling Go packages") as update:
        argv = ("build", "-v", "-trimpath", "-ldflags", _linker_flags(), "-o", f"{output}/")
        for compiled, _ in enumerate(_run_go(go, module, *argv, *packages), start=1):
            update(compiled, total)
    for binary in wanted:
        cache.store(output / binary.built_name, binary)


def _linker_flags() -> str:
    version = BINARIES["kube-apiserver"].version
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "unknown",
        "gitTreeState": "archive",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    flags = [f"{package}.{key}={stamps[key]}" for package in _VERSION_PACKAGES for key in stamps]
    flags.append(f"helm.sh/helm/v3/internal/version.version={BINARIES['helm'].version}")
    return " ".join(["-s", "-w", *(f"-X {flag}" for flag in flags)])


def _run_go(go: Path, module: Path, *arguments: str) -> Iterator[str]:
    """Run Go in a module's directory and yield each line that it prints, as it does."""
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOGC": "400",  # the compiler spends a third of its time collecting garbage otherwise
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    lines: deque[str] = deque(maxlen=30)
    with subprocess.Popen(
        [str(go), *arguments],
        cwd=module,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            yield line.rstrip()
    if process.returncode:
        raise TestbedError(f"`go {arguments[0]}` failed:\n{''.join(lines).rstrip()}")
