"""What the operator is told about segments and moves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """How segments are made.

    Attributes
    ----------
    default_image
        Image of the segments of models that name none; empty: such models can't run.
    allow_host_path
        Whether a model's artifact may be a path of the node.
    """

    default_image: str = ""
    allow_host_path: bool = False


@dataclass(frozen=True, slots=True)
class MoveSettings:
    """How apps are moved; times in seconds.

    Attributes
    ----------
    segments
        How segments are made.
    drain
        How long an old revision still runs after no new request reaches its entry.
    ready_timeout
        How long a segment may take to be Ready before its node is left out for the app.
    refresh
        How long an old revision still runs where the new one has the same entry, and it is not
        known when that has read its new hops. A kubelet renews the ConfigMaps of a pod every 60 to
        90 s.
    at_once
        How many apps may move at once where only their segments' template has changed.
    """

    segments: SegmentSettings = SegmentSettings()
    drain: float = 5.0
    ready_timeout: float = 300.0
    refresh: float = 100.0
    at_once: int = 3
