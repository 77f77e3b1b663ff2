"""An outcome for programs: JSON and YAML."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import yaml

from fin.api.quantity import Quantity
from fin.cli.outcome import Outcome, Planned, Refused
from fin.cli.running import Staying


def to_json(outcome: Outcome) -> str:
    """Write an outcome as one JSON object; base units."""
    return dumps(as_plain(outcome))


def dumps(plain: Mapping[str, Any]) -> str:
    """Write plain values as indented JSON."""
    return orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode()


def as_plain(outcome: Outcome) -> dict[str, Any]:
    """Give an outcome as plain values, in base units."""
    return {
        "solver": outcome.solver,
        "totalPowerWatts": outcome.power,
        "lowerBoundWatts": outcome.power_bound,
        "gap": outcome.gap,
        "admissionProven": outcome.admission_proven,
        **_running(outcome.staying),
        "apps": [_app(app) for app in outcome.apps],
        "nodes": [
            {
                "name": use.node.name,
                "tier": use.node.tier,
                "computeUsed": use.compute_share,
                "memoryUsed": use.memory_share,
            }
            for use in outcome.nodes
        ],
        "links": [
            {"from": use.link.source, "to": use.link.target, "bandwidthUsed": use.share}
            for use in outcome.links
        ],
    }


def _running(staying: Staying | None) -> dict[str, Any]:
    if staying is None:
        return {}
    return {
        "running": {
            "kept": staying.kept,
            "moved": staying.moved,
            "bestPowerWatts": staying.best,
            "costOfStayingWatts": staying.cost,
        }
    }


def to_yaml(objects: Iterable[dict[str, Any]]) -> str:
    """Write objects as YAML documents that every YAML parser reads alike."""
    return yaml.dump_all(
        objects, Dumper=_Dumper, explicit_start=True, sort_keys=False, allow_unicode=True, width=120
    )


def _app(app: Planned | Refused) -> dict[str, Any]:
    namespace, name = app.key
    if isinstance(app, Refused):
        empty = dict.fromkeys(_MEASURES)
        lists: dict[str, list[Any]] = {"segments": [], "routes": []}
        refused = {"feasible": False, "reason": app.reason, "message": app.message}
        return {"namespace": namespace, "name": name, **refused, **empty, **lists}
    cost, blocks = app.cost, app.revision.blocks
    values = (
        app.revision.digest,
        app.revision.exit,
        cost.accuracy,
        app.latency,
        cost.energy,
        sum(cost.compute_energy.values()),
        sum(cost.network_energy.values()),
        app.power,
        app.plan.bound,
    )
    return {
        "namespace": namespace,
        "name": name,
        "feasible": True,
        "reason": None,
        "message": None,
        **dict(zip(_MEASURES, values, strict=True)),
        "segments": [
            {
                "name": segment.name,
                "node": segment.node,
                "blocks": [blocks[index] for index in segment.blocks],
                "flopsPerSecond": app.speeds[segment.node],
                "cpu": str(Quantity.of_millicores(segment.millicores)),
                "memoryBytes": segment.memory,
            }
            for segment in app.revision.segments
        ],
        "routes": [list(route) for route in app.plan.placement.transfers],
    }


_MEASURES = (
    "revision",
    "exit",
    "accuracy",
    "latencySeconds",
    "energyJoules",
    "computeEnergyJoules",
    "networkEnergyJoules",
    "powerWatts",
    "lowerBoundJoules",
)


class _Dumper(yaml.CSafeDumper):
    """Quotes strings that some parser would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


# A hash such as 12e45678 is a number to YAML 1.2, and y is a truth value to YAML 1.1.
_QUOTED = re.compile(r"[-+.]?[0-9]|[yYnN]$")


def _string(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _QUOTED.match(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)
