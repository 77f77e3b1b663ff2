"""Pods in which a client runs where no network namespace can be entered: in any cluster."""

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_PLACE = "/work"
_PROGRAMS = (
    "tests/e2e/steady.py",
    "testbed/demo/client.py",
    "examples/networks/heldout.npz",
)
_HTTP_CLIENT = (
    "brotli", "certifi", "geventhttpclient", "gevent", "greenlet", "zope-event", "zope-interface",
)  # fmt: skip
"""What the client for HTTP needs that the segment's image has not, as it has that for gRPC."""
_UNPACK = f"""
import sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as given:
    given.extractall({_PLACE!r})
"""
_ABOUT = "import platform; print(platform.python_version(), platform.machine())"

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


class Inside:
    """A pod on each node where a client was asked for, of the segments' image.

    Parameters
    ----------
    kubectl
        Runs kubectl, and gives what it wrote.
    program
        The kubectl that a client's command is of.
    environment
        Variables for that.
    directory
        Where files may be kept.
    """

    def __init__(
        self, kubectl: Kubectl, program: Path, environment: Mapping[str, str], directory: Path
    ) -> None:
        self._kubectl, self._program, self._environment = kubectl, str(program), environment
        self._directory = directory
        self._pods: dict[str, str] = {}

    def start(self, node: str, arguments: Sequence[str]) -> subprocess.Popen[str]:
        """Start Python on a node."""
        if node not in self._pods:
            self._make(node)
        return subprocess.Popen(
            [self._program, "exec", "-i", self._pods[node], "--", "python", *arguments],
            env={**os.environ, **self._environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """Delete the pods."""
        for pod in self._pods.values():
            self._kubectl("delete", f"pod/{pod}", "--now", check=False)

    def _make(self, node: str) -> None:
        selector = "--selector=app.kubernetes.io/name=fin-segment"
        running = json.loads(self._kubectl("get", "pods", "-A", selector, "-o", "json").stdout)
        image = running["items"][0]["spec"]["containers"][0]["image"]
        self._pods[node] = pod = f"fin-e2e-{node}"
        self._kubectl("create", "-f", "-", input=json.dumps(_pod(pod, node, image)))
        self._kubectl("wait", f"pod/{pod}", "--for=condition=Ready", "--timeout=90s")
        libraries = self._libraries(*self._about(pod))
        subprocess.run(
            [self._program, "exec", "-i", pod, "--", "python", "-c", _UNPACK],
            env={**os.environ, **self._environment},
            input=_packed(libraries),
            check=True,
        )

    def _about(self, pod: str) -> tuple[str, str]:
        told = self._kubectl("exec", pod, "--", "python", "-c", _ABOUT).stdout
        python, machine = told.split()
        return python, machine

    def _libraries(self, python: str, machine: str) -> Path:
        """Install what the image lacks, for its Python, as the lock file has it."""
        lock = (ROOT / "requirements.lock").read_text()
        entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
        wanted = [each for each in entries if each.partition("==")[0] in _HTTP_CLIENT]
        assert len(wanted) == len(_HTTP_CLIENT), "the lock file lacks the client for HTTP"
        file = self._directory / "requirements.lock"
        file.write_text("".join(wanted))
        target = self._directory / "site"
        uv = Path(sys.executable).with_name("uv")
        subprocess.run(
            [
                str(uv), "pip", "install", "--quiet", "--require-hashes", "--no-deps",
                f"--target={target}", f"--python-version={python}",
                f"--python-platform={machine}-manylinux_2_28", f"--requirements={file}",
            ],
            check=True,
        )  # fmt: skip
        return target


def _packed(libraries: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, path in _files(libraries):
            archive.add(path, name)
    return packed.getvalue()


def _files(libraries: Path) -> Iterator[tuple[str, Path]]:
    yield "site", libraries
    for each in _PROGRAMS:
        yield each, ROOT / each


def _pod(name: str, node: str, image: str) -> dict[str, Any]:
    container = {
        "name": "client",
        "image": image,
        "command": ["sleep", "infinity"],
        "workingDir": _PLACE,
        "env": [{"name": "PYTHONPATH", "value": f"{_PLACE}:{_PLACE}/site"}],
        "volumeMounts": [{"name": "work", "mountPath": _PLACE}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "nodeName": node,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "work", "emptyDir": {}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
