"""``fin plan --running``: what runs, read from Deployments that the operator or the plan made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fin.api.names import LABEL_APP
from fin.cli.files import read_all, shown
from fin.cli.problems import BadInput, Fault, subject
from fin.cluster import reading
from fin.cluster.revision import Revision
from fin.cluster.running import is_entry, lost_nodes_of, plan_of, revision_of
from fin.cluster.world import World
from fin.planning.plan import AppPlan, Running
from fin.planning.problem import AppKey


@dataclass(frozen=True, slots=True)
class Read:
    """What runs and may stay, and what of the file can't: each with the reason."""

    running: tuple[Running, ...]
    warnings: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Staying:
    """What it costs to leave in place what runs.

    ``kept`` and ``moved`` count apps that run; ``power`` and ``best`` are the total power
    of the plan, and of the plan if nothing ran, watts; None where that admits other apps.
    """

    kept: int
    moved: int
    power: float
    best: float | None

    @property
    def cost(self) -> float | None:
        """Watts more than the best plan that was found; at least 0."""
        return None if self.best is None else max(self.power - self.best, 0.0)


def read(name: str, world: World) -> Read:
    """Read what runs.

    Raises
    ------
    BadInput
        Where the file can't be read, or holds no Deployment with a plan.
    """
    entries, faults = read_all([name])
    deployments = [each for each in entries if _is_deployment(each[1]) and is_entry(each[1])]
    if not faults and not deployments:
        reason = (
            "no Deployment with the annotation finoperator.io/plan; give what "
            "`kubectl get deployments -A -o yaml` or `fin plan -o yaml` printed"
        )
        faults.append(Fault(shown(name), "", "", reason))
    if faults:
        raise BadInput(faults)
    found: dict[AppKey, Running] = {}
    warnings = []
    for place, deployment in deployments:
        key = reading.namespace(deployment), str(reading.labels(deployment).get(LABEL_APP, ""))
        revision = revision_of(deployment)
        unusable = _unusable(world, key, revision)
        if key in found:
            unusable = "its app has another Deployment with a plan; the first one counts"
        if unusable is not None or revision is None:
            said = subject("Deployment", key[0], reading.name(deployment))
            warnings.append(Fault(str(place), said, "", unusable or ""))
            continue
        priority = world.problem.app[key].priority
        plan = plan_of(world.problem, key, revision)
        found[key] = Running(key, priority, revision.footprint, plan)
    return Read(tuple(found[key] for key in sorted(found)), tuple(warnings))


def staying(
    running: Iterable[Running], plans: Mapping[AppKey, AppPlan], power: float, best: float | None
) -> Staying:
    """Count what stays where it runs."""
    still = [each for each in running if each.key in plans]
    kept = sum(each.plan is not None and _same(each.plan, plans[each.key]) for each in still)
    return Staying(kept, len(still) - kept, power, best)


def _same(ran: AppPlan, plan: AppPlan) -> bool:
    return ran.placement == plan.placement and ran.millicores == plan.millicores


def _unusable(world: World, key: AppKey, revision: Revision | None) -> str | None:
    """Why a plan that ran is of no use, in words."""
    if revision is None:
        return "its annotation finoperator.io/plan can't be read; it counts as not running"
    if key not in world.problem.app:
        return f"InferenceApp {key[0]}/{key[1]} is not to be planned; its room counts as free"
    lost = lost_nodes_of(revision, world.nodes)
    return f"{next(iter(lost.values()))}; the app is planned anew" if lost else None


def _is_deployment(each: Mapping[str, Any]) -> bool:
    return each.get("kind") == "Deployment" and each.get("apiVersion") == "apps/v1"
