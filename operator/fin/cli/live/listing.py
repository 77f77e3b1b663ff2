"""What ``fin top`` prints."""

from collections.abc import Callable, Iterable

from rich.text import Text

from fin.api.duration import Duration
from fin.api.quantity import Quantity
from fin.cli.console import table, write
from fin.cli.units import seconds, si
from fin.cluster import reading
from fin.cluster.snapshot import Object

_NOTHING = "-"
_POWER = ("status", "plan", "power")


def show(apps: Iterable[Object], namespace: str | None) -> None:
    """Print the apps of a namespace, or of all; the most power first."""
    chosen = [each for each in apps if namespace in (None, reading.namespace(each))]
    chosen.sort(key=_watts, reverse=True)
    rows = table(
        "Namespace", "App", "State", ">Planned", ">Observed", ">Latency", ">Observed", ">Target",
        "Where",
    )  # fmt: skip
    for app in chosen:
        state = _state(app)
        rows.add_row(
            reading.namespace(app),
            Text(reading.name(app), style="bold"),
            Text(state, style="" if state == "Serving" else "yellow"),
            *_cells(app),
        )
    if not chosen:
        write("No InferenceApps here; -A shows those of all namespaces.")
        return
    said = "1 app" if len(chosen) == 1 else f"{len(chosen)} apps"
    write(rows)
    write(f"{said}, {si(sum(map(_watts, chosen)), 'W')} planned.")


def _watts(app: Object) -> float:
    return _number(app, Quantity.parse, *_POWER) or 0.0


def _cells(app: Object) -> Iterable[str]:
    def shown(value: float | None, unit: Callable[[float], str]) -> str:
        return _NOTHING if value is None else unit(value)

    def watts(value: float) -> str:
        return si(value, "W")

    yield shown(_number(app, Quantity.parse, *_POWER), watts)
    yield shown(_number(app, Quantity.parse, "status", "observed", "power"), watts)
    yield shown(_number(app, Duration.parse, "status", "plan", "latency"), seconds)
    yield shown(_observed_latency(app), seconds)
    yield shown(_number(app, Duration.parse, "spec", "latency", "target"), seconds)
    nodes = [
        str(each.get("nodeName")) for each in reading.mappings(app, "status", "plan", "segments")
    ]
    yield ", ".join(nodes) or _NOTHING


def _state(app: Object) -> str:
    """Say why it is not as it should be, or that it serves."""
    conditions = {
        str(each.get("type")): each for each in reading.mappings(app, "status", "conditions")
    }
    for kind in ("Accepted", "Planned", "Ready"):
        told = conditions.get(kind, {})
        if told.get("status") != "True":
            return str(told.get("reason", "Unknown"))
    if conditions.get("Drifted", {}).get("status") == "True":
        return "Drifted"
    return str(conditions["Ready"].get("reason"))


def _observed_latency(app: Object) -> float | None:
    mean = _number(app, Duration.parse, "status", "observed", "latency", "mean")
    before = _number(app, Duration.parse, "status", "observed", "latency", "fromSource")
    return None if mean is None else mean + (before or 0.0)


def _number(app: Object, parse: Callable[[str], object], *path: str) -> float | None:
    text = reading.text(app, *path)
    return float(parse(text)) if text else None  # type: ignore[arg-type]
