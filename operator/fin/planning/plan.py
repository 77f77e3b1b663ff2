"""A plan: where the blocks of each app run, what they reserve, how near it is to the best."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from fin.planning.problem import AppKey


class Reason(StrEnum):
    """Why an application has no plan (model.md, "Why an application has no plan")."""

    ACCURACY_UNREACHABLE = "AccuracyUnreachable"
    PLACEMENT_UNSATISFIABLE = "PlacementUnsatisfiable"
    LATENCY_UNREACHABLE = "LatencyUnreachable"
    RATE_TOO_HIGH = "RateTooHigh"
    INSUFFICIENT_COMPUTE = "InsufficientCompute"
    INSUFFICIENT_MEMORY = "InsufficientMemory"
    INSUFFICIENT_PODS = "InsufficientPods"
    INSUFFICIENT_BANDWIDTH = "InsufficientBandwidth"
    INSUFFICIENT_CAPACITY = "InsufficientCapacity"
    CONSTRAINT_BROKEN = "ConstraintBroken"
    SLOTS_TOO_FEW = "SlotsTooFew"
    NOT_PROVEN = "NotFoundInTime"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the blocks of one application run, and how the data moves between them.

    Attributes
    ----------
    nodes
        Node of each block that is deployed, in order; its length is the cut K.
    routes
        For each block the nodes that its input crosses, from where the input is (the
        source, or the node of the block before) to the block's own node; a single node
        where nothing moves. As long as ``nodes``.
    """

    nodes: tuple[str, ...]
    routes: tuple[tuple[str, ...], ...]

    @property
    def segments(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Segments in the order in which they are entered first: node, its blocks (from 0)."""
        blocks: dict[str, list[int]] = {}
        for block, node in enumerate(self.nodes):
            blocks.setdefault(node, []).append(block)
        return tuple((node, tuple(indices)) for node, indices in blocks.items())

    @property
    def transfers(self) -> tuple[tuple[str, ...], ...]:
        """Routes of the transfers that move data, in order."""
        return tuple(route for route in self.routes if len(route) > 1)


@dataclass(frozen=True, slots=True)
class AppPlan:
    """The deployment of one application: its placement and the millicores that it reserves.

    ``millicores`` has one entry for each segment, in the order of ``placement.segments``.
    ``bound`` is a proven lower bound of its energy per inference alone in the empty
    system, joules; a planner that proves nothing leaves it at 0.
    """

    key: AppKey
    placement: Placement
    millicores: tuple[tuple[str, int], ...]
    bound: float = 0.0

    def reserved(self, node: str) -> int:
        """Millicores reserved on ``node``; 0 where it has no segment there."""
        return dict(self.millicores).get(node, 0)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a deployment takes of the system, by node and by link; known without its model.

    ``memory`` has one entry (bytes) for each segment, so it also tells where its segments
    are; ``traffic`` is in bit/s.
    """

    millicores: tuple[tuple[str, int], ...]
    memory: tuple[tuple[str, int], ...]
    traffic: tuple[tuple[tuple[str, str], float], ...]


@dataclass(frozen=True, slots=True)
class Running:
    """A deployment that runs now.

    ``plan`` is None where it can't be said in terms of the problem: its application is
    not in it (its model or source is gone) or its model has other blocks today. It keeps
    its footprint all the same, until a higher priority needs the room.
    """

    key: AppKey
    priority: int
    footprint: Footprint
    plan: AppPlan | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An application without a plan: why, and the best value that could be reached.

    ``broken`` names the constraints, as ``check`` does, that a baseline's choice breaks.
    """

    key: AppKey
    reason: Reason
    message: str
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a planner returns: plans and refusals in the order of the problem's applications.

    ``power_bound`` bounds from below the total power of every plan that admits the same
    applications, watts. ``admission_proven``: no plan admits more by the objective's order.
    ``evicted`` names running applications that must go, since a higher priority needs their
    room; a refused application that runs and is not evicted runs on as it is.
    """

    solver: str
    apps: tuple[AppPlan, ...]
    refusals: tuple[Refusal, ...]
    power_bound: float = 0.0
    admission_proven: bool = False
    evicted: tuple[AppKey, ...] = ()

    @cached_property
    def app(self) -> Mapping[AppKey, AppPlan]:
        """Plans by application."""
        return {plan.key: plan for plan in self.apps}

    @cached_property
    def refusal(self) -> Mapping[AppKey, Refusal]:
        """Refusals by application."""
        return {refusal.key: refusal for refusal in self.refusals}


def gap(value: float, bound: float) -> float:
    """Distance of ``value`` from its lower bound, relative and in [0, 1]; 0 where both are 0."""
    return min(max((value - bound) / value, 0.0), 1.0) if value > 0 else 0.0
