import hashlib
import io
import json
import socket
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from testbed import cache
from testbed.binaries import Origin, ensure
from testbed.download import ReleaseHosts, download
from testbed.errors import TestbedError
from testbed.progress import Reporter
from testbed.versions import BINARIES

SYSTEM = cache.operating_system()
PROCESSOR = cache.architecture()
NOWHERE = ReleaseHosts(*["http://127.0.0.1:9"] * 4)


def version(name: str) -> str:
    return BINARIES[name].version


def write_program(path: Path, output: str, status: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH but `path/`, and an empty cache."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def reporter(said: io.StringIO) -> Reporter:
    return Reporter(Console(file=said, width=1000))


class Releases:
    """The release hosts of all projects, on loopback."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: Counter[str] = Counter()
        handler = partial(_Handler, directory=str(root))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.releases = self  # type: ignore[attr-defined]
        url = f"http://127.0.0.1:{self.server.server_port}"
        self.hosts = ReleaseHosts(url, f"{url}/github", f"{url}/api", f"{url}/helm")
        for name in ("kube-apiserver", "kubectl"):
            folder = f"release/{version(name)}/bin/{SYSTEM}/{PROCESSOR}"
            content = self.write(f"{folder}/{name}", f"release {name}".encode())
            self.write(f"{folder}/{name}.sha256", sha256(content).encode())
        self._write_etcd()
        self._write_kwok()
        self._write_helm()

    def write(self, path: str, content: bytes) -> bytes:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return content

    def _write_etcd(self) -> None:
        base = f"github/etcd-io/etcd/releases/download/{version('etcd')}"
        stem = f"etcd-{version('etcd')}-{SYSTEM}-{PROCESSOR}"
        archive = self.write(f"{base}/{stem}.tar.gz", tar(f"{stem}/etcd", b"release etcd"))
        lines = f"{'0' * 64}  other.tar.gz\n{sha256(archive)}  {stem}.tar.gz\n"
        self.write(f"{base}/SHA256SUMS", lines.encode())

    def _write_kwok(self) -> None:
        project = f"kubernetes-sigs/kwok/releases/download/{version('kwok')}"
        name = f"kwok-{SYSTEM}-{PROCESSOR}"
        content = self.write(f"github/{project}/{name}", b"release kwok")
        asset = {"name": name, "digest": f"sha256:{sha256(content)}"}
        description = json.dumps({"assets": [{"name": "other", "digest": None}, asset]})
        api = f"api/repos/kubernetes-sigs/kwok/releases/tags/{version('kwok')}"
        self.write(api, description.encode())

    def _write_helm(self) -> None:
        name = f"helm-{version('helm')}-{SYSTEM}-{PROCESSOR}.tar.gz"
        member = f"{SYSTEM}-{PROCESSOR}/helm"
        archive = self.write(f"helm/{name}", tar(member, b"release helm"))
        self.write(f"helm/{name}.sha256sum", f"{sha256(archive)}  {name}\n".encode())


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.releases.requests[self.path] += 1  # type: ignore[attr-defined]
        super().do_GET()

    def log_message(self, *args: object) -> None:
        pass


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tar(member: str, content: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        file.addfile(info, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Releases]:
    served = Releases(tmp_path / "releases")
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


def test_kubebuilder_assets_come_first(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl = version("kubectl")
    assets = write_program(machine / "assets" / "kubectl", "Client Version: v1.20.0")
    write_program(machine / "path" / "kubectl", f"Client Version: {kubectl}")
    write_program(cache.cached_path(BINARIES["kubectl"]), "cached")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(machine / "assets"))

    found = ensure(["kubectl"], hosts=NOWHERE)["kubectl"]

    assert (found.origin, found.path) == (Origin.ASSETS, assets)


def test_assets_that_are_not_there_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/no/such/directory")
    with pytest.raises(TestbedError, match="KUBEBUILDER_ASSETS names /no/such/directory"):
        ensure(["kubectl"], hosts=NOWHERE)


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("kube-apiserver", "Kubernetes v{minor}.99"),
        ("kubectl", "Client Version: v{minor}.0\nKustomize Version: v5.0.0"),
        ("etcd", "etcd Version: {minor}.99\nGit SHA: abc"),
        ("kwok", "kwok version v{minor}.99 go1.26.0 (linux/amd64)"),
        ("helm", "v{minor}.99+gabcdef"),
    ],
)
def test_a_program_on_path_of_the_same_minor_version_is_taken(
    machine: Path, name: str, output: str
) -> None:
    minor = version(name).removeprefix("v").rsplit(".", 1)[0]
    on_path = write_program(machine / "path" / name, output.format(minor=minor))
    write_program(cache.cached_path(BINARIES[name]), "cached")

    found = ensure([name], hosts=NOWHERE)[name]

    assert (found.origin, found.path) == (Origin.PATH, on_path)


@pytest.mark.parametrize(
    ("output", "status"),
    [
        ("Client Version: v1.32.4-dispatcher", 0),
        ("Client Version: {wanted}-dispatcher", 0),
        ("Client Version: v1.20.0", 0),
        ("what?", 0),
        ("Client Version: {wanted}", 1),
    ],
)
def test_another_program_on_path_is_passed_over(machine: Path, output: str, status: int) -> None:
    wanted = version("kubectl")
    write_program(machine / "path" / "kubectl", output.format(wanted=wanted), status)
    cached = write_program(cache.cached_path(BINARIES["kubectl"]), "cached")

    found = ensure(["kubectl"], hosts=NOWHERE)["kubectl"]

    assert (found.origin, found.path) == (Origin.CACHE, cached)


def test_the_cache_is_in_the_home_directory_unless_told_otherwise(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache.cache_directory() == machine / "cache" / "fin-operator" / "testbed"
    monkeypatch.setenv("HOME", "/home/someone")
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache.cache_directory() == Path("/home/someone/.cache/fin-operator/testbed")


def test_releases_are_downloaded_once_and_kept(releases: Releases, reporter: Reporter) -> None:
    names = ["etcd", "helm", "kube-apiserver", "kubectl", "kwok"]

    fetched = ensure(names, reporter=reporter, hosts=releases.hosts)
    again = ensure(names, reporter=reporter, hosts=NOWHERE)

    assert {program.origin for program in fetched.values()} == {Origin.RELEASE}
    assert {program.origin for program in again.values()} == {Origin.CACHE}
    for name in names:
        path = again[name].path
        assert path.read_text() == f"release {name}"
        assert path.stat().st_mode & 0o777 == 0o755
        assert path == fetched[name].path
    assert sorted(path.name for path in cache.cache_directory().iterdir()) == ["bin", "lock"]


def test_two_at_once_download_once(releases: Releases, reporter: Reporter) -> None:
    threads = [
        threading.Thread(
            target=ensure, args=(["etcd"],), kwargs={"reporter": reporter, "hosts": releases.hosts}
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.cached_path(BINARIES["etcd"]).read_text() == "release etcd"
    assert set(releases.requests.values()) == {1}


def test_a_release_with_another_checksum_is_refused(
    machine: Path, releases: Releases, reporter: Reporter, said: io.StringIO
) -> None:
    folder = f"release/{version('kubectl')}/bin/{SYSTEM}/{PROCESSOR}"
    releases.write(f"{folder}/kubectl", b"something else")
    binaries = [BINARIES["kubectl"], BINARIES["helm"]]

    with cache.locked_workspace() as workspace:
        download(binaries, workspace, reporter, releases.hosts)

    assert not cache.cached_path(BINARIES["kubectl"]).exists()
    assert cache.cached_path(BINARIES["helm"]).read_text() == "release helm"
    refusal = next(line for line in said.getvalue().splitlines() if "is refused" in line)
    assert f"/{folder}/kubectl is refused" in refusal
    assert sha256(b"something else") in refusal
    assert sha256(b"release kubectl") in refusal


def test_a_broken_release_is_passed_over_with_the_reason(
    releases: Releases, reporter: Reporter, said: io.StringIO
) -> None:
    name = f"helm-{version('helm')}-{SYSTEM}-{PROCESSOR}.tar.gz"
    archive = releases.write(f"helm/{name}", tar("something/else", b"?"))
    releases.write(f"helm/{name}.sha256sum", f"{sha256(archive)}  {name}\n".encode())
    (releases.root / f"release/{version('kubectl')}/bin/{SYSTEM}/{PROCESSOR}/kubectl").unlink()

    with cache.locked_workspace() as workspace:
        download([BINARIES["helm"], BINARIES["kubectl"]], workspace, reporter, releases.hosts)

    assert not (cache.cache_directory() / "bin").exists()
    assert f"{name} failed: " in said.getvalue()
    assert "/kubectl failed: HTTP Error 404" in said.getvalue()


def test_hosts_that_refuse_or_never_answer_are_given_up(
    reporter: Reporter, said: io.StringIO
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for hosts in (ReleaseHosts(*[url] * 4), NOWHERE):
            with cache.locked_workspace() as workspace:
                download(BINARIES.values(), workspace, reporter, hosts)
    lines = said.getvalue().splitlines()
    assert lines == [f"no official release within reach: {', '.join(BINARIES)}"] * 2


def test_a_failed_build_is_reported_with_what_go_said(machine: Path, reporter: Reporter) -> None:
    script = 'case "$1" in env) echo go99.0 ;; *) echo no space left; exit 1 ;; esac'
    go = machine / "path" / "go"
    go.write_text(f"#!/bin/sh\n{script}\n")
    go.chmod(0o755)
    with pytest.raises(TestbedError, match=r"(?s)`go list` failed:\nno space left"):
        ensure(["etcd"], reporter=reporter, hosts=NOWHERE)
    assert not (cache.cache_directory() / "work").exists()
