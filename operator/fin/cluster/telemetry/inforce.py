"""The values that apps are planned with in place of declared ones, as the objects have them."""

from fin.api.names import ANNOTATION_ADAPTED
from fin.cluster import reading
from fin.cluster.memory import MoveMemory
from fin.cluster.naming import config_name
from fin.cluster.observed import Observed
from fin.cluster.snapshot import Snapshot
from fin.cluster.telemetry.adapting import Adapted, read
from fin.planning.problem import AppKey


def in_force(snapshot: Snapshot, memory: MoveMemory) -> dict[AppKey, Adapted]:
    """Return the values of every app that asks for such and runs.

    They stand on the app's ConfigMap, so that nothing moves because the operator starts again;
    until they are written there, the last round's decision tells them.
    """
    seen = Observed(snapshot)
    found = {
        key: read(reading.text(config, "metadata", "annotations", ANNOTATION_ADAPTED))
        for key, app in seen.apps.items()
        if (config := seen.owned(app).config_maps.get(config_name(key[1]))) is not None
    }
    return found | dict(memory.adapted)
