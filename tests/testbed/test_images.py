"""The images as the Dockerfile builds them: what they say of themselves, and that they run."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fin.segment.exits import ExitRule
from testbed.images import Image, ensure_images
from tests.helpers.networks import network
from tests.helpers.segments import LOOPBACK, Fleet, write

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="images are built by root on Linux"
    ),
]

MOST_BYTES = 300e6
"""How large a segment's image may be, so that it is soon on every node."""

IN_IMAGE = """
set -e
mount --make-rprivate /
mount --bind "$0" "$0"
mount --rbind /proc "$0/proc"
mount --bind "$1" "$0/mnt"
mount -o remount,ro,bind "$0"
shift
exec chroot --userspec=65532:65532 "$0" "$@"
"""
"""Runs a program with a root that it can't write, as a user who owns nothing there."""


@pytest.fixture(scope="module")
def images() -> dict[str, Image]:
    return ensure_images()


def config(image: Image) -> dict[str, Any]:
    """The image's own configuration: user, entry point, environment."""
    with tarfile.open(image.archive) as archive:
        found = read(archive, read(archive, "manifest.json")[0]["Config"])
    return dict(found["config"])


def read(archive: tarfile.TarFile, name: str) -> Any:
    """Read a JSON file of an archive."""
    file = archive.extractfile(name)
    assert file is not None
    return json.load(file)


@pytest.fixture(scope="module")
def root(images: dict[str, Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of the segment's image."""
    place = tmp_path_factory.mktemp("image")
    with tarfile.open(images["segment"].archive) as archive:
        (manifest,) = read(archive, "manifest.json")
        archive.extractall(place / "layers", filter="tar")
    files = place / "root"
    files.mkdir()
    for layer in manifest["Layers"]:
        layers = place / "layers" / layer
        subprocess.run(["tar", "-x", "-C", str(files), "-f", str(layers)], check=True)
    yield files
    subprocess.run(["rm", "-rf", str(place)], check=True)


@pytest.mark.parametrize("target", ["operator", "segment"])
def test_images_run_as_nobody_and_by_themselves(target: str, images: dict[str, Image]) -> None:
    said = config(images[target])
    assert said["User"] == "65532:65532"
    assert said["Entrypoint"] == ["fin"]
    assert "PATH=/opt/fin/bin:" in " ".join(said["Env"])


def test_a_segments_image_is_small(images: dict[str, Image]) -> None:
    assert images["segment"].size < MOST_BYTES


def test_a_segment_serves_out_of_its_image(root: Path, tmp_path: Path) -> None:
    """Real blocks and a real request, as nobody, with nothing to write to."""
    model = network([ExitRule()])
    segment = Fleet(model, tmp_path, [(0, [0])]).entry
    about = segment.directory / "segment.json"
    write(about, json.loads(about.read_text()) | {"artifact": {"path": "/mnt/models"}})
    tmp_path.chmod(0o755)
    command = ["unshare", "--mount", "sh", "-c", IN_IMAGE, str(root), str(tmp_path)]
    arguments = [
        "/opt/fin/bin/fin", "segment", f"--config=/mnt/{segment.directory.name}",
        f"--http-address={LOOPBACK}:{segment.http}", f"--grpc-address={LOOPBACK}:{segment.grpc}",
    ]  # fmt: skip
    with (segment.directory / "log").open("wb") as log:
        segment.process = subprocess.Popen([*command, *arguments], stdout=log, stderr=log)
    try:
        segment.wait_ready()
        batch = model.batch(3)
        reply = segment.infer(batch)
        assert reply.status == 200, reply.body
        logits, exits = model.answer(batch)
        assert reply.exits == exits
        np.testing.assert_allclose(reply.logits, logits, rtol=1e-4, atol=1e-5)
        status = Path(f"/proc/{segment.process.pid}/status").read_text()
        assert "Uid:\t65532\t65532\t65532\t65532" in status
        assert segment.end() == 0
    finally:
        if segment.process.poll() is None:
            segment.process.kill()
            segment.process.wait()
