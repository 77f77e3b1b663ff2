"""Figures by matplotlib whose files depend on nothing but what they show."""

from contextlib import AbstractContextManager
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = (
    "#0072B2",
    "#000000",
    "#E69F00",
    "#CC79A7",
    "#009E73",
    "#56B4E9",
    "#D55E00",
    "#999933",
)
"""Colours that colour-blind people tell apart: Okabe and Ito 2008, the yellow darker."""

MARKERS = ("o", "x", "s", "^", "D", "v", "P", "*")


def figure(width: float, height: float) -> Figure:
    """Make an empty figure; inches."""
    with _style():
        return Figure(figsize=(width, height), layout="constrained")


def plain(axes: Axes) -> None:
    """Take away what carries no information, and set a light grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)


def save(made: Figure, file: Path) -> None:
    """Write a figure as SVG or PNG, by the file's name; one drawn alike gives the same bytes.

    Raises
    ------
    OSError
        Where the file can't be written.
    """
    nothing = {"Date": None} if file.suffix == ".svg" else {"Software": None}
    with _style():
        made.savefig(file, dpi=150, metadata=nothing)


def _style() -> AbstractContextManager[None]:
    return rc_context({"svg.hashsalt": "fin", "font.size": 9.0})
