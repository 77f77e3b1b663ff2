"""A trained network's profile: what its blocks cost, who leaves where, and how accurate that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fin.profiling import costs, evaluation
from fin.profiling.costs import BlockCost
from fin.profiling.errors import ProfileError
from fin.profiling.network import Block
from fin.profiling.progress import Progress, silent
from fin.profiling.samples import Samples
from fin.profiling.thresholds import Calibration, Point, undominated
from fin.segment.exits import Criterion, ExitRule


@dataclass(frozen=True, slots=True)
class ExitProfile:
    """What happens at an exit.

    Attributes
    ----------
    rule
        When samples leave; the last exit's has no threshold, since all leave.
    rate
        Share of all samples that leave here.
    accuracy
        Accuracy of the model that ends here, with the thresholds of the exits before.
    """

    rule: ExitRule
    rate: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that was measured of a network.

    Attributes
    ----------
    blocks, costs
        The blocks, and what each costs.
    exits
        For each block that has one.
    samples
        How many samples the shares and accuracies are of.
    work, whole
        Operations of a sample: expected, and where it runs through to the last exit.
    frontier
        Thresholds that no others found beat in work and accuracy, by work.
    """

    blocks: tuple[Block, ...]
    costs: tuple[BlockCost, ...]
    exits: tuple[ExitProfile, ...]
    samples: int
    work: float
    whole: float
    frontier: tuple[Point, ...]

    @property
    def accuracy(self) -> float:
        """Accuracy of the whole model."""
        return self.exits[-1].accuracy


def profile(
    blocks: tuple[Block, ...],
    samples: Samples,
    accuracy: float | None = None,
    criterion: Criterion = "Confidence",
    progress: Progress = silent,
) -> Profile:
    """Profile a network.

    Parameters
    ----------
    blocks
        The network.
    samples
        What to calibrate with.
    accuracy
        The least accuracy, from 0 to 1. None: that of the last exit, if every sample went there.
    criterion
        What thresholds are compared with.
    progress
        Told how far it is.

    Raises
    ------
    ProfileError
        If something can't be measured, or no thresholds reach the accuracy.
    """
    samples = evaluation.fitted(blocks, samples)
    logits = evaluation.logits(blocks, samples, progress)
    measured = costs.measure(blocks, samples.inputs[:1], progress)
    work = _work(measured)
    calibration = Calibration(logits, samples.labels, work, criterion)
    frontier = calibration.sweep(progress)
    target = _share(logits[-1], samples.labels) if accuracy is None else accuracy
    best = calibration.best(frontier, target)
    if best is None:
        reached = frontier[-1].correct / len(samples)
        raise ProfileError(
            f"no thresholds reach an accuracy of {target:g} on these {len(samples)} samples; the "
            f"best found is {reached:.4g}: ask for less, or train the network better"
        )
    exits = outcome((*best.rules, ExitRule(None, criterion)), logits, samples.labels)
    expected = sum(each.rate * cost for each, cost in zip(exits, work, strict=True))
    worth = undominated((*frontier, best))
    return Profile(blocks, measured, exits, len(samples), expected, work[-1], worth)


def outcome(
    rules: Sequence[ExitRule], logits: Sequence[NDArray[Any]], labels: NDArray[np.int64]
) -> tuple[ExitProfile, ...]:
    """Tell who leaves where, by the rule that serving uses too.

    Parameters
    ----------
    rules
        For each exit; at the last, all that are left leave.
    logits
        For each exit, samples by classes.
    labels
        The class of each sample.
    """
    going_on = np.ones(len(labels), dtype=np.bool_)
    settled = 0
    found = []
    for position, (rule, each) in enumerate(zip(rules, logits, strict=True)):
        correct = each.argmax(axis=1) == labels
        ends_here = settled + int(correct[going_on].sum())
        leaving = going_on & (rule.leaves(each) if position < len(rules) - 1 else True)
        settled += int(correct[leaving].sum())
        going_on &= ~leaving
        found.append(ExitProfile(rule, int(leaving.sum()) / len(labels), ends_here / len(labels)))
    return tuple(found)


def _work(measured: Sequence[BlockCost]) -> list[float]:
    """Return the operations of a sample that leaves at each exit."""
    found, total = [], 0.0
    for cost in measured:
        total += cost.block.flops
        if cost.exit is not None:
            total += cost.exit.flops
            found.append(total)
    return found


def _share(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    return float((logits.argmax(axis=1) == labels).mean())
