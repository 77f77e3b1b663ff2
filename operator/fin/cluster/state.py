"""What is known of a node, and of the taints on it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint; ``effect`` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return (
            f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"
        )


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node of the cluster, whether it takes part in planning or not.

    Attributes
    ----------
    tier
        Its tier, None where it has no readable one.
    ready
        Its Ready condition is True.
    schedulable
        It is neither cordoned nor being deleted (which empties it, as a cordon does).
    allocatable_millicores, allocatable_memory, allocatable_pods
        What the node offers to pods: whole millicores, bytes, pods.
    usable_millicores, usable_memory, usable_pods
        The same less what the pods take that are not the operator's: what inference may use.
        Not below 0.
    free_millicores, free_memory, free_pods
        The same less what *all* pods take, terminating ones and the operator's included: what
        the scheduler still has for a new pod. Not below 0.
    """

    name: str
    tier: str | None
    ready: bool
    schedulable: bool
    taints: tuple[Taint, ...]
    allocatable_millicores: int
    allocatable_memory: int
    allocatable_pods: int
    usable_millicores: int
    usable_memory: int
    usable_pods: int
    free_millicores: int
    free_memory: int
    free_pods: int
