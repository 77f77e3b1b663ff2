"""Builds the images of the Dockerfile without a registry: as archives that any runtime loads.

The base image is made of Debian's packages, under the name that the Dockerfile's FROM has; then
buildah runs the Dockerfile as it is.
"""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from testbed import cache
from testbed.errors import CommandError, TestbedError
from testbed.packages import ensure_packages
from testbed.progress import Reporter

ROOT = Path(__file__).parents[1]
TARGETS = ("operator", "segment")
"""The Dockerfile's targets that a cluster runs."""

_PROGRAMS = (
    ("buildah", "buildah"), ("debootstrap", "debootstrap"), ("fuse-overlayfs", "fuse-overlayfs"),
)  # fmt: skip
_SUITE = "bookworm"
_INCLUDED = "python3,python3-venv,python-is-python3,ca-certificates"
_TRIMMED = (
    "usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt",
    "var/lib/apt/lists", "var/log",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its name with the tag, and its archive, of docker's form."""

    name: str
    archive: Path

    @property
    def size(self) -> int:
        """Bytes of all its layers, uncompressed."""
        return self.archive.stat().st_size


def image_name(target: str) -> str:
    """Return the name of a target's image, with its tag."""
    return f"fin-{target}:{version('fin-operator')}"


def ensure_images(
    targets: Iterable[str] = TARGETS, reporter: Reporter | None = None
) -> dict[str, Image]:
    """Build images whose sources have changed since they were built last; by target.

    Raises
    ------
    TestbedError
        They can't be built here; the text says why.
    """
    reporter = reporter or Reporter()
    wanted = {target: _archive(target) for target in targets}
    if not all(archive.exists() for archive in wanted.values()):
        _check(reporter)
        with cache.locked_workspace() as workspace:
            buildah = _Buildah(workspace)
            buildah.add_base(_base_name(), _base(workspace, reporter))
            for target, archive in wanted.items():
                reporter.say(f"building the image {image_name(target)}")
                buildah.build(target, archive)
    return {target: Image(image_name(target), archive) for target, archive in wanted.items()}


def _check(reporter: Reporter) -> None:
    if cache.operating_system() != "linux" or os.geteuid() != 0:
        raise TestbedError("images can be built on Linux and by root alone")
    ensure_packages(_PROGRAMS, reporter)


def _base_name() -> str:
    found = re.search(r"^FROM (\S+) AS base$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    if found is None:
        raise TestbedError("the Dockerfile has no line `FROM ... AS base`")
    return found.group(1)


def _base(workspace: Path, reporter: Reporter) -> Path:
    """Return the archive of the base's files: a small Debian with its Python."""
    archive = _directory() / f"base-{_SUITE}-{cache.architecture()}.tar"
    if not archive.exists():
        reporter.say("making the base image of Debian's packages")
        root = workspace / "base"
        _run(["debootstrap", "--variant=minbase", f"--include={_INCLUDED}", _SUITE, str(root)])
        for each in _TRIMMED:
            shutil.rmtree(root / each)
            (root / each).mkdir()
        fresh = workspace / archive.name
        _run(["tar", "--create", "--numeric-owner", f"--directory={root}", f"--file={fresh}", "."])
        fresh.replace(archive)
    return archive


class _Buildah:
    """Buildah with a store of its own, which goes with the workspace."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._place = [f"--root={workspace / 'store'}", f"--runroot={workspace / 'run'}"]

    def add_base(self, name: str, files: Path) -> None:
        """Make an image of an archive of files."""
        container = self._run("from", "scratch").strip()
        self._run("add", "--quiet", container, str(files), "/")
        self._run("commit", "--quiet", "--rm", container, f"docker.io/library/{name}")

    def build(self, target: str, archive: Path) -> None:
        """Build a target of the Dockerfile, and write its archive; older ones of it go."""
        name = image_name(target)
        certificates = os.environ.get("SSL_CERT_FILE")
        mounted = f"--volume={certificates}:/etc/ssl/certs/ca-certificates.crt:ro"
        self._run(
            "build", "--pull=never", "--network=host", "--layers", f"--target={target}",
            f"--tag={name}", *([mounted] if certificates else []), str(ROOT),
        )  # fmt: skip
        fresh = self._workspace / archive.name
        self._run("push", "--quiet", name, f"docker-archive:{fresh}:{name}")
        for old in archive.parent.glob(f"{target}-*"):
            old.unlink()
        fresh.replace(archive)

    def _run(self, *arguments: str) -> str:
        isolated = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "overlay"}
        return _run(["buildah", *self._place, *arguments], isolated)


def _archive(target: str) -> Path:
    return _directory() / f"{target}-{_key()}.tar"


def _directory() -> Path:
    directory = cache.cache_directory() / "images"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _key() -> str:
    """Tell the state of all that the Dockerfile copies."""
    digest = hashlib.sha256(f"{_SUITE} {_INCLUDED}".encode())
    for file in sorted(_sources()):
        digest.update(f"{file.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    yield ROOT / "Dockerfile"
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source = ROOT / line[1:].rstrip("/")
            files = source.rglob("*") if source.is_dir() else [source]
            yield from (f for f in files if f.is_file() and "__pycache__" not in f.parts)


def _run(argv: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    result = subprocess.run(
        argv,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise CommandError(result)
    return result.stdout
