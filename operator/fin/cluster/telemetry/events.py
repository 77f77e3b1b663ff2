"""What is told where apps are planned with other values than before."""

from collections.abc import Iterator, Mapping

from fin.api.quantity import Quantity
from fin.cluster.actions import Event
from fin.cluster.telemetry.adapting import Adapted
from fin.cluster.world import World
from fin.planning.plan import Refusal
from fin.planning.problem import AppKey


def adapting_events(
    world: World, adopted: Mapping[AppKey, Adapted], declined: Mapping[AppKey, Refusal]
) -> Iterator[Event]:
    """Yield an Event for each app whose values are new, or were proposed and have no plan.

    Parameters
    ----------
    world
        With the apps.
    adopted
        Values that are new.
    declined
        Why there is no plan with those that were proposed.
    """
    for key, refusal in declined.items():
        if key in world.apps:
            message = (
                "There is no plan for what is observed, so it is planned for as before: "
                f"{refusal.reason.value}: {refusal.message}"
            )
            yield Event(key, world.apps[key].metadata.uid, "Warning", "NotAdapted", message)
    for key, adapted in adopted.items():
        if key in world.apps and key not in declined:
            uid = world.apps[key].metadata.uid
            yield Event(key, uid, "Normal", "Adapted", f"Planned for {_described(adapted)}")


def _described(adapted: Adapted) -> str:
    parts = []
    if adapted.rate is not None:
        declared = Quantity.of(adapted.declared_rate)
        parts.append(f"{Quantity.of(adapted.rate)} inferences/s (declared {declared})")
    if adapted.exit_rates is not None:
        shares = ", ".join(f"{share:.1%} at {name}" for name, share in adapted.exit_rates.items())
        parts.append(f"exits as observed: {shares}")
    return "; ".join(parts) or "what is declared"
