"""The sample cluster: three nodes in three tiers, with what the Dockerfile makes on each."""

from collections.abc import Mapping

from testbed.images import ensure_images
from testbed.nodes.cluster import Cluster, NodeSpec
from testbed.nodes.files import NodeSize
from testbed.progress import Reporter

_GIB = 1 << 30


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
    return Cluster(NODES, [image.archive for image in images.values()], reporter)
