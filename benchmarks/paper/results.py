"""The results as the page and the figures read them, and what they are called."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.paper.files import read, write
from benchmarks.paper.points import Point
from benchmarks.paper.slots import Slots
from benchmarks.paper.together import Together

LABELS: Mapping[str, str] = {
    "alexnet-10": "B-AlexNet, CIFAR-10",
    "alexnet-100": "B-AlexNet, CIFAR-100",
    "resnet": "B-ResNet, CIFAR-10",
    "lenet": "B-LeNet, MNIST",
    "alexnet-10-exits": "B-AlexNet with exit shares",
}


@dataclass(frozen=True)
class Results:
    """All that was measured."""

    points: Sequence[Point]
    slots: Sequence[Slots]
    together: Sequence[Together]

    @cached_property
    def models(self) -> list[str]:
        """Models, in the order of the grid."""
        return list(dict.fromkeys(each.model for each in self.points))


def load(folder: Path) -> Results:
    """Read all results of a folder."""
    return Results(
        read(folder / "points.csv", Point),
        read(folder / "slots.csv", Slots),
        read(folder / "together.csv", Together),
    )


def store(
    folder: Path, points: Iterable[Point], slots: Iterable[Slots], together: Iterable[Together]
) -> None:
    """Write all results into a folder."""
    write(folder / "points.csv", Point, points)
    write(folder / "slots.csv", Slots, slots)
    write(folder / "together.csv", Together, together)


def label(model: str) -> str:
    """Name a model as people do."""
    return LABELS[model]


def feasible(results: Results, model: str) -> list[Point]:
    """Points of a model at which FIN and MCP both have a plan."""
    return [each for each in results.points if each.model == model and each.fin and each.mcp]


def best(results: Results, model: str, against: str = "mcp") -> Point:
    """The point of a model at which FIN saves most, the first of equals."""
    return max(
        feasible(results, model), key=lambda each: each.saving(getattr(each, against)) or 0.0
    )


def best_saving(results: Results, model: str, against: str = "mcp") -> float:
    """Share that FIN saves at that point."""
    at = best(results, model, against)
    return at.saving(getattr(at, against)) or 0.0
