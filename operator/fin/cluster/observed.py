"""What a snapshot tells of the objects that were made for each app."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property

from fin.api.names import LABEL_APP, LABEL_SEGMENT
from fin.cluster import reading
from fin.cluster.snapshot import Object, Snapshot
from fin.cluster.workloads import BUDGET, CONFIG_MAP, DEPLOYMENT, SERVICE
from fin.planning.problem import AppKey

LABEL_SERVICE = "kubernetes.io/service-name"
"""On an EndpointSlice: the Service that it belongs to."""

ObjectKey = tuple[str, str, str]
"""Kind, namespace and name."""


@dataclass(frozen=True)
class Owned:
    """Objects that one app controls, by name."""

    deployments: Mapping[str, Object]
    services: Mapping[str, Object]
    budgets: Mapping[str, Object]
    config_maps: Mapping[str, Object]


class Observed:
    """A snapshot with its indices."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._kinds: Mapping[str, tuple[Object, ...]] = {
            DEPLOYMENT: snapshot.deployments,
            SERVICE: snapshot.services,
            BUDGET: snapshot.budgets,
            CONFIG_MAP: snapshot.configmaps,
        }

    @cached_property
    def apps(self) -> Mapping[AppKey, Object]:
        """Apps that are not being deleted, by namespace and name, in that order."""
        found = {
            (reading.namespace(app), reading.name(app)): app
            for app in self.snapshot.apps
            if reading.name(app) and reading.uid(app) and not reading.being_deleted(app)
        }
        return dict(sorted(found.items()))

    @cached_property
    def objects(self) -> Mapping[ObjectKey, Object]:
        """Every object of the kinds that the operator makes, whoever made it."""
        return {
            (kind, reading.namespace(each), reading.name(each)): each
            for kind, objects in self._kinds.items()
            for each in objects
        }

    @cached_property
    def _by_controller(self) -> Mapping[str, Mapping[str, Mapping[str, Object]]]:
        found: dict[str, dict[str, dict[str, Object]]] = {}
        for kind, objects in self._kinds.items():
            for each in objects:
                by_kind = found.setdefault(controller(each), {})
                by_kind.setdefault(kind, {})[reading.name(each)] = each
        return found

    def owned(self, app: Object) -> Owned:
        """Objects that an app controls."""
        kinds = self._by_controller.get(reading.uid(app), {})
        by_name = {kind: dict(sorted(objects.items())) for kind, objects in kinds.items()}
        return Owned(
            by_name.get(DEPLOYMENT, {}),
            by_name.get(SERVICE, {}),
            by_name.get(BUDGET, {}),
            by_name.get(CONFIG_MAP, {}),
        )

    @cached_property
    def segments(self) -> Set[tuple[str, str, str]]:
        """Namespace, app and hash of each segment that has a Deployment."""
        found = set()
        for each in self.snapshot.deployments:
            labels = reading.labels(each)
            if LABEL_APP in labels and LABEL_SEGMENT in labels:
                found.add(
                    (reading.namespace(each), str(labels[LABEL_APP]), str(labels[LABEL_SEGMENT]))
                )
        return found

    @cached_property
    def _pods(self) -> Mapping[tuple[str, str, str], list[Object]]:
        found: dict[tuple[str, str, str], list[Object]] = {}
        for pod in self.snapshot.pods:
            labels = reading.labels(pod)
            if LABEL_APP in labels and LABEL_SEGMENT in labels:
                key = reading.namespace(pod), str(labels[LABEL_APP]), str(labels[LABEL_SEGMENT])
                found.setdefault(key, []).append(pod)
        return found

    def pods(self, app: AppKey, segment: str) -> list[Object]:
        """Pods of the segment with this hash that have not ended, terminating ones included."""
        return [pod for pod in self._pods.get((*app, segment), ()) if not has_ended(pod)]

    @cached_property
    def _segment_of_pod(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        return {
            (namespace, reading.name(pod)): (app, segment)
            for (namespace, app, segment), pods in self._pods.items()
            for pod in pods
        }

    @cached_property
    def _slices(self) -> Mapping[tuple[str, str], list[Object]]:
        found: dict[tuple[str, str], list[Object]] = {}
        for each in self.snapshot.endpointslices:
            service = str(reading.labels(each).get(LABEL_SERVICE, ""))
            found.setdefault((reading.namespace(each), service), []).append(each)
        return found

    def receivers(self, app: AppKey) -> frozenset[str]:
        """Hashes of the segments to which the app's Service sends requests now."""
        found = set()
        for endpoint in _endpoints(self._slices.get(app, ())):
            pod = app[0], reading.text(endpoint, "targetRef", "name")
            owner, segment = self._segment_of_pod.get(pod, ("", ""))
            if owner == app[1]:
                found.add(segment)
        return frozenset(found)


def controller(obj: Object) -> str:
    """Uid of what controls an object; empty where nothing does."""
    for owner in reading.mappings(obj, "metadata", "ownerReferences"):
        if owner.get("controller") is True:
            return reading.text(owner, "uid")
    return ""


def has_ended(pod: Object) -> bool:
    """Whether a pod has run to its end, and takes nothing any more."""
    return reading.text(pod, "status", "phase") in ("Succeeded", "Failed")


def _endpoints(slices: Iterable[Object]) -> Iterable[Object]:
    """Endpoints that take requests; one that tells nothing of its state counts as ready."""
    for each in slices:
        for endpoint in reading.mappings(each, "endpoints"):
            if reading.at(endpoint, "conditions", "ready") is not False:
                yield endpoint
