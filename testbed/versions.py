"""The programs of the testbed and their versions, read from `go/go.mod`."""

import re
from dataclasses import dataclass
from pathlib import Path

GO_MODULE = Path(__file__).with_name("go")
"""The module of Kubernetes' programs and those that stand on the same libraries."""

DNS_MODULE = GO_MODULE / "coredns"
"""The module of CoreDNS, which stands on others."""

_DNS_PACKAGE = "github.com/coredns/coredns"
_MODULE_OF_PACKAGE = {
    "go.etcd.io/etcd/server/v3": "go.etcd.io/etcd/server/v3",
    "helm.sh/helm/v3/cmd/helm": "helm.sh/helm/v3",
    "k8s.io/kubernetes/cmd/kube-apiserver": "k8s.io/kubernetes",
    "k8s.io/kubernetes/cmd/kube-controller-manager": "k8s.io/kubernetes",
    "k8s.io/kubernetes/cmd/kube-scheduler": "k8s.io/kubernetes",
    "k8s.io/kubernetes/cmd/kube-proxy": "k8s.io/kubernetes",
    "k8s.io/kubernetes/cmd/kubelet": "k8s.io/kubernetes",
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
    go_module: Path = GO_MODULE
    """The directory of the Go module that names the package's version and all it stands on."""

    @property
    def built_name(self) -> str:
        """The file name that `go build` gives it."""
        parts = self.package.split("/")
        return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _read_versions(module: Path) -> dict[str, str]:
    text = (module / "go.mod").read_text()
    return dict(re.findall(r"^(?:require)?\s+(\S+\.\S+/\S+) (v\S+)(?: // indirect)?$", text, re.M))


def _read_binaries() -> dict[str, Binary]:
    versions = _read_versions(GO_MODULE)
    binaries = {}
    for package, module in _MODULE_OF_PACKAGE.items():
        name = "etcd" if module.startswith("go.etcd.io") else package.rsplit("/", 1)[1]
        binaries[name] = Binary(name, package, versions[module])
    dns = _read_versions(DNS_MODULE)[_DNS_PACKAGE]
    binaries["coredns"] = Binary("coredns", _DNS_PACKAGE, dns, DNS_MODULE)
    return binaries


def go_version() -> tuple[int, ...]:
    """Return the oldest Go that can build the programs, such as `(1, 26, 0)`."""
    match = re.search(r"^go (\d+(?:\.\d+)*)$", (GO_MODULE / "go.mod").read_text(), re.M)
    assert match, "go.mod has a go line"
    return tuple(int(part) for part in match[1].split("."))


BINARIES: dict[str, Binary] = _read_binaries()
"""Every program by name: etcd, helm, kube-apiserver, kube-controller-manager, ..."""

NODE_BINARIES = ("coredns", "kube-proxy", "kubelet")
"""The programs that a cluster with real nodes needs besides."""

CONTROL_PLANE_BINARIES = tuple(name for name in BINARIES if name not in NODE_BINARIES)
"""The programs of a control plane, with kwok and those that talk to it."""
