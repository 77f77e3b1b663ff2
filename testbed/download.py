"""Downloads official releases, each checked against the checksum that its project publishes."""

import hashlib
import json
import queue
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from testbed import cache
from testbed.progress import Reporter, Update
from testbed.versions import Binary

_SECONDS_TO_ANSWER = 5.0
_SECONDS_OF_SILENCE = 30.0
_CHUNK = 1 << 18


@dataclass(frozen=True)
class ReleaseHosts:
    """Where the projects publish their releases."""

    kubernetes: str = "https://dl.k8s.io"
    github: str = "https://github.com"
    github_api: str = "https://api.github.com"
    helm: str = "https://get.helm.sh"


@dataclass(frozen=True)
class _Release:
    url: str
    checksum_url: str
    read_checksum: Callable[[str, str], str]
    """Takes what is at `checksum_url` and the file's name; gives the SHA-256 in hexadecimal."""
    member: str | None = None
    """The program's path in the archive; None where the download is the program."""

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1]


def download(
    binaries: Iterable[Binary],
    workspace: Path,
    reporter: Reporter,
    hosts: ReleaseHosts | None = None,
) -> None:
    """Download programs into the cache, as far as they can be had.

    A release that can't be reached, or whose checksum differs, is passed over with a line that
    says so. All together give up after a few seconds where no host answers.
    """
    releases = {binary: _release(binary, hosts or ReleaseHosts()) for binary in binaries}
    checksums = _fetch_checksums(releases)
    unreachable = [binary.name for binary in releases if binary not in checksums]
    if unreachable:
        reporter.say(f"no official release within reach: {', '.join(unreachable)}")
    for binary, checksum in checksums.items():
        release = releases[binary]
        archive = workspace / release.file_name
        try:
            with reporter.task(f"downloading {release.url}") as update:
                actual = _fetch(release.url, archive, update)
            if actual != checksum:
                reporter.say(f"{release.url} is refused: SHA-256 {actual}, published {checksum}")
                continue
            cache.store(_unpack(archive, release.member), binary)
        except (OSError, KeyError, tarfile.TarError) as error:
            reporter.say(f"{release.url} failed: {error}")


def _release(binary: Binary, hosts: ReleaseHosts) -> _Release:
    system, processor = cache.operating_system(), cache.architecture()
    name, version = binary.name, binary.version
    if name == "etcd":
        base = f"{hosts.github}/etcd-io/etcd/releases/download/{version}"
        folder = f"etcd-{version}-{system}-{processor}"
        member = f"{folder}/etcd"
        return _Release(f"{base}/{folder}.tar.gz", f"{base}/SHA256SUMS", _line_of_file, member)
    if name == "kwok":
        url = f"{hosts.github}/kubernetes-sigs/kwok/releases/download/{version}"
        url += f"/kwok-{system}-{processor}"
        api = f"{hosts.github_api}/repos/kubernetes-sigs/kwok/releases/tags/{version}"
        return _Release(url, api, _digest_of_asset)
    if name == "helm":
        url = f"{hosts.helm}/helm-{version}-{system}-{processor}.tar.gz"
        return _Release(url, f"{url}.sha256sum", _line_of_file, f"{system}-{processor}/helm")
    if name == "coredns":
        file = f"coredns_{version.removeprefix('v')}_{system}_{processor}.tgz"
        url = f"{hosts.github}/coredns/coredns/releases/download/{version}/{file}"
        return _Release(url, f"{url}.sha256", _line_of_file, "coredns")
    url = f"{hosts.kubernetes}/release/{version}/bin/{system}/{processor}/{name}"
    return _Release(url, f"{url}.sha256", lambda text, _: text.strip())


def _line_of_file(text: str, file_name: str) -> str:
    """Read the output format of `sha256sum`."""
    sums = {name.lstrip("*"): checksum for checksum, name in map(str.split, text.splitlines())}
    return sums[file_name]


def _digest_of_asset(text: str, file_name: str) -> str:
    """Read GitHub's description of a release, which has the digest of each file."""
    digests = {asset["name"]: asset["digest"] for asset in json.loads(text)["assets"]}
    algorithm, _, checksum = str(digests[file_name]).partition(":")
    if algorithm != "sha256":
        raise ValueError(f"no SHA-256 for {file_name}")
    return checksum


def _fetch_checksums(releases: dict[Binary, _Release]) -> dict[Binary, str]:
    """Fetch all checksums at once; those that are not there in time are left out."""
    answers: queue.Queue[tuple[Binary, str | None]] = queue.Queue()

    def fetch(binary: Binary, release: _Release) -> None:
        try:
            with urllib.request.urlopen(release.checksum_url, timeout=_SECONDS_TO_ANSWER) as answer:
                text = answer.read().decode()
            answers.put((binary, release.read_checksum(text, release.file_name)))
        except (OSError, ValueError, KeyError, TypeError):
            answers.put((binary, None))

    # Daemon threads: looking up a name has no timeout of its own, and must not hold up the end.
    for item in releases.items():
        threading.Thread(target=fetch, args=item, daemon=True).start()
    checksums = {}
    try:
        for _ in releases:
            binary, checksum = answers.get(timeout=_SECONDS_TO_ANSWER)
            if checksum:
                checksums[binary] = checksum
    except queue.Empty:
        pass
    return checksums


def _fetch(url: str, target: Path, update: Update) -> str:
    """Download a file and return its SHA-256."""
    digest = hashlib.sha256()
    done = 0
    with (
        urllib.request.urlopen(url, timeout=_SECONDS_OF_SILENCE) as answer,
        target.open("wb") as file,
    ):
        total = int(answer.headers.get("Content-Length") or 0)
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            update(done, total or None)
    return digest.hexdigest()


def _unpack(archive: Path, member: str | None) -> Path:
    if member is None:
        return archive
    program = archive.with_suffix(".program")
    with tarfile.open(archive) as tar:
        content = tar.extractfile(member)
        if content is None:
            raise KeyError(f"{member} is not a file")
        with content, program.open("wb") as file:
            while chunk := content.read(_CHUNK):
                file.write(chunk)
    return program
