"""What a segment reads: routes that change while it serves, weights, and what is wrong."""

import hashlib
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import orjson
import pytest

from fin.segment import server
from fin.segment.blocks import Block
from fin.segment.config import BlockTensors, WeightsSource, read_routes, read_segment
from fin.segment.errors import CannotServeError
from fin.segment.exits import ExitRule
from fin.segment.weights import fetch
from testbed.process import wait_for
from tests.helpers.networks import CLASSES, WIDTH, block, network
from tests.helpers.segments import LOOPBACK, MODEL, Fleet, Json, request, write

CHAIN = network([ExitRule(), ExitRule()])
BATCH = CHAIN.batch(8)
FOLLOWED = "fin_segment_entry_revision_info"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(CHAIN, tmp_path, [(0, [0]), (1, [1])])


def test_routes_are_read_again_while_it_serves(fleet: Fleet) -> None:
    with fleet:
        entry, last = fleet.segments
        assert {*entry.infer(BATCH).exits} == {"exit-block1"}
        assert entry.metric(FOLLOWED, revision="r1") == 1
        assert last.metric(FOLLOWED) == 0
        routes = fleet.routes()
        everybody = fleet.routes("r2")
        everybody["revisions"]["r2"]["hops"][0]["exits"][0]["threshold"] = 0.0
        both = {**everybody, "revisions": {**routes["revisions"], **everybody["revisions"]}}
        fleet.route(both)
        wait_for(lambda: {*entry.infer(BATCH).exits} == {"exit-block0"}, 20, "the new threshold")
        assert entry.infer(BATCH).json["model_version"] == "r2"
        assert entry.metric(FOLLOWED, revision="r2") == 1
        assert entry.metric(FOLLOWED, revision="r1") == 0
        # A request that asks for the revision before still gets it.
        before = entry.infer(BATCH, "r1")
        assert (before.json["model_version"], {*before.exits}) == ("r1", {"exit-block1"})
        assert sorted(entry.ask(f"/v2/models/{MODEL}").json["versions"]) == ["r1", "r2"]
        fleet.route(everybody)
        wait_for(lambda: entry.infer(BATCH, "r1").status == 404, 20, "r1 to be forgotten")
        assert "revision r1 is not known here; known: r2" in entry.infer(BATCH, "r1").error


def test_wrong_routes_change_nothing_and_are_told_of_once(fleet: Fleet) -> None:
    with fleet:
        entry = fleet.entry
        write(entry.directory / "routes.json", {"entries": {}, "revisions": {"r2": {"hops": []}}})
        wait_for(lambda: entry.metric("fin_segment_routes_loaded") == 0, 20, "the fault")
        assert entry.infer(BATCH).status == 200
        assert entry.ask("/v2/health/ready").status == 200
        assert entry.log.count("revisions.r2.hops") == 1
        write(entry.directory / "routes.json", fleet.routes())
        wait_for(lambda: entry.metric("fin_segment_routes_loaded") == 1, 20, "it to be mended")


def test_a_segment_whose_next_does_not_exist_is_not_ready(fleet: Fleet) -> None:
    entry = fleet.entry
    lost = fleet.routes()
    nowhere = "x" * 64  # longer than a name can be, whatever the DNS
    lost["revisions"]["r1"]["hops"][1]["host"] = nowhere
    fleet.route(lost)
    entry.start()
    try:
        wait_for(
            partial(_says, fleet, f"the next segment does not exist: {nowhere}"), 30, "it to say so"
        )
        assert entry.ask("/v2/health/live").status == 200
        fleet.route(fleet.routes())
        entry.wait_ready()
    finally:
        fleet.__exit__(None, None, None)


def _says(fleet: Fleet, words: str) -> bool:
    try:
        reply = fleet.entry.ask("/v2/health/ready")
    except OSError:
        return False
    return reply.status == 503 and words in reply.error


