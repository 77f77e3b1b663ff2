"""A small image of busybox: it holds pods' namespaces, and tests run their programs in it."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from testbed import cache
from testbed.errors import CommandError
from testbed.nodes.files import PAUSE_IMAGE

_PACKAGE = "busybox-static"
_COMMANDS = ("sh", "sleep", "wget", "nc", "cat", "httpd", "dd", "ls", "nslookup")


def tools_image() -> Path:
    """Return the archive of the image `PAUSE_IMAGE`, of docker's form; made where it is missing.

    Raises
    ------
    CommandError
        Debian's package with busybox can't be had.
    """
    target = cache.cache_directory() / "images" / f"pause-{cache.architecture()}.tar"
    if not target.exists():
        with cache.locked_workspace() as workspace:
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = workspace / target.name
            _write(fresh, _busybox(workspace).read_bytes())
            fresh.replace(target)
    return target


def _busybox(workspace: Path) -> Path:
    workspace.chmod(0o755)
    _run(["apt-get", "--quiet", "--quiet", "download", _PACKAGE], workspace)
    (package,) = workspace.glob(f"{_PACKAGE}*.deb")
    _run(["dpkg", "-x", str(package), str(workspace / "files")], workspace)
    return workspace / "files" / "bin" / "busybox"


def _write(file: Path, busybox: bytes) -> None:
    layer = _layer(busybox)
    digest = hashlib.sha256(layer).hexdigest()
    config = {
        "architecture": cache.architecture(),
        "os": "linux",
        "config": {"Entrypoint": ["/bin/sleep"], "Cmd": ["2147483647"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    written = json.dumps(config).encode()
    name = f"{hashlib.sha256(written).hexdigest()}.json"
    tag = f"docker.io/library/{PAUSE_IMAGE}"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]
    with tarfile.open(file, "w") as archive:
        _add(archive, "layer.tar", layer)
        _add(archive, name, written)
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _layer(busybox: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        _add(layer, "bin/busybox", busybox, mode=0o755)
        for command in _COMMANDS:
            link = tarfile.TarInfo(f"bin/{command}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            layer.addfile(link)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _run(argv: list[str], directory: Path) -> None:
    result = subprocess.run(
        argv, cwd=directory, env=os.environ, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise CommandError(result)
