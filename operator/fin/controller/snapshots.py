"""Takes a snapshot: every kind listed anew, others' objects by their metadata alone."""

import asyncio

from fin.api.names import FIELD_MANAGER
from fin.cluster import reading
from fin.cluster.snapshot import Snapshot
from fin.controller import kinds
from fin.controller.kinds import Kind
from fin.controller.kube import ApiError, JsonObject, Kube
from fin.controller.selectors import OURS, WATCHED, is_ours


class UnknownKindError(Exception):
    """The API server does not know one of the operator's own kinds."""


async def take_snapshot(kube: Kube) -> Snapshot:
    """Read all that a round needs, as the API server has it now.

    Raises
    ------
    ApiError
        Where a list fails: half a world is none.
    UnknownKindError
        Where the CRDs are not installed.
    """
    (
        nodes,
        pods,
        topologies,
        models,
        apps,
        deployments,
        services,
        budgets,
        endpointslices,
        configmaps,
    ) = await asyncio.gather(
        _list(kube, kinds.NODE),
        _list(kube, kinds.POD),
        _list(kube, kinds.TOPOLOGY),
        _list(kube, kinds.MODEL),
        _list(kube, kinds.APP),
        _list(kube, kinds.DEPLOYMENT),
        _list(kube, kinds.SERVICE),
        _list(kube, kinds.BUDGET),
        _list(kube, kinds.ENDPOINT_SLICE),
        _config_maps(kube),
    )
    return Snapshot(
        nodes=tuple(map(_without_images, nodes)),
        pods=tuple(map(_without_managed_fields, pods)),
        topologies=tuple(map(_without_managed_fields, topologies)),
        models=tuple(map(_without_managed_fields, models)),
        apps=tuple(map(_without_managed_fields, apps)),
        deployments=tuple(map(_with_other_writers, deployments)),
        services=tuple(map(_or_metadata, services)),
        configmaps=tuple(configmaps),
        budgets=tuple(map(_or_metadata, budgets)),
        endpointslices=tuple(map(_without_managed_fields, endpointslices)),
    )


async def _list(kube: Kube, kind: Kind) -> list[JsonObject]:
    selector = WATCHED[kind]
    try:
        return await kube.list_all(kind, labels=selector.labels, fields=selector.fields)
    except ApiError as error:
        if error.status == 404:
            raise UnknownKindError(
                f"the API server does not know {kind.plural}.{kind.group}: install the CRDs "
                "(crds/ in the repository, or the chart with crds.enabled=true)"
            ) from error
        raise


async def _config_maps(kube: Kube) -> list[JsonObject]:
    """Read ours whole, and of others, which may be many and big, that they are there."""
    ours, headers = await asyncio.gather(
        kube.list_all(kinds.CONFIG_MAP, labels=OURS.labels),
        kube.list_all(kinds.CONFIG_MAP, metadata_only=True),
    )
    known = {reading.uid(obj) for obj in ours}
    others = [obj for obj in headers if reading.uid(obj) not in known]
    # One of ours whose label somebody has taken away.
    stripped = [
        await kube.get(kinds.CONFIG_MAP, reading.namespace(obj), reading.name(obj))
        for obj in others
        if is_ours(obj)
    ]
    found = {reading.uid(obj): obj for obj in (*others, *stripped, *ours)}
    return [_without_managed_fields(obj) for obj in found.values()]


def _without_managed_fields(obj: JsonObject) -> JsonObject:
    obj["metadata"].pop("managedFields", None)
    return obj


def _without_images(node: JsonObject) -> JsonObject:
    """Leave out the names of the images on a node, which are most of it."""
    node.get("status", {}).pop("images", None)
    return _without_managed_fields(node)


def _or_metadata(obj: JsonObject) -> JsonObject:
    """Keep of what is not ours only that it is there."""
    _without_managed_fields(obj)
    if is_ours(obj):
        return obj
    return {key: obj[key] for key in ("apiVersion", "kind", "metadata")}


def _with_other_writers(deployment: JsonObject) -> JsonObject:
    """Keep which fields of ours others have written: that is how their edits are found."""
    if not is_ours(deployment):
        return _or_metadata(deployment)
    metadata = deployment["metadata"]
    metadata["managedFields"] = [
        entry
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") != FIELD_MANAGER
    ]
    return deployment
