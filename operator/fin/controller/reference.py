"""Writes the reference of the metrics: ``python -m fin.controller.reference``."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from fin.controller.definitions import APPS, OPERATOR, SYSTEM, Definition

FILE: Final = Path(__file__).parents[3] / "docs/reference/metrics.md"
_HEAD: Final = """\
<!-- Generated from operator/fin/controller/definitions.py by `make metrics-reference`. -->

# Metrics

The operator serves its metrics at `/metrics` on the port of `--metrics-address`. Energy, power
and latency are *modelled*: computed from the running plan, the models and the node labels, not
measured. What is gone from the cluster is gone from the metrics.

Besides these there are the `process_*` metrics of every Prometheus client: memory, CPU, files.
"""


def reference() -> str:
    """Return the reference as Markdown."""
    sections = (
        ("Apps", APPS),
        ("The whole system, nodes and links", SYSTEM),
        ("The operator", OPERATOR),
    )
    return "\n".join([_HEAD, *(_section(title, each) for title, each in sections)])


def _section(title: str, definitions: Iterable[Definition]) -> str:
    return "\n".join([f"## {title}\n", *_table(definitions), ""])


def _table(definitions: Iterable[Definition]) -> Iterator[str]:
    yield "| metric | type | labels | meaning |"
    yield "|---|---|---|---|"
    for each in definitions:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        yield f"| `{each.name}` | {each.type} | {labels} | {each.text} |"


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