def test_what_is_for_another_segment_is_refused_by_name(fleet: Fleet) -> None:
    with fleet:
        crossed = fleet.routes()
        crossed["revisions"]["r1"]["hops"][1] |= {"segment": "app-9"}
        fleet.route(crossed)
        wait_for(lambda: fleet.entry.infer(BATCH).status == 503, 20, "the routes to be read")
        told = fleet.entry.infer(BATCH).error
        assert "this is segment app-1 of model net; the request" in told
        assert "of revision r1 is for segment app-9" in told
        lacking = fleet.routes()
        lacking["revisions"]["r1"]["hops"][1] |= {"blocks": ["block0", "block1"]}
        fleet.route(lacking)
        wait_for(
            lambda: "has no blocks block0" in fleet.entry.infer(BATCH).json.get("error", ""),
            20,
            "the other routes to be read",
        )
        garbage = fleet.entry.ask("/fin/v1/hop", b"\0\0\0\x10garbage")
        assert (garbage.status, "not a frame of a segment" in garbage.error) == (400, True)


def _end(directory: Path) -> tuple[int, str]:
    done = subprocess.run(
        [
            sys.executable, "-m", "fin.cli", "segment", "--config", str(directory),
            "--http-address", f"{LOOPBACK}:0", "--grpc-address", f"{LOOPBACK}:0",
        ],
        capture_output=True, text=True, check=False, timeout=60, env=dict(os.environ),
    )  # fmt: skip
    return done.returncode, done.stderr


def test_why_it_ends_is_where_kubernetes_looks(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = fleet.directory / "termination-log"
    message.touch()
    monkeypatch.setattr(server, "TERMINATION_LOG", message)
    (fleet.directory / "models/block0.onnx").write_bytes(b"another network")
    assert server.run(fleet.entry.directory, (LOOPBACK, 0), (LOOPBACK, 0)) == 1
    assert "block0.onnx: ONNX Runtime can't load it" in message.read_text()


def test_a_segment_without_weights_ends_and_says_what_to_mend(fleet: Fleet) -> None:
    missing = fleet.directory / "models/block1.onnx"
    missing.unlink()
    status, told = _end(fleet.segments[1].directory)
    assert status == 1
    assert f"{missing}: is missing; the artifact must have an ONNX file for each block" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("segment.json", None, "segment.json: can't be read: No such file or directory"),
        ("segment.json", b"{", "segment.json: is not JSON"),
        ("segment.json", b"{}", "segment.json: name: is required"),
        ("routes.json", None, "routes.json: can't be read"),
        ("routes.json", b"[]", "routes.json: must be a mapping"),
        (
            "routes.json",
            b'{"entries": {}, "revisions": {"r": {"hops": 1}}}',
            "hops: must be a list",
        ),
    ],
)
def test_files_that_are_wrong(fleet: Fleet, file: str, content: bytes | None, words: str) -> None:
    directory = fleet.entry.directory
    (directory / file).unlink()
    if content is not None:
        (directory / file).write_bytes(content)
    read = read_segment if file == "segment.json" else read_routes
    with pytest.raises(CannotServeError) as refused:
        read(directory)
    assert words in str(refused.value)


def test_a_way_ends_at_an_exit(fleet: Fleet) -> None:
    routes = fleet.routes()
    routes["revisions"]["r1"]["hops"][1]["exits"] = []
    fleet.route(routes)
    with pytest.raises(CannotServeError, match="the last block must have an exit"):
        read_routes(fleet.entry.directory)


def test_what_a_newer_operator_adds_is_passed_over(fleet: Fleet) -> None:
    write(fleet.entry.directory / "routes.json", {**fleet.routes(), "more": 1})
    assert [*read_routes(fleet.entry.directory).revisions] == ["r1"]


FEATURES = np.zeros((WIDTH, WIDTH), np.float32)
HEAD = np.zeros((WIDTH, CLASSES), np.float32)


def _changed(**changes: Any) -> Any:
    """A block whose first input or outputs are changed: a shape, a type or a name."""
    model = block(FEATURES, HEAD)
    for name, (attribute, value) in changes.items():
        for each in (*model.graph.input, *model.graph.output):
            if each.name == name and attribute == "batch":
                each.type.tensor_type.shape.dim[0].dim_value = value
    return model


