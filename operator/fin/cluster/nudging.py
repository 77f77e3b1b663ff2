"""Lets an entry read its new hops at once."""

from collections.abc import Iterator
from typing import Final

from fin.api.names import GROUP
from fin.cluster import reading
from fin.cluster.actions import Apply
from fin.cluster.cases import Case
from fin.cluster.naming import digest
from fin.cluster.observed import Observed
from fin.cluster.revision import Segment
from fin.cluster.snapshot import Object
from fin.cluster.workloads import Json

ANNOTATION_ROUTES: Final = f"{GROUP}/routes"
"""On a pod of an entry: a hash of the hops that it was last made to read."""


def nudges(
    seen: Observed, case: Case, entry: Segment, live: Object | None, wanted: Json
) -> Iterator[Apply]:
    """Annotate the pods of an entry whose hops change, for ``wanted`` in place of ``live``.

    By itself a kubelet renews the ConfigMaps of a pod every 60 to 90 s. When the pod changes, it
    does so at once, and an annotation is the least change. It is no more than a help: whatever
    waits for the hops waits as long as they take without it.
    """
    told = digest(wanted["data"])
    changed = live is not None and live.get("data") != wanted["data"]
    for pod in seen.pods(case.key, entry.digest):
        known = reading.text(pod, "metadata", "annotations", ANNOTATION_ROUTES)
        if reading.being_deleted(pod) or known == told or not (changed or known):
            continue
        metadata = {
            "name": reading.name(pod),
            "namespace": reading.namespace(pod),
            "annotations": {ANNOTATION_ROUTES: told},
        }
        obj = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        yield Apply(case.key, obj, reading.uid(pod))
