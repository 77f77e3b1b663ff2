"""Names in the cluster: CoreDNS, as a process beside the control plane."""

from pathlib import Path

from testbed.nodes.network import GATEWAY

_COREFILE = """.:53 {{
  bind {address}
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {kubeconfig}
    ttl 5
  }}
}}
"""


def command(program: Path, directory: Path, kubeconfig: Path) -> list[str]:
    """Write CoreDNS's configuration, and give its command line."""
    corefile = directory / "Corefile"
    corefile.write_text(_COREFILE.format(address=GATEWAY, kubeconfig=kubeconfig))
    return [str(program), "-conf", str(corefile)]
