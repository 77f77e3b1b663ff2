"""The time that a planning run may take."""

import time


class Deadline:
    """The time that all steps of one planning run may take together; None: no limit."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds left, at least 0; None where there is no limit."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.0)

    def share(self, part: float) -> "Deadline":
        """A deadline after ``part`` of the time that is left."""
        left = self.left()
        return Deadline(None if left is None else part * left)
