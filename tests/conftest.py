"""Fixtures that every test may use: a real control plane, shared, with a clean slate each time."""

import os
import signal
from collections.abc import Iterator

import pytest

from testbed import ControlPlane
from testbed.binaries import ensure
from testbed.cleanup import Inventory, delete_events

_CLUSTER_FIXTURES = frozenset({"cluster", "control_plane"})


def pytest_configure() -> None:
    """Set what holds for this process and all that it starts.

    Ctrl-C reaches the programs under test, also where a shell began pytest in the background: such
    a shell has SIGINT ignored, and what is ignored stays so in every child. And ONNX Runtime, which
    some tests import themselves, tells nobody of them.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use the control plane, so that `-m "not cluster"` leaves them out."""
    for item in items:
        if _CLUSTER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.cluster)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Get the programs before the first test: building them takes longer than a test may."""
    if session.config.option.collectonly:
        return
    if any(item.get_closest_marker("cluster") for item in session.items):
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            ensure()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """One control plane for all tests, with fast node loss; what one leaves, the next finds."""
    with ControlPlane(fast_node_loss=True) as started:
        yield started


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The shared control plane, from which all that the test created is deleted at its end.

    Fixtures of wider scope may put things into `control_plane` that stay, such as CRDs.
    """
    # Events that fixtures of wider scope set off, some of them after their end, are nobody's.
    delete_events(control_plane)
    inventory = Inventory(control_plane)
    yield control_plane
    inventory.restore()


@pytest.fixture
def namespace(cluster: ControlPlane) -> str:
    """A fresh namespace in `cluster`."""
    created = cluster.kubectl("create", "-f", "-", "-o", "name", input=_NAMESPACE).stdout
    return created.strip().removeprefix("namespace/")


_NAMESPACE = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "test-"}}'
