"""How long work tells how far it is."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, float], None]
"""Called with what is being done, and with the share of it that is done, from 0 to 1."""


def silent(what: str, share: float) -> None:
    """Tell nobody."""
