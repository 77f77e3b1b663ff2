"""Events on the real API server, as `kubectl describe` shows them."""

import asyncio
from typing import Any

import pytest

from fin.controller import kinds
from fin.controller.kube import Kube, WritingStoppedError
from fin.controller.recorder import Note, Recorder, Regarding
from testbed import ControlPlane
from tests.controller.conftest import WithKube
from tests.helpers.requests import Requests


async def about_config_map(kube: Kube, area: str) -> Regarding:
    metadata = {"name": "thing", "namespace": area}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    made = await kube.create(kinds.CONFIG_MAP, obj)
    return Regarding("v1", "ConfigMap", area, "thing", made["metadata"]["uid"])


def events(control_plane: ControlPlane, namespace: str) -> list[Any]:
    return control_plane.core.list_namespaced_event(namespace).items


def test_a_repeat_raises_the_count(
    with_kube: WithKube[None], area: str, control_plane: ControlPlane
) -> None:
    async def use(kube: Kube) -> None:
        regarding = await about_config_map(kube, area)
        note = Note(regarding, "Warning", "LatencyUnreachable", "31 ms at best, target 20 ms")
        recorder = Recorder(kube, "copy-1")
        for _ in range(3):
            await recorder.record(note)
        await recorder.record(Note(regarding, "Normal", "Planned", "exit exit2"))

    with_kube(use)
    first, second = sorted(events(control_plane, area), key=lambda e: str(e.type), reverse=True)
    assert (first.type, first.reason, first.count) == ("Warning", "LatencyUnreachable", 3)
    assert first.message == "31 ms at best, target 20 ms"
    assert first.source.component == "fin-operator"
    assert (second.type, second.reason, second.count) == ("Normal", "Planned", 1)
    described = control_plane.kubectl("describe", "configmap", "thing", "-n", area).stdout
    assert "(x3 over" in described
    assert "31 ms at best, target 20 ms" in described


def test_of_objects_without_a_namespace_too(
    with_kube: WithKube[None], control_plane: ControlPlane
) -> None:
    control_plane.kwok.create_node("described")
    try:

        async def use(kube: Kube) -> None:
            (node,) = [
                one
                for one in await kube.list_all(kinds.NODE)
                if one["metadata"]["name"] == "described"
            ]
            regarding = Regarding("v1", "Node", "", "described", node["metadata"]["uid"])
            await Recorder(kube, "copy-1").record(
                Note(regarding, "Warning", "InvalidLabel", "finoperator.io/flops: 200X is no...")
            )

        with_kube(use)
        described = control_plane.kubectl("describe", "node", "described").stdout
        assert "finoperator.io/flops: 200X is no..." in described
    finally:
        control_plane.core.delete_node("described")


def test_an_event_that_is_gone_begins_anew(
    with_kube: WithKube[None], area: str, control_plane: ControlPlane
) -> None:
    async def use(kube: Kube) -> None:
        note = Note(await about_config_map(kube, area), "Normal", "Planned", "here")
        recorder = Recorder(kube, "copy-1")
        await recorder.record(note)
        await asyncio.to_thread(control_plane.kubectl, "delete", "events", "--all", "-n", area)
        await recorder.record(note)

    with_kube(use)
    (event,) = events(control_plane, area)
    assert event.count == 1


def test_long_names_and_messages_fit(
    with_kube: WithKube[None], area: str, control_plane: ControlPlane
) -> None:
    async def use(kube: Kube) -> None:
        regarding = Regarding("v1", "ConfigMap", area, "n" * 253, "uid")
        await Recorder(kube, "c" * 300).record(Note(regarding, "Normal", "Planned", "m" * 5000))

    with_kube(use)
    (event,) = events(control_plane, area)
    assert event.message == "m" * 1023 + "…"


def test_what_cannot_be_written_is_logged_and_no_more(
    with_kube: WithKube[None], area: str, caplog: pytest.LogCaptureFixture, requests: Requests
) -> None:
    def refuse() -> None:
        raise WritingStoppedError("not now")

    async def use(kube: Kube) -> None:
        gone = Regarding("v1", "ConfigMap", "no-such-namespace", "thing", "uid")
        await Recorder(kube, "copy-1").record(Note(gone, "Normal", "Planned", "x"))
        assert requests.seen["create", "Event", 404] == 1
        kube.permit = refuse
        await Recorder(kube, "copy-1").record(Note(gone, "Normal", "Planned", "x"))

    with_kube(use)
    (logged,) = (record.getMessage() for record in caplog.records)
    assert logged == "event Planned of thing not written: not now"
