"""A profile as a DNNModel."""

import re
from datetime import UTC, datetime
from typing import Any

from fin.api import names
from fin.api.dnnmodel import DNNModel
from fin.api.parsing import parse
from fin.api.quantity import Quantity
from fin.profiling.costs import BlockCost
from fin.profiling.network import Block
from fin.profiling.profile import ExitProfile, Profile

_KIB = 1024


def dnn_model(profile: Profile, name: str, measured: datetime) -> dict[str, Any]:
    """Return a DNNModel with the numbers of a profile, and when and on how much they were measured.

    Parameters
    ----------
    profile
        The profile.
    name
        The object's name.
    measured
        When it was measured; with a time zone.

    Raises
    ------
    InvalidObject
        If a DNNModel can't have that name, or so many blocks.
    """
    exits = iter(profile.exits)
    blocks = [
        _block(block, cost, next(exits) if cost.exit else None)
        for block, cost in zip(profile.blocks, profile.costs, strict=True)
    ]
    del blocks[-1]["exit"]["exitRate"]  # the last exit takes what remains
    found = {
        "apiVersion": names.API_VERSION,
        "kind": names.DNN_MODEL,
        "metadata": {
            "name": name,
            "annotations": {
                names.ANNOTATION_PROFILED_AT: f"{measured.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                names.ANNOTATION_PROFILED_SAMPLES: str(profile.samples),
            },
        },
        "spec": {"inputBytes": profile.costs[0].input_bytes, "blocks": blocks},
    }
    parse(DNNModel, found)
    return found


def default_name(stem: str) -> str:
    """Return an object's name for a file's: ``My_Net`` becomes ``my-net``."""
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:63].strip("-") or "model"


def _block(block: Block, cost: BlockCost, leaving: ExitProfile | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": block.name,
        "flops": cost.block.flops,
        "memory": _memory(cost.block.memory),
        "outputBytes": cost.output_bytes,
    }
    if block.part.output:
        found["output"] = block.part.output
    if leaving is None or cost.exit is None:
        return found
    leave: dict[str, Any] = {
        "name": block.exit_name,
        "flops": cost.exit.flops,
        "memory": _memory(cost.exit.memory),
        "exitRate": leaving.rate,
        "accuracy": leaving.accuracy,
        "output": block.part.logits,
    }
    if leaving.rule.threshold is not None:
        leave |= {"criterion": leaving.rule.criterion, "threshold": leaving.rule.threshold}
    return found | {"exit": leave}


def _memory(count: int) -> str:
    return str(Quantity.of_bytes(-(-count // _KIB) * _KIB))
