"""What a round of moves comes to."""

from collections.abc import Mapping
from dataclasses import dataclass

from fin.cluster.actions import Action, Event
from fin.cluster.answering import Pod
from fin.cluster.memory import MoveMemory
from fin.cluster.revision import Revision
from fin.planning.problem import AppKey


@dataclass(frozen=True, slots=True)
class Trouble:
    """A segment that is not Ready: where it is, and why in words."""

    segment: str
    node: str
    why: str


@dataclass(frozen=True, slots=True)
class AppState:
    """How an app is doing, before the actions of the round are done.

    Attributes
    ----------
    generation
        The app's ``metadata.generation``.
    serving
        The revision that the app's Service leads to; None where there is none, or where it
        can't be read.
    wanted
        The revision that the app is to run; the same object's digest as ``serving`` where
        nothing moves. None where it has no plan and nothing runs.
    ready
        Whether all of ``serving`` is Ready and requests reach its entry.
    troubles
        What of ``serving`` (where there is none, of ``wanted``) is not Ready.
    making
        What of a ``wanted`` that is not serving yet is not Ready.
    waiting
        What room its segments wait for.
    conflict
        Which object of one of its names the app does not control.
    fault
        Why its plan can't be turned into objects: reason and message.
    stuck
        Nodes that take no new segments, on which it stays all the same.
    held
        Whether its annotation asks for its plan to stay as it is.
    violations
        What ``serving`` breaks, where it has no plan.
    """

    generation: int
    serving: Revision | None = None
    wanted: Revision | None = None
    ready: bool = False
    troubles: tuple[Trouble, ...] = ()
    making: tuple[Trouble, ...] = ()
    waiting: str | None = None
    conflict: str | None = None
    fault: tuple[str, str] | None = None
    stuck: tuple[str, ...] = ()
    held: bool = False
    violations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    ``actions`` are in order: those of one app must be done one after another, and where one
    fails, the rest of that app's are left to the next round; those of different apps don't
    depend on each other. ``requeue_after`` is in seconds: when to look again though nothing
    has changed. ``memory`` is for the next round, once the actions were tried. ``unread`` are
    pods of entries for whose reading of new hops something waits: they are worth asking.
    """

    actions: tuple[Action, ...]
    events: tuple[Event, ...]
    states: Mapping[AppKey, AppState]
    memory: MoveMemory
    requeue_after: float | None = None
    unread: tuple[Pod, ...] = ()
