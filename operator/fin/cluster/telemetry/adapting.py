"""Values that an app is planned with in place of the declared ones (``spec.adapt``)."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from math import floor, isfinite
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from fin.api.dnnmodel import DNNModel
from fin.cluster.naming import digest
from fin.cluster.revision import Revision
from fin.cluster.telemetry.offplan import Aspect
from fin.cluster.telemetry.seen import Seen
from fin.planning.problem import App, Block, Model

LEAST_RATE: Final = 0.1
"""Share of the declared rate that is planned for at least: an app that is silent for a night
keeps some room."""

_ROUNDED: Final = 1000
"""Shares are planned with in steps of a thousandth."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """Values in place of declared ones.

    Attributes
    ----------
    rate
        Inferences per second; None: as declared.
    declared_rate
        The declared rate in whose place ``rate`` is; where that was edited since, the edit counts.
    exit_rates
        Share of all samples that leaves at each exit but the last, by name; None: as declared.
    model
        Fingerprint of the model whose exits these are.
    """

    rate: float | None = None
    declared_rate: float = 0.0
    exit_rates: Mapping[str, float] | None = None
    model: str = ""


DECLARED: Final = Adapted()
"""Nothing in place of what is declared."""

_ADAPTER: TypeAdapter[Adapted] = TypeAdapter(Adapted)


def written(adapted: Adapted) -> str:
    """Return the text of the annotation; empty where all is as declared."""
    if adapted == DECLARED:
        return ""
    return orjson.dumps(_ADAPTER.dump_python(adapted), option=orjson.OPT_SORT_KEYS).decode()


@lru_cache(maxsize=2048)
def read(text: str) -> Adapted:
    """Read the annotation; what can't be is as declared."""
    try:
        found = _ADAPTER.validate_json(text)
    except ValidationError:
        return DECLARED
    rates = list((found.exit_rates or {}).values())
    sound = (
        (found.rate is None or (isfinite(found.rate) and found.rate > 0))
        and all(0 <= rate <= 1 for rate in rates)
        and sum(rates) <= 1 + 1e-9
    )
    return found if sound else DECLARED


def fingerprint(model: DNNModel) -> str:
    """Short hash of all that exit shares depend on, and of the declared shares."""
    exits = [
        [block.name, leaving.name, leaving.exit_rate, leaving.criterion, leaving.threshold]
        for block in model.spec.blocks
        if (leaving := block.exit)
    ]
    return digest([exits, _artifact(model)])


def describes(revision: Revision, model: DNNModel) -> bool:
    """Whether a revision runs its exits as the model says today, with the same weights."""
    deployed = model.spec.blocks[: len(revision.blocks)]
    today = [
        (block.name, leaving.name or block.name, leaving.criterion, leaving.threshold)
        for block in deployed
        if (leaving := block.exit)
    ]
    runs = [
        (
            revision.blocks[index],
            name,
            revision.runs[index].criterion,
            revision.runs[index].threshold,
        )
        for index, name in revision.exits
        if revision.runs
    ]
    return runs == today and revision.template.artifact == _artifact(model)


def _artifact(model: DNNModel) -> Mapping[str, object] | None:
    artifact = model.spec.segment.artifact
    return None if artifact is None else artifact.to_object()


def still_valid(adapted: Adapted, declared_rate: float, model: DNNModel) -> Adapted:
    """Return what of it still holds, now that the app and its model are as they are."""
    if adapted.rate is not None and adapted.declared_rate != declared_rate:
        adapted = replace(adapted, rate=None, declared_rate=0.0)
    if adapted.exit_rates is not None and adapted.model != fingerprint(model):
        adapted = replace(adapted, exit_rates=None, model="")
    return adapted


def planned_with(app: App, adapted: Adapted) -> App:
    """Return an app with these values in place of the declared ones."""
    if adapted.rate is not None:
        app = replace(app, rate=adapted.rate)
    if adapted.exit_rates is not None:
        rates = adapted.exit_rates
        blocks = tuple(_with_rate(block, rates) for block in app.model.blocks)
        app = replace(app, model=replace(app.model, blocks=blocks))
    return app


def _with_rate(block: Block, rates: Mapping[str, float]) -> Block:
    if block.exit is None or block.exit.name not in rates:
        return block
    return replace(block, exit=replace(block.exit, rate=rates[block.exit.name]))


def adapted_to(
    seen: Seen,
    aspects: Set[Aspect],
    now: Adapted,
    planned: App,
    declared_rate: float,
    model: DNNModel,
) -> Adapted:
    """Return the values to plan with by what was observed.

    Parameters
    ----------
    seen
        What was observed.
    aspects
        What of it is off plan: the rest stays as it is planned.
    now
        The values in force.
    planned
        The app as it is planned with them.
    declared_rate
        The declared rate, inferences/s.
    model
        The app's model.
    """
    if "rate" in aspects:
        rate = max(float(f"{seen.rate:.3g}"), LEAST_RATE * declared_rate)
        now = replace(now, rate=rate, declared_rate=declared_rate)
    if "exits" in aspects and seen.shares is not None:
        rates = with_observed(exit_rates(planned.model), seen.shares)
        now = replace(now, exit_rates=rates, model=fingerprint(model))
    return now


def exit_rates(model: Model) -> dict[str, float]:
    """Share of all samples that leaves at each exit but the last, in order."""
    exits = [block.exit for block in model.blocks if block.exit]
    return {each.name: each.rate for each in exits[:-1]}


def with_observed(rates: Mapping[str, float], shares: Mapping[str, float]) -> dict[str, float]:
    """Put observed shares in place of exit rates.

    At the final exit of a deployment all leave that get there, so only the exits before it
    are observed. Of the samples that go on, the same share as before leaves at each later exit.

    Parameters
    ----------
    rates
        Share of all samples that leaves at each exit of the model but the last; at most 1 in all.
    shares
        Observed share at each exit that is deployed, in order; they add up to 1.

    Returns
    -------
    dict[str, float]
        Like ``rates``, and at most 1 in all.
    """
    *early, _ = shares
    observed = {name: floor(_ROUNDED * shares[name]) / _ROUNDED for name in early}
    went_on = 1.0 - sum(rates[name] for name in early)
    goes_on = max(1.0 - sum(observed.values()), 0.0)
    factor = goes_on / went_on if went_on > 0 else 0.0
    return {name: observed.get(name, rate * factor) for name, rate in rates.items()}
