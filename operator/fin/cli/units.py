"""Numbers for people: three significant digits and an SI prefix."""

from fin.api.exact import scaled

_PREFIX = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB")


def si(value: float, unit: str) -> str:
    """Write a number of 0 or more with its unit: ``9.33 mJ``."""
    number, exponent = scaled(value, 3, lowest=min(_PREFIX), highest=max(_PREFIX))
    return f"{number} {_PREFIX[exponent]}{unit}"


def seconds(value: float) -> str:
    """Write a time span: ``18.7 ms``, ``90 s``."""
    number, exponent = scaled(value, 3, lowest=-9, highest=0)
    return f"{number} {_PREFIX[exponent]}s"


def percent(share: float) -> str:
    """Write a share: ``79.2 %``."""
    return f"{100 * share:.1f} %"


def size(count: float) -> str:
    """Write bytes with a binary unit: ``96 MiB``, ``1.5 GiB``."""
    step = 0
    while count >= 1024 and step < len(_BINARY) - 1:
        count /= 1024
        step += 1
    return f"{count:.4g} {_BINARY[step]}"
