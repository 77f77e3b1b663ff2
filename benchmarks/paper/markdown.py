"""Tables and shares in Markdown."""

from collections.abc import Iterable, Sequence


def percent(share: float | None) -> str:
    """Write a share; a dash where there is none."""
    return "-" if share is None else f"{100 * share + 0.0:.1f} %"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lay out a table, line by line."""
    return [
        f"| {' | '.join(headers)} |",
        f"|{'---|' * len(headers)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
