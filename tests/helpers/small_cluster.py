"""A simulated cluster with one app and two nodes to choose from."""

from typing import Any

from tests.helpers.objects import app, link, model, node, topology
from tests.helpers.simulator import SimulatedCluster


def small_cluster(**spec: Any) -> SimulatedCluster:
    """A weak source and two edge nodes, of which edge-0 takes less energy."""
    cluster = SimulatedCluster()
    cluster.add(
        node("mobile-0", "mobile", cpu="1", flops="200M", gflops_per_watt="0.1"),
        node("edge-0", "edge", cpu="4", flops="400G", gflops_per_watt="10"),
        node("edge-1", "edge", cpu="4", flops="400G", gflops_per_watt="9"),
        topology("net", link("mobile", "edge"), link("edge", "edge")),
        model(),
        app(**spec),
    )
    return cluster