@pytest.mark.parametrize(
    ("model", "asked", "words"),
    [
        (block(FEATURES, HEAD), {"logits": "scores"}, "has no output scores, which the exit of"),
        (
            block(FEATURES, HEAD),
            {"output": "y", "logits": "logits"},
            "has no output y, which block",
        ),
        (block(FEATURES, HEAD), {}, "more than one output may be what the next block receives"),
        (_changed(x=("batch", 1)), {"logits": "logits"}, "of x must be the batch, of any size"),
        (b"no network", {}, "ONNX Runtime can't load it"),
    ],
)
def test_weights_that_are_not_what_the_model_says(
    tmp_path: Path, model: Any, asked: Json, words: str
) -> None:
    file = tmp_path / "b.onnx"
    if isinstance(model, bytes):
        file.write_bytes(model)
    else:
        onnx.save(model, file)
    with pytest.raises(CannotServeError) as refused:
        Block(BlockTensors.model_validate({"name": "b", **asked}), file, 1)
    assert str(file) in str(refused.value)
    assert words in str(refused.value)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory that is served over HTTP."""
    directory = tmp_path / "shelf"
    directory.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((LOOPBACK, 0), partial(Quiet, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield directory, f"http://{LOOPBACK}:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _source(url: str, file: Path) -> WeightsSource:
    return WeightsSource(url=url, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


BLOCKS = tuple(BlockTensors(name=layer.name, logits="logits") for layer in CHAIN.layers)


@pytest.mark.parametrize("compression", ["", "gz"])
def test_weights_from_a_url(shelf: tuple[Path, str], tmp_path: Path, compression: str) -> None:
    directory, url = shelf
    models = CHAIN.write(tmp_path / "models")
    archive = directory / "weights.tar"
    with tarfile.open(archive, f"w:{compression}") as tar:  # type: ignore[call-overload]
        for file in models.iterdir():
            tar.add(file, file.name)
    files = fetch(_source(f"{url}/weights.tar", archive), BLOCKS)
    assert [*files] == [layer.name for layer in CHAIN.layers]
    for name, file in files.items():
        assert file.read_bytes() == (models / f"{name}.onnx").read_bytes()


def test_the_file_of_a_model_of_one_block_needs_no_archive(
    shelf: tuple[Path, str], tmp_path: Path
) -> None:
    directory, url = shelf
    written = CHAIN.write(tmp_path / "models") / "block0.onnx"
    file = directory / "anything"
    file.write_bytes(written.read_bytes())
    files = fetch(_source(f"{url}/anything", file), BLOCKS[:1])
    assert files["block0"].read_bytes() == written.read_bytes()
    with pytest.raises(CannotServeError, match="must be a tar archive"):
        fetch(_source(f"{url}/anything", file), BLOCKS)


def test_weights_from_a_url_that_are_not_there_or_are_others(shelf: tuple[Path, str]) -> None:
    directory, url = shelf
    digest = "0" * 64
    with pytest.raises(CannotServeError, match=r"can't be loaded: HTTP Error 404"):
        fetch(WeightsSource(url=f"{url}/none", sha256=digest), BLOCKS)
    (directory / "others").write_bytes(b"others")
    with pytest.raises(CannotServeError, match=f"and the artifact says {digest}"):
        fetch(WeightsSource(url=f"{url}/others", sha256=digest), BLOCKS)


def test_an_archive_does_not_reach_outside(shelf: tuple[Path, str], tmp_path: Path) -> None:
    directory, url = shelf
    archive = directory / "evil.tar"
    (tmp_path / "x").write_text("x")
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "x", "../../../escaped")
    with pytest.raises(CannotServeError, match="can't be unpacked"):
        fetch(_source(f"{url}/evil.tar", archive), BLOCKS)


def test_the_body_of_a_request_is_json() -> None:
    assert orjson.loads(request(BATCH))["inputs"][0]["shape"] == [8, WIDTH]
