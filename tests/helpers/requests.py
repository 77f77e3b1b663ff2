"""Notes the requests that the operator's client sends."""

from collections import Counter


class Requests:
    """Requests by verb, kind and status."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str, int]] = Counter()

    def observe(self, verb: str, kind: str, status: int) -> None:
        """Take note of one."""
        self.seen[verb, kind, status] += 1

    def count(self, verb: str, kind: str) -> int:
        """How often a verb was asked of a kind, whatever came of it."""
        return sum(n for (v, k, _), n in self.seen.items() if (v, k) == (verb, kind))
