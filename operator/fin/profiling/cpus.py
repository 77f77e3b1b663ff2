"""Work on some of the CPUs only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def only(count: int) -> Iterator[None]:
    """Run on so many of the CPUs that this process may use, and threads that it starts too."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
