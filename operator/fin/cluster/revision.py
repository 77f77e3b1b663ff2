"""A revision: what of an app runs where, and all that is needed to make its objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fin.planning.plan import Footprint, Placement
from fin.segment.exits import Criterion


@dataclass(frozen=True, slots=True)
class Template:
    """How the segments of a revision run: the model's ``spec.segment`` with its image settled.

    ``tolerations`` and ``artifact`` are as in a pod (an artifact may also be url + sha256).
    """

    image: str
    image_pull_secrets: tuple[str, ...] = ()
    service_account_name: str | None = None
    tolerations: tuple[Mapping[str, Any], ...] = ()
    artifact: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """All that an app runs on one node: one Deployment and one Service, both called ``name``.

    ``digest`` is the hash in the name; ``blocks`` are positions in the model, from 0;
    ``memory`` is in bytes.
    """

    name: str
    digest: str
    node: str
    blocks: tuple[int, ...]
    millicores: int
    memory: int


@dataclass(frozen=True, slots=True)
class Share:
    """A part of an app's energy: of computing on a node, or of sending from it."""

    component: str
    node: str
    tier: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a revision was planned to do, when it was made.

    Latency in seconds, energy in joules per inference, power in watts; ``gap`` to the proven
    lower bound of the energy. ``shares`` add up to the energy; a plan that version 0.1.0 wrote
    has none.
    """

    accuracy: float
    latency: float
    energy: float
    power: float
    gap: float
    shares: tuple[tuple[Share, float], ...] = ()


@dataclass(frozen=True, slots=True)
class BlockRun:
    """How a block that is deployed runs.

    Attributes
    ----------
    output, logits
        Tensors of its ONNX file: what the next block receives (None: the only other one), and
        what its exit says (None: it has no exit).
    criterion, threshold
        When samples leave at its exit.
    joules
        Energy of one sample in the block and its exit.
    input_joules
        Energy of bringing one sample to the block's node; 0 where nothing moves.
    """

    output: str | None
    logits: str | None
    criterion: Criterion
    threshold: float | None
    joules: float
    input_joules: float


@dataclass(frozen=True, slots=True)
class Revision:
    """A list of segments plus routes, with what it takes of the system.

    Attributes
    ----------
    digest
        Short hash of its segments and routes (``status.plan.revision``).
    generation
        The app's ``metadata.generation`` that it was made for; not in the hash.
    model
        Name of the model.
    blocks
        Names of the blocks that are deployed, in order.
    exits
        Exits that are deployed: position of their block, and their name; the last is final.
    placement
        Node of each block, and the route to it.
    segments
        In the order in which they are entered first; the first is the entry.
    template
        How its segments run.
    traffic
        Load of each link, bit/s.
    facts
        What it was planned to do.
    runs
        How each block runs; a plan that version 0.1.0 wrote has none.
    """

    digest: str
    generation: int
    model: str
    blocks: tuple[str, ...]
    exits: tuple[tuple[int, str], ...]
    placement: Placement
    segments: tuple[Segment, ...]
    template: Template
    traffic: tuple[tuple[tuple[str, str], float], ...]
    facts: Facts
    runs: tuple[BlockRun, ...] = ()

    @property
    def entry(self) -> Segment:
        """The segment that requests enter first: the one with the first block."""
        return self.segments[0]

    @property
    def exit(self) -> str:
        """Name of the last exit that is deployed."""
        return self.exits[-1][1]

    @property
    def names(self) -> frozenset[str]:
        """Names of its segments."""
        return frozenset(segment.name for segment in self.segments)

    @property
    def footprint(self) -> Footprint:
        """What it takes of the system."""
        return Footprint(
            tuple((segment.node, segment.millicores) for segment in self.segments),
            tuple((segment.node, segment.memory) for segment in self.segments),
            self.traffic,
        )
