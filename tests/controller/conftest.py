"""What the operator's tests share: the CRDs on the control plane, and a client like its own."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from kubernetes.client import V1Namespace, V1ObjectMeta

from fin.controller.connection import load_configuration
from fin.controller.kube import Kube
from testbed import ControlPlane
from tests.helpers.api import Api
from tests.helpers.chart import NAMESPACE, RELEASE, render
from tests.helpers.operator import Operator
from tests.helpers.requests import Requests
from tests.helpers.scene import Scene

ROLE_KINDS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
CRDS = Path(__file__).parents[2] / "crds"
T = TypeVar("T")
_SHOWN = 10_000

WithKube = Callable[[Callable[[Kube], Awaitable[T]]], T]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with each failure what the operators had to say."""
    report = yield
    if report.failed and report.when != "teardown":
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Operator):
                report.sections.append((f"log of {name}", value.log[-_SHOWN:]))
    return report


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> None:
    control_plane.kubectl("apply", "-f", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")


@pytest.fixture
def area(control_plane: ControlPlane, crds: None) -> Iterator[str]:
    """A fresh namespace, which goes in its own time."""
    name = f"area-{secrets.token_hex(4)}"
    control_plane.core.create_namespace(V1Namespace(metadata=V1ObjectMeta(name=name)))
    yield name
    control_plane.core.delete_namespace(name)


@pytest.fixture
def requests() -> Requests:
    """What the client was seen to ask for."""
    return Requests()


@pytest.fixture
def with_kube(
    crds: None, control_plane: ControlPlane, requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> WithKube[T]:
    """Run a coroutine function with the operator's client, as the administrator."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))

    def run(use: Callable[[Kube], Awaitable[T]]) -> T:
        async def main() -> T:
            async with Kube(await load_configuration(), requests.observe) as kube:
                return await use(kube)

        return asyncio.run(main())

    return run


@pytest.fixture(scope="session")
def api(control_plane: ControlPlane, crds: None) -> Iterator[Api]:
    with control_plane.make_client() as client:
        yield Api(client)


@pytest.fixture(scope="session")
def operator_kubeconfig(control_plane: ControlPlane, crds: None) -> Path:
    """The chart's ServiceAccount, with exactly the chart's roles."""
    control_plane.kubectl("create", "namespace", NAMESPACE)
    rights = [obj for obj in render(control_plane) if obj["kind"] in ROLE_KINDS]
    control_plane.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(rights))
    return control_plane.kubeconfig_for_service_account(NAMESPACE, RELEASE)


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane, operator_kubeconfig: Path) -> Iterator[Operator]:
    """A running operator, for all tests of a module. No right was ever found missing."""
    made = Operator(control_plane, operator_kubeconfig, namespace=NAMESPACE)
    made.start()
    yield made
    made.check()


@pytest.fixture
def scene(control_plane: ControlPlane, api: Api, operator: Operator) -> Iterator[Scene]:
    """Four nodes, links and a model, watched by the operator."""
    with Scene(control_plane, api) as made:
        made.standard()
        yield made
