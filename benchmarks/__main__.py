"""Run the benchmarks: all of them, or the one that is named, with its own flags."""

import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks import apply, growth, joint, planning, replanning, segment

BENCHMARKS: Mapping[str, Callable[[Sequence[str]], None]] = {
    "planning": planning.main,
    "joint": joint.main,
    "replanning": replanning.main,
    "growth": growth.main,
    "apply": apply.main,
    "segment": segment.main,
}


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        for name, run in BENCHMARKS.items():
            print(f"## {name}\n")
            run(())
        return 0
    name, *flags = arguments
    if name not in BENCHMARKS:
        print(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    BENCHMARKS[name](flags)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
