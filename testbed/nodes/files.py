"""The configuration files of a node."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testbed.nodes.network import GATEWAY, PODS, NodeNetwork

PAUSE_IMAGE = "fin-pause:1"
"""What holds a pod's namespaces."""

_CNI_PLUGINS = "/usr/lib/cni"


@dataclass(frozen=True, slots=True)
class NodeSize:
    """What of this machine a node has: whole CPUs and bytes that its pods may use."""

    millicores: int
    memory: int


def write_files(
    disk: Path,
    network: NodeNetwork,
    size: NodeSize,
    machine: NodeSize,
    ca: Path,
) -> None:
    """Write a node's configuration to its disk."""
    cni = disk / "cni"
    cni.mkdir()
    _write(cni / "10-fin.conflist", json.dumps(_cni(network)))
    _write(disk / "containerd.toml", _containerd(cni))
    _write(disk / "kubelet.yaml", yaml.safe_dump(_kubelet(size, machine, ca)))
    _write(disk / "kube-proxy.yaml", yaml.safe_dump(_proxy(disk)))
    _write(disk / "resolv.conf", f"nameserver {GATEWAY}\n")


def _cni(network: NodeNetwork) -> Mapping[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": network.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "fin", "plugins": [bridge, portmap]}


def _containerd(cni: Path) -> str:
    # Without CAP_SYS_RESOURCE runc may not lower a score: restrict_oom_score_adj.
    return f"""version = 2
oom_score = 0
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{_CNI_PLUGINS}"
  conf_dir = "{cni}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def _kubelet(size: NodeSize, machine: NodeSize, ca: Path) -> Mapping[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(ca)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": ["pods"],
        "systemReserved": {
            "cpu": f"{machine.millicores - size.millicores}m",
            "memory": str(machine.memory - size.memory),
        },
        "failSwapOn": False,
        "failCgroupV1": False,
        "clusterDNS": [GATEWAY],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "2s",
        "nodeLeaseDurationSeconds": 8,
        "serializeImagePulls": False,
    }


def _proxy(disk: Path) -> Mapping[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": PODS,
        "clientConnection": {"kubeconfig": str(disk / "kube-proxy.kubeconfig")},
        # What is the machine's own can't be set from inside.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
