"""ONNX Runtime alone, in a loop: what the machine can do."""

import os
import sys
import time
from pathlib import Path

from benchmarks.serving.client import WARM
from benchmarks.serving.network import sample, session
from benchmarks.serving.servers import SERVER_CPU


def main() -> None:
    """Print inferences per second of a file's network over some seconds."""
    os.sched_setaffinity(0, {SERVER_CPU})
    model, given = session(Path(sys.argv[1])), {"x": sample()}
    for _ in range(WARM):
        model.run(None, given)
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + float(sys.argv[2]):
        model.run(None, given)
        count += 1
    print(count / (time.perf_counter() - start))


if __name__ == "__main__":
    main()
