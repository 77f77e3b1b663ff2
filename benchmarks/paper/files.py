"""Results as CSV files: what is computed once, and all that page and figures are made of."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

Row = TypeVar("Row")


def write(file: Path, kind: type[Row], rows: Iterable[Row]) -> None:
    """Write rows, with six digits of each number: more are not the same on every machine."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(each.name for each in fields(kind))  # type: ignore[arg-type]
        lines.writerows(map(_text, astuple(row)) for row in rows)  # type: ignore[call-overload]


def read(file: Path, kind: type[Row]) -> Sequence[Row]:
    """Read the rows of a file again."""
    adapter: TypeAdapter[Row] = TypeAdapter(kind)
    with file.open(encoding="utf-8", newline="") as stream:
        return [
            adapter.validate_python({name: value or None for name, value in line.items()})
            for line in csv.DictReader(stream)
        ]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{0.0 if abs(value) < 1e-9 else value:.6g}"
    return str(value)
