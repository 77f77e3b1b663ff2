"""The sample cluster: three nodes in three tiers, with what the Dockerfile makes on each."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from fin.api import NetworkTopology
from fin.api.names import LABEL_TIER
from fin.api.parsing import parse
from fin.cluster.topology import network
from testbed.images import ensure_images
from testbed.nodes.cluster import Cluster, NodeSpec
from testbed.nodes.files import NodeSize
from testbed.nodes.links import ShapedLink
from testbed.progress import Reporter

_GIB = 1 << 30
_EXAMPLES = Path(__file__).parents[2] / "examples" / "networks"


def _labels(tier: str, flops: str, gflops_per_watt: str) -> Mapping[str, str]:
    return {
        "finoperator.io/tier": tier,
        "finoperator.io/flops": flops,
        "finoperator.io/gflops-per-watt": gflops_per_watt,
    }


NODES = (
    NodeSpec("camera-0", NodeSize(500, 2 * _GIB), _labels("camera", "50M", "0.5")),
    NodeSpec("gateway-0", NodeSize(600, 2 * _GIB), _labels("gateway", "60M", "2.77")),
    NodeSpec("server-0", NodeSize(900, 4 * _GIB), _labels("server", "90M", "115.7")),
)
"""The nodes of examples/networks/digit-reader.yaml, each a share of this machine. Their speed is
what a core does of so small a network, whose requests cost more than its operations."""


def sample_cluster(reporter: Reporter | None = None) -> Cluster:
    """Make the sample cluster, not started yet.

    Raises
    ------
    TestbedError
        The images can't be built here.
    """
    images = ensure_images(reporter=reporter)
    archives = [image.archive for image in images.values()]
    return Cluster(NODES, archives, reporter, sample_links())


def sample_links() -> tuple[ShapedLink, ...]:
    """Give the links between the nodes, of examples/networks/digit-reader.yaml."""
    objects = yaml.safe_load_all((_EXAMPLES / "digit-reader.yaml").read_text())
    topologies = [
        parse(NetworkTopology, each) for each in objects if each["kind"] == "NetworkTopology"
    ]
    tiers = {spec.name: spec.labels[LABEL_TIER] for spec in NODES}
    return tuple(
        ShapedLink(each.source, each.target, each.bandwidth, each.rtt)
        for each in network(topologies, tiers).links
    )
