"""The operator's client on the real API server."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fin.controller import kinds, kube
from fin.controller.connection import NoClusterError, connection_info, load_configuration
from fin.controller.kube import ApiError, Kube, WritingStoppedError
from testbed import ControlPlane
from tests.controller.conftest import WithKube
from tests.helpers.requests import Requests

Object = dict[str, Any]


def config_map(namespace: str, name: str = "settings", **data: str) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": {"area": namespace}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def refused(awaitable: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await awaitable
    return caught.value


def test_lists_go_over_pages(
    with_kube: WithKube[None], area: str, monkeypatch: pytest.MonkeyPatch, requests: Requests
) -> None:
    monkeypatch.setattr(kube, "PAGE", 3)

    async def use(client: Kube) -> None:
        names = [f"config-{i}" for i in range(8)]
        await asyncio.gather(
            *(client.create(kinds.CONFIG_MAP, config_map(area, name)) for name in names)
        )
        before = requests.count("list", "ConfigMap")
        found = await client.list_all(kinds.CONFIG_MAP, labels=f"area={area}")
        assert [obj["metadata"]["name"] for obj in found] == names
        assert {(obj["kind"], obj["apiVersion"]) for obj in found} == {("ConfigMap", "v1")}
        assert requests.count("list", "ConfigMap") == before + 3

    with_kube(use)


def test_lists_of_metadata_leave_the_rest_out(with_kube: WithKube[None], area: str) -> None:
    async def use(client: Kube) -> None:
        await client.create(kinds.CONFIG_MAP, config_map(area, x="y"))
        (found,) = await client.list_all(
            kinds.CONFIG_MAP, labels=f"area={area}", metadata_only=True
        )
        assert set(found) == {"apiVersion", "kind", "metadata"}
        assert found["kind"] == "ConfigMap"

    with_kube(use)


def test_apply_takes_fields_over_and_creates(with_kube: WithKube[None], area: str) -> None:
    async def use(client: Kube) -> None:
        first = await client.apply(kinds.CONFIG_MAP, config_map(area, x="1"))
        await client.merge(kinds.CONFIG_MAP, area, "settings", {"data": {"x": "edited"}})
        again = await client.apply(kinds.CONFIG_MAP, config_map(area, x="1"))
        assert again["data"] == {"x": "1"}
        assert again["metadata"]["uid"] == first["metadata"]["uid"]

    with_kube(use)


def test_apply_with_a_uid_writes_no_other_object(with_kube: WithKube[None], area: str) -> None:
    async def use(client: Kube) -> None:
        await client.create(kinds.CONFIG_MAP, config_map(area, x="1"))
        obj = config_map(area, x="2")
        obj["metadata"]["uid"] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        error = await refused(client.apply(kinds.CONFIG_MAP, obj))
        assert (error.status, error.outdated, error.transient) == (422, True, False)
        live = await client.get(kinds.CONFIG_MAP, area, "settings")
        assert live["data"] == {"x": "1"}

    with_kube(use)


def test_create_leaves_an_object_of_that_name_alone(with_kube: WithKube[None], area: str) -> None:
    async def use(client: Kube) -> None:
        await client.create(kinds.CONFIG_MAP, config_map(area, x="1"))
        error = await refused(client.create(kinds.CONFIG_MAP, config_map(area, x="2")))
        assert (error.status, error.reason) == (409, "AlreadyExists")

    with_kube(use)


def test_delete_takes_only_the_object_that_was_meant(with_kube: WithKube[None], area: str) -> None:
    async def use(client: Kube) -> None:
        first = await client.create(kinds.CONFIG_MAP, config_map(area))
        uid = first["metadata"]["uid"]
        await client.delete(kinds.CONFIG_MAP, area, "settings", uid)
        gone = await refused(client.delete(kinds.CONFIG_MAP, area, "settings", uid))
        assert gone.status == 404
        await client.create(kinds.CONFIG_MAP, config_map(area))
        other = await refused(client.delete(kinds.CONFIG_MAP, area, "settings", uid))
        assert other.status == 409

    with_kube(use)


def test_refusals_say_what_is_wrong_and_are_not_repeated(
    with_kube: WithKube[None], area: str, requests: Requests
) -> None:
    async def use(client: Kube) -> None:
        error = await refused(client.create(kinds.CONFIG_MAP, config_map(area, "Bad Name")))
        assert error.status == 422
        assert "Bad Name" in str(error)
        assert requests.seen["create", "ConfigMap", 422] == 1

    with_kube(use)


def test_nothing_is_written_without_permission(
    with_kube: WithKube[None], area: str, requests: Requests
) -> None:
    def refuse() -> None:
        raise WritingStoppedError("not now")

    async def use(client: Kube) -> None:
        client.permit = refuse
        for write in (
            client.create(kinds.CONFIG_MAP, config_map(area)),
            client.apply(kinds.CONFIG_MAP, config_map(area)),
            client.merge(kinds.CONFIG_MAP, area, "settings", {}),
            client.delete(kinds.CONFIG_MAP, area, "settings", "uid"),
        ):
            with pytest.raises(WritingStoppedError):
                await write
        assert not requests.seen
        await client.list_all(kinds.NODE)

    with_kube(use)


def test_an_api_server_that_is_away_for_a_moment_is_waited_for(
    with_kube: WithKube[None], control_plane: ControlPlane, requests: Requests
) -> None:
    control_plane.stop_apiserver()
    starter = threading.Thread(target=control_plane.start_apiserver)

    async def use(client: Kube) -> None:
        listing = asyncio.create_task(client.list_all(kinds.NODE))
        while not requests.seen["list", "Node", 0]:
            await asyncio.sleep(0.01)
        starter.start()
        try:
            await listing
        except ApiError:  # it took longer than the client waits: so it is there by now
            await asyncio.to_thread(starter.join)
            await client.list_all(kinds.NODE)

    with_kube(use)
    starter.join()


def test_an_api_server_that_stays_away_is_an_error(
    with_kube: WithKube[None], control_plane: ControlPlane, requests: Requests
) -> None:
    control_plane.stop_apiserver()

    async def use(client: Kube) -> None:
        error = await refused(client.list_all(kinds.NODE))
        assert (error.status, error.reason, error.transient) == (0, "Unreachable", True)
        assert requests.seen["list", "Node", 0] == kube.ATTEMPTS

    try:
        with_kube(use)
    finally:
        control_plane.start_apiserver()


def test_a_wait_that_the_server_asks_for_is_kept() -> None:
    class State:
        attempt_number = 1

        class outcome:  # noqa: N801
            @staticmethod
            def exception() -> ApiError:
                return ApiError(429, "TooManyRequests", "later", retry_after=7)

    assert kube._wait(State) == 7  # type: ignore[arg-type]


def test_no_cluster_is_an_error_for_people(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    with pytest.raises(NoClusterError, match=r"kubeconfig .*missing.*set KUBECONFIG"):
        asyncio.run(load_configuration())
    (tmp_path / "empty").write_text("apiVersion: v1\n")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "empty"))
    with pytest.raises(NoClusterError, match="empty"):
        asyncio.run(load_configuration())


def test_kopf_is_told_the_same_server_and_user(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(path: Path) -> Any:
        monkeypatch.setenv("KUBECONFIG", str(path))
        return await connection_info(await load_configuration())

    admin = asyncio.run(read(control_plane.kubeconfig))
    assert admin.server == control_plane.url
    assert admin.certificate_path
    assert admin.private_key_path
    assert admin.token is None
    account = control_plane.kubeconfig_for_service_account("default", "default")
    info = asyncio.run(read(account))
    assert info.scheme == "Bearer"
    assert len(info.token) > 100
    assert info.ca_path


def test_requests_run_side_by_side_but_not_all_at_once(
    with_kube: WithKube[None], area: str
) -> None:
    async def use(client: Kube) -> None:
        names = [f"config-{i}" for i in range(4 * kube.PARALLEL)]
        most = 0

        async def create(name: str) -> None:
            nonlocal most
            await client.create(kinds.CONFIG_MAP, config_map(area, name))
            most = max(most, kube.PARALLEL - client._slots._value)

        began = time.monotonic()
        await asyncio.gather(*map(create, names))
        assert time.monotonic() > began
        assert 1 < most <= kube.PARALLEL

    with_kube(use)
