"""The labels by which a node takes part, from what was measured."""

from fin.api import names
from fin.api.quantity import Quantity
from fin.api.text import LABEL_VALUE
from fin.profiling.errors import ProfileError
from fin.profiling.node import Speed


def labels(
    speed: Speed, allocatable: float | None, watts: float | None, tier: str | None
) -> dict[str, str]:
    """Return a node's labels, as far as they are known.

    Parameters
    ----------
    speed
        What was measured.
    allocatable
        CPUs that the node offers to pods: the label tells the speed of all of them together. None:
        as many as were measured.
    watts
        Power where it wasn't measured.
    tier
        The node's tier; None where it has its label already.

    Raises
    ------
    ProfileError
        If the tier is no label's value.
    """
    if tier is not None and not LABEL_VALUE.matches(tier):
        raise ProfileError(f"--tier {tier}: must be {LABEL_VALUE.words}")
    scale = 1 if allocatable is None else allocatable / speed.cpus
    found = {names.LABEL_FLOPS: str(Quantity.of(speed.flops * scale))}
    power = speed.watts if watts is None else watts
    if power:
        found[names.LABEL_GFLOPS_PER_WATT] = str(Quantity.of(speed.flops * 1e-9 / power))
    if tier is not None:
        found[names.LABEL_TIER] = tier
    return found
