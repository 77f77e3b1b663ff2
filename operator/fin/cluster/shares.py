"""An app's energy by component, node and tier."""

from fin.cluster.revision import Share
from fin.planning.evaluation import Evaluation
from fin.planning.problem import Problem


def shares_of(problem: Problem, found: Evaluation) -> dict[Share, float]:
    """Joules per inference by component and node; those of a link are its sender's."""
    shares: dict[Share, float] = {}
    computing = (("compute", node, joules) for node, joules in found.compute_energy.items())
    sending = (("network", ends[0], joules) for ends, joules in found.network_energy.items())
    for component, node, joules in (*computing, *sending):
        share = Share(component, node, problem.node[node].tier)
        shares[share] = shares.get(share, 0.0) + joules
    return shares
