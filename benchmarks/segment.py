"""What a segment costs: requests per second beside bare ONNX Runtime and MLServer, and a hop.

All in one run: each server has one CPU and the client another, ONNX Runtime one thread. Ratios
are taken round by round, to the bare loop right before.
"""

import argparse
from collections.abc import Sequence

from benchmarks.serving import hops, starting, steady, throughput

MILLISECONDS = (0.3, 5.0)
"""What the networks take."""

CLIENTS = (1, 4)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks segment", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    options = parser.parse_args(arguments)
    print("| network | clients | server | protocol | requests/s | of bare | p99 |")
    print("|---|---|---|---|---|---|---|")
    for milliseconds in MILLISECONDS:
        for clients in CLIENTS:
            for line in throughput.lines(milliseconds, clients, options.seconds):
                print(line, flush=True)
    print("\n| segments | p50 | p99 | a hop adds |")
    print("|---|---|---|---|")
    for line in hops.lines():
        print(line, flush=True)
    print("\n| start to ready | slowest |")
    print("|---|---|")
    for line in starting.lines():
        print(line, flush=True)
    print("\n| requests | memory of two segments, MB |")
    print("|---|---|")
    for line in steady.lines():
        print(line, flush=True)


if __name__ == "__main__":
    main()
