"""How fast what is observed is believed, told and acted on."""

from dataclasses import dataclass

LEAST = 100
"""Requests below which nothing is said of latency and exits."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times, s, all in proportion to ``period``: how often segments are read."""

    period: float = 15.0

    @property
    def smoothing(self) -> float:
        """Time constant with which older counts fade."""
        return 4 * self.period

    @property
    def telling(self) -> float:
        """Time observed, faded, before anything is said; and between two changes of that."""
        return 2 * self.period

    @property
    def patience(self) -> float:
        """How long something has to be off plan before it is planned with.

        Two time constants: the mean has come seven eighths of the way by then, so that a step
        is followed in one move.
        """
        return 2 * self.smoothing

    @property
    def declined(self) -> float:
        """How long nothing is proposed, the first time that there was no plan for it."""
        return 20 * self.period

    @property
    def lost(self) -> float:
        """Time without a reading of all segments after which nothing is known any more."""
        return 2 * self.smoothing
