"""The programs of the testbed and their versions, read from `go/go.mod`."""

import re
from dataclasses import dataclass
from pathlib import Path

GO_MODULE = Path(__file__).with_name("go")

_MODULE_OF_PACKAGE = {
    "go.etcd.io/etcd/server/v3": "go.etcd.io/etcd/server/v3",
    "helm.sh/helm/v3/cmd/helm": "helm.sh/helm/v3",
    "k8s.io/kubernetes/cmd/kube-apiserver": "k8s.io/kubernetes",
    "k8s.io/kubernetes/cmd/kube-controller-manager": "k8s.io/kubernetes",
    "k8s.io/kubernetes/cmd/kube-scheduler": "k8s.io/kubernetes",
    "k8s.io/kubernetes/cmd/kubectl": "k8s.io/kubernetes",
    "sigs.k8s.io/kwok/cmd/kwok": "sigs.k8s.io/kwok",
}


@dataclass(frozen=True)
class Binary:
    """One program: what it is called, and the Go package and version that it is built from."""

    name: str
    package: str
    version: str
    """With the leading `v`, such as `v1.36.3`."""

    @property
    def built_name(self) -> str:
        """The file name that `go build` gives it."""
        parts = self.package.split("/")
        return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _read_versions() -> dict[str, str]:
    text = (GO_MODULE / "go.mod").read_text()
    return dict(re.findall(r"^(?:require)?\s+(\S+\.\S+/\S+) (v\S+)(?: // indirect)?$", text, re.M))


def _read_binaries() -> dict[str, Binary]:
    versions = _read_versions()
    binaries = {}
    for package, module in _MODULE_OF_PACKAGE.items():
        name = "etcd" if module.startswith("go.etcd.io") else package.rsplit("/", 1)[1]
        binaries[name] = Binary(name, package, versions[module])
    return binaries


def go_version() -> tuple[int, ...]:
    """Return the oldest Go that can build the programs, such as `(1, 26, 0)`."""
    match = re.search(r"^go (\d+(?:\.\d+)*)$", (GO_MODULE / "go.mod").read_text(), re.M)
    assert match, "go.mod has a go line"
    return tuple(int(part) for part in match[1].split("."))


BINARIES: dict[str, Binary] = _read_binaries()
"""Every program by name: etcd, helm, kube-apiserver, kube-controller-manager, ..."""
