import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kubernetes.client import ApiException, CoreV1Api

from testbed import CommandError, ControlPlane, TestbedError
from testbed.binaries import ensure
from testbed.process import wait_for
from testbed.versions import BINARIES
from tests.helpers.processes import parent_of, processes_that_name, wait_until_gone

ROOT = Path(__file__).parents[2]
COMPONENTS = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}

pytestmark = pytest.mark.cluster


def guard_and_components(directory: Path) -> tuple[int, dict[int, str]]:
    components = processes_that_name(directory)
    (guard,) = {parent_of(pid) for pid in components}
    return guard, components


def start_owner(script: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that owns a control plane, and wait until it tells its directory."""
    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout
    return owner, Path(owner.stdout.readline().strip())


def test_the_programs_are_of_the_wanted_version(control_plane: ControlPlane) -> None:
    told = control_plane.kubectl("version")
    wanted = BINARIES["kube-apiserver"].version
    minor = wanted.rsplit(".", 1)[0]
    assert re.search(rf"Client Version: {re.escape(minor)}\.", told.stdout)
    assert re.search(rf"Server Version: {re.escape(minor)}\.", told.stdout)
    assert told.stderr == ""
    assert BINARIES["helm"].version.rsplit(".", 1)[0] in control_plane.helm("version").stdout


def test_two_run_side_by_side_and_do_not_meet(cluster: ControlPlane, namespace: str) -> None:
    with ControlPlane() as other:
        assert other.url != cluster.url
        listed = other.kubectl("get", "namespaces", "-o", "name").stdout
        assert f"namespace/{namespace}" not in listed
        # Neither trusts the other's authority.
        crossed = cluster.kubectl("get", "nodes", f"--server={other.url}", check=False)
        assert "certificate signed by unknown authority" in crossed.stderr


def test_nothing_is_left_after_the_context(tmp_path: Path) -> None:
    with ControlPlane() as started:
        directory = started.directory
        started.processes.start("own", ["sleep", "1000"])
        started.kubectl("get", "nodes")
        started.helm("list")
        guard, components = guard_and_components(directory)
        assert set(components.values()) == COMPONENTS
    wait_until_gone(guard, *components)
    assert not directory.exists()


def test_nothing_is_left_after_an_exception() -> None:
    seen: list[tuple[Path, int, dict[int, str]]] = []

    def fail() -> None:
        with ControlPlane() as started:
            seen.append((started.directory, *guard_and_components(started.directory)))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    ((directory, guard, components),) = seen
    wait_until_gone(guard, *components)
    assert not directory.exists()


def test_nothing_is_left_after_its_owner_was_killed() -> None:
    script = """
from testbed import ControlPlane
with ControlPlane() as control_plane:
    print(control_plane.directory, flush=True)
    control_plane.kubectl("wait", "node/none", "--for=create", "--timeout=1000s", timeout=1000)
"""
    owner, directory = start_owner(script)
    with owner:
        guard, components = guard_and_components(directory)
        assert set(components.values()) >= COMPONENTS
        children = Path(f"/proc/{owner.pid}/task/{owner.pid}/children")
        wait_for(lambda: len(children.read_text().split()) == 2, 20, "kubectl to start")
        pids = [int(pid) for pid in children.read_text().split()]
        owner.send_signal(signal.SIGKILL)
        wait_until_gone(guard, *components, *pids)
    wait_for(lambda: not directory.exists(), 20, "the directory to be removed")


def test_nothing_is_left_after_its_owner_was_killed_while_it_started() -> None:
    script = """
from testbed import controlplane
from testbed.binaries import ensure
from testbed.process import ProcessGroup
class Telling(ProcessGroup):
    def start(self, name, argv, env=None):
        pid = super().start(name, argv, env)
        if name == "kube-apiserver":
            print(self.directory, flush=True)
        return pid
controlplane.ProcessGroup = Telling
with controlplane.ControlPlane():
    pass
"""
    owner, directory = start_owner(script)
    with owner:
        guard, components = guard_and_components(directory)
        owner.send_signal(signal.SIGKILL)
    assert set(components.values()) >= {"etcd"}
    wait_until_gone(guard, *components)
    wait_for(lambda: not directory.exists(), 20, "the directory to be removed")


def test_a_proxy_of_the_user_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ControlPlane() as started:
        started.kwok.create_node("node-0")
        started.kwok.wait_until_ready("node-0")
        started.kubectl("get", "nodes")


def test_a_component_that_does_not_start_is_named_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "etcd"
    broken.write_text("#!/bin/sh\necho no room for data >&2\nexit 4\n")
    broken.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(TestbedError, match=r"(?s)etcd ended with status 4.*no room for data"):
        ControlPlane().__enter__()


def test_a_port_that_was_taken_meanwhile_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ensure(["etcd"])["etcd"].path
    tried = tmp_path / "tried"
    loser = tmp_path / "etcd"
    loser.write_text(
        f"#!/bin/sh\nif mkdir {tried}; then echo address already in use; exit 1; fi\n"
        f'exec {program} "$@"\n'
    )
    loser.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with ControlPlane() as started:
        assert tried.exists()
        started.kubectl("get", "nodes")


def test_the_api_server_restarts_and_keeps_what_it_stored() -> None:
    with ControlPlane() as started:
        started.kwok.create_node("node-0")
        started.kubectl("create", "configmap", "kept", "--from-literal=key=value")
        started.stop_apiserver()
        refused = started.kubectl("get", "configmap", "kept", check=False)
        assert refused.returncode
        assert "refused" in refused.stderr
        started.start_apiserver()
        assert started.core.read_namespaced_config_map("kept", "default").data == {"key": "value"}
        started.restart_apiserver()
        assert started.core.read_namespaced_config_map("kept", "default").data == {"key": "value"}
        # The others find their way back to it.
        started.kubectl("create", "deployment", "app", "--image=app")
        started.kubectl("wait", "deployment/app", "--for=condition=Available", "--timeout=60s")


def test_users_have_the_rights_of_their_name_and_groups(
    cluster: ControlPlane, namespace: str
) -> None:
    anna = cluster.kubeconfig_for_user("anna", ["readers"])
    denied = cluster.kubectl("get", "pods", "-n", namespace, kubeconfig=anna, check=False)
    assert 'User "anna" cannot list resource "pods"' in denied.stderr

    binding = ("create", "rolebinding", "--clusterrole=view", "-n", namespace)
    cluster.kubectl(*binding, "readers", "--group=readers")
    cluster.kubectl("get", "pods", "-n", namespace, kubeconfig=anna)

    # The first certificate still works when the same user gets another one.
    cluster.kubeconfig_for_user("anna", ["others"])
    cluster.kubectl("get", "pods", "-n", namespace, kubeconfig=anna)


def test_service_accounts_have_the_rights_of_their_bindings(
    cluster: ControlPlane, namespace: str
) -> None:
    cluster.kubectl("create", "serviceaccount", "operator", "-n", namespace)
    kubeconfig = cluster.kubeconfig_for_service_account(namespace, "operator")
    with cluster.make_client(kubeconfig) as client:
        core = CoreV1Api(client)
        with pytest.raises(ApiException, match="Forbidden"):
            core.list_namespaced_pod(namespace)
        account = f"--serviceaccount={namespace}:operator"
        cluster.kubectl(
            "create", "rolebinding", "view", "--clusterrole=view", account, "-n", namespace
        )
        assert core.list_namespaced_pod(namespace).items == []


def test_a_failed_command_tells_what_it_said(cluster: ControlPlane) -> None:
    with pytest.raises(CommandError, match=r'nodes "none" not found') as caught:
        cluster.kubectl("get", "node", "none")
    assert caught.value.result.returncode == 1
    with pytest.raises(CommandError, match="release: not found"):
        cluster.helm("status", "none")
