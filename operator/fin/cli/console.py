"""Tables and text on standard output: in colour and folded on a terminal, plain in a file."""

import re
import sys
from collections.abc import Iterable, Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod, RenderableType
from rich.table import Table

from fin.planning.problem import AppKey

_BLANK_LINES = re.compile(r"\n{3,}")
_WIDE = 10_000
"""Width where the output goes to a file or a pipe: lines are never broken there."""


def write(what: RenderableType) -> None:
    """Write to standard output; in colour on a terminal only."""
    console = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
    with console.capture() as captured:
        console.print(what)
    text = "\n".join(line.rstrip() for line in captured.get().splitlines())
    sys.stdout.write(_BLANK_LINES.sub("\n\n", text).strip("\n") + "\n")


def table(*headers: str) -> Table:
    """Return an empty table; columns whose header begins with > are set to the right."""
    made = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for header in headers:
        justify: JustifyMethod = "right" if header[0] == ">" else "left"
        made.add_column(header.lstrip(">"), justify=justify, overflow="fold")
    return made


def short_names(keys: Iterable[AppKey]) -> Mapping[AppKey, str]:
    """Names of apps, with the namespace where there are several."""
    keys = list(keys)
    several = len({namespace for namespace, _ in keys}) > 1
    return {key: "/".join(key) if several else key[1] for key in keys}
