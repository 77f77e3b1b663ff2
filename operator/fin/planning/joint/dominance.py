"""Ways that another way of the class can take the place of in any plan."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from fin.planning.joint.kinds import Classes
from fin.planning.joint.network import Network
from fin.planning.joint.ways import Way
from fin.planning.system import Floats

CLOSE = 1 + 1e-12
"""Ratio within which two amounts count as equal."""


def undominated(network: Network, classes: Classes, ways: Iterable[Way]) -> list[Way]:
    """Leave out every way that needs no less of anything than another of its class.

    Of limits that all classes together can't reach, no amount counts.
    """
    grouped: dict[int, list[Way]] = {}
    for way in ways:
        grouped.setdefault(way.owner, []).append(way)
    scarce = _scarce(network, classes, grouped)
    kept = []
    for _, mine in sorted(grouped.items()):
        kept += _undominated(network, sorted(mine, key=_by_power), scarce)
    return kept


def _scarce(network: Network, classes: Classes, grouped: dict[int, list[Way]]) -> NDArray[np.bool_]:
    """Limits beside compute that could be reached, shape (limits,)."""
    total = np.zeros(len(network.limits))
    for owner, ways in grouped.items():
        most = np.zeros(len(total))
        for way in ways:
            most[way.rows] = np.maximum(most[way.rows], way.amounts)
        total += most * len(classes.members[owner])
    return np.asarray(total > network.room)


def _undominated(network: Network, ways: Sequence[Way], scarce: NDArray[np.bool_]) -> list[Way]:
    needs = np.array([_needs(network, way, scarce) for way in ways])
    kept: list[int] = []
    for index in range(len(ways)):
        if not kept or not (needs[kept] <= needs[index] * CLOSE).all(axis=1).any():
            kept.append(index)
    return [ways[index] for index in kept]


def _needs(network: Network, way: Way, scarce: NDArray[np.bool_]) -> Floats:
    """What a way needs of everything: power, compute and time of each node, scarce limits."""
    compute, seconds = np.zeros(network.size), np.zeros(network.size)
    compute[way.nodes], seconds[way.nodes] = way.fewest, way.seconds
    others = np.zeros(len(scarce))
    others[way.rows] = way.amounts
    return np.concatenate([[way.power], compute, seconds, others[scarce]])


def _by_power(way: Way) -> tuple[float, int]:
    return way.power, way.number
