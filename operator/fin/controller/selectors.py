"""What is listed and watched of each kind, and which objects are the operator's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fin.api.names import API_VERSION, INFERENCE_APP, LABEL_APP
from fin.cluster import reading
from fin.cluster.capacity import LABEL_MANAGED_BY, MANAGED_BY
from fin.controller import kinds
from fin.controller.kinds import Kind


@dataclass(frozen=True, slots=True)
class Selector:
    """Selectors of a list and a watch; empty: all."""

    labels: str = ""
    fields: str = ""


OURS: Final = Selector(labels=f"{LABEL_MANAGED_BY}={MANAGED_BY}")

WATCHED: Final[Mapping[Kind, Selector]] = {
    kinds.NODE: Selector(),
    kinds.POD: Selector(fields="status.phase!=Succeeded,status.phase!=Failed"),
    kinds.TOPOLOGY: Selector(),
    kinds.MODEL: Selector(),
    kinds.APP: Selector(),
    # Others' may have the names that we need, so these are watched whole.
    kinds.DEPLOYMENT: Selector(),
    kinds.SERVICE: Selector(),
    kinds.BUDGET: Selector(),
    # There are too many others for that.
    kinds.CONFIG_MAP: OURS,
    kinds.ENDPOINT_SLICE: Selector(labels=LABEL_APP),
}


def is_ours(obj: Mapping[str, Any]) -> bool:
    """Whether an object is the operator's: by its label, or, should that be gone, by its owner."""
    return reading.labels(obj).get(LABEL_MANAGED_BY) == MANAGED_BY or any(
        owner.get("kind") == INFERENCE_APP and owner.get("apiVersion") == API_VERSION
        for owner in reading.mappings(obj, "metadata", "ownerReferences")
    )
