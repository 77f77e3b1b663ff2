"""The objects of an app: Deployments, Services, budgets and the ConfigMap with its hops."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import orjson

from fin.api.names import ANNOTATION_PLAN, API_VERSION, GROUP, INFERENCE_APP
from fin.cluster import reading
from fin.cluster.naming import (
    app_labels,
    config_name,
    host,
    segment_labels,
    selector,
)
from fin.cluster.pods import GRPC_PORT, HTTP_PORT
from fin.cluster.revision import Revision, Segment
from fin.segment.config import ROUTES_FILE, Stage, StageExit

Json = dict[str, Any]

DEPLOYMENT: Final = "Deployment"
SERVICE: Final = "Service"
BUDGET: Final = "PodDisruptionBudget"
CONFIG_MAP: Final = "ConfigMap"

ANNOTATION_LEFT_BEHIND: Final = f"{GROUP}/left-behind"
"""On the ConfigMap: segments that the entry may still call, until it has read its new hops."""

_SCRAPED: Final = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(HTTP_PORT),
    "prometheus.io/path": "/metrics",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """The InferenceApp that objects are made for; without a uid they name no owner."""

    namespace: str
    name: str
    uid: str = ""


def deployment(
    owner: Owner, segment: Segment, template: Mapping[str, Any], plan: str | None
) -> Json:
    """Return the Deployment of a segment; ``plan`` is the annotation that an entry carries.

    No surge: on a full node a second pod would wait for the first to go, and the first for
    the second.
    """
    made = _object(
        owner, "apps/v1", DEPLOYMENT, segment.name, segment_labels(owner.name, segment.digest)
    )
    if plan is not None:
        made["metadata"]["annotations"] = {ANNOTATION_PLAN: plan}
    made["spec"] = {
        "replicas": 1,
        "revisionHistoryLimit": 0,
        "selector": {"matchLabels": selector(owner.name, segment.digest)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
        },
        "template": dict(template),
    }
    return made


def segment_service(owner: Owner, segment: Segment) -> Json:
    """Return the Service by which other segments reach this one.

    It asks Prometheus to scrape the segment. The pod can't: on its template, annotations that
    another version adds would restart every segment. Nor does the app's Service, which leads to
    the same pod as that of its entry.
    """
    labels = segment_labels(owner.name, segment.digest)
    made = _service(owner, segment.name, labels, segment.digest)
    made["metadata"]["annotations"] = dict(_SCRAPED)
    return made


def app_service(owner: Owner, entry: str) -> Json:
    """Return the Service with the app's own name; it leads to the segment with hash ``entry``."""
    return _service(owner, owner.name, app_labels(owner.name), entry)


def budget(owner: Owner, segment: Segment) -> Json:
    """Return the budget that makes a drain wait until the segment has moved.

    A pod that is not Ready serves nobody, and may be evicted.
    """
    labels = segment_labels(owner.name, segment.digest)
    made = _object(owner, "policy/v1", BUDGET, segment.name, labels)
    made["spec"] = {
        "maxUnavailable": 0,
        "selector": {"matchLabels": selector(owner.name, segment.digest)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return made


def config_map(owner: Owner, by_entry: Mapping[str, Revision]) -> Json:
    """Return the ConfigMap with the hops of every revision that an entry serves.

    All pods of the app have it as the file ``routes.json``, so hops change without a restart:
    ``entries`` names the revision that each entry follows now, ``revisions`` has the hops of
    each. Only entries have to read it: a request carries the rest of its way, so one that is
    under way keeps to its revision, and segments that revisions share need not know them.
    """
    routes = {
        "entries": {entry: revision.digest for entry, revision in by_entry.items()},
        "revisions": {
            revision.digest: {"hops": hops(owner.namespace, revision)}
            for revision in by_entry.values()
        },
    }
    made = _object(owner, "v1", CONFIG_MAP, config_name(owner.name), app_labels(owner.name))
    made["data"] = {ROUTES_FILE: orjson.dumps(routes, option=orjson.OPT_SORT_KEYS).decode()}
    return made


def hops(namespace: str, revision: Revision) -> list[Json]:
    """Stages of a request's way, in order: each a run of blocks on one segment.

    A segment that the way comes back to has a stage for each visit. What is left of the way
    goes along with a request.
    """
    segments = {segment.node: segment for segment in revision.segments}
    stages = []
    for node, run in groupby(enumerate(revision.placement.nodes), key=lambda pair: pair[1]):
        blocks = [index for index, _ in run]
        name = segments[node].name
        runs = [revision.runs[index] for index in blocks] if revision.runs else []
        stage = Stage(
            segment=name,
            host=host(name, namespace),
            http=HTTP_PORT,
            blocks=tuple(revision.blocks[index] for index in blocks),
            exits=tuple(_exits(revision, blocks)),
            block_joules=tuple(each.joules for each in runs),
            input_joules=runs[0].input_joules if runs else 0.0,
        )
        stages.append(stage.to_object())
    return stages


def _exits(revision: Revision, blocks: Iterable[int]) -> Iterable[StageExit]:
    names = dict(revision.exits)
    for index in blocks:
        if index in names:
            run = revision.runs[index] if revision.runs else None
            yield StageExit(
                name=names[index],
                block=revision.blocks[index],
                criterion=run.criterion if run else "Confidence",
                threshold=run.threshold if run else None,
            )


def left_behind(config: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the segments that a live ConfigMap says the entry may still call."""
    text = reading.text(config, "metadata", "annotations", ANNOTATION_LEFT_BEHIND)
    return frozenset(text.split())


def identity(obj: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, namespace and name of an object that was made here."""
    return obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]


def _service(owner: Owner, name: str, labels: dict[str, str], segment: str) -> Json:
    made = _object(owner, "v1", SERVICE, name, labels)
    made["spec"] = {
        "type": "ClusterIP",
        "selector": selector(owner.name, segment),
        "ports": list(
            _ports((("http", HTTP_PORT, "http"), ("grpc", GRPC_PORT, "kubernetes.io/h2c")))
        ),
    }
    return made


def _ports(ports: Iterable[tuple[str, int, str]]) -> Iterable[Json]:
    for name, port, protocol in ports:
        yield {
            "name": name,
            "port": port,
            "protocol": "TCP",
            "targetPort": name,
            "appProtocol": protocol,
        }


def _object(owner: Owner, api_version: str, kind: str, name: str, labels: dict[str, str]) -> Json:
    metadata: Json = {"name": name, "namespace": owner.namespace, "labels": labels}
    if owner.uid:
        metadata["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": INFERENCE_APP,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
            }
        ]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
