"""Installing, upgrading and uninstalling the chart on a real control plane."""

import json
from collections.abc import Iterator

import pytest

from testbed import CommandError, ControlPlane
from tests.helpers.chart import NAMESPACE, RELEASE, Object, crds, install, settle, uninstall

pytestmark = pytest.mark.cluster

CRDS = {f"{kind}.finoperator.io" for kind in ("dnnmodels", "inferenceapps", "networktopologies")}
OTHER = "other"

MODEL = {
    "apiVersion": "finoperator.io/v1alpha1",
    "kind": "DNNModel",
    "metadata": {"name": "b-lenet", "namespace": "default"},
    "spec": {
        "inputBytes": 3136,
        "blocks": [
            {
                "name": "all",
                "flops": "1M",
                "memory": "1Mi",
                "outputBytes": 40,
                "exit": {"accuracy": 0.99},
            }
        ],
    },
}


@pytest.fixture
def cluster(chart_cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane with no release before, and none after."""
    yield chart_cluster
    settle(chart_cluster)
    for release in (RELEASE, OTHER):
        chart_cluster.helm(
            *("uninstall", release, "--namespace", NAMESPACE, "--ignore-not-found", "--wait")
        )
    chart_cluster.kubectl("delete", "crd", "--ignore-not-found", *CRDS)


def get(cluster: ControlPlane, kind: str, name: str, *args: str) -> Object:
    found: Object = json.loads(cluster.kubectl("get", kind, name, *args, "-o", "json").stdout)
    return found


def create_model(cluster: ControlPlane) -> None:
    cluster.kubectl("wait", "--for=condition=Established", "crd", *CRDS, "--timeout=30s")
    cluster.kubectl("apply", "-f", "-", input=json.dumps(MODEL))


def names_in_namespace(cluster: ControlPlane) -> set[str]:
    kinds = "deployment,service,serviceaccount,role,rolebinding"
    labelled = f"app.kubernetes.io/instance={RELEASE}"
    listed = cluster.kubectl("get", kinds, "-n", NAMESPACE, "-l", labelled, "-o", "name").stdout
    cluster_wide = cluster.kubectl(
        "get", "clusterrole,clusterrolebinding", "-l", labelled, "-o", "name"
    ).stdout
    return set((listed + cluster_wide).split())


def test_install_runs_a_ready_pod(cluster: ControlPlane) -> None:
    install(cluster)
    status = get(cluster, "deployment", RELEASE, "-n", NAMESPACE)["status"]
    assert status["readyReplicas"] == 1
    assert crds(cluster) == CRDS
    slices = json.loads(
        cluster.kubectl(
            *("get", "endpointslices", "-n", NAMESPACE, "-o", "json"),
            *("-l", f"kubernetes.io/service-name={RELEASE}-metrics"),
        ).stdout
    )["items"]
    assert [port["port"] for port in slices[0]["ports"]] == [8080]


def test_upgrade_changes_flags_and_crds_in_place(cluster: ControlPlane) -> None:
    install(cluster)
    create_model(cluster)
    # As an older release would have left it: a CRD without one of its short names.
    cluster.kubectl(
        *("patch", "crd", "dnnmodels.finoperator.io", "--type=json", "-p"),
        '[{"op": "remove", "path": "/spec/names/shortNames"}]',
    )
    install(cluster, "--reset-values", values={"planner": {"minSaving": 0.1}})
    pod = get(cluster, "deployment", RELEASE, "-n", NAMESPACE)["spec"]["template"]["spec"]
    assert "--min-saving=0.1" in pod["containers"][0]["args"]
    assert get(cluster, "crd", "dnnmodels.finoperator.io")["spec"]["names"]["shortNames"] == ["dnn"]
    assert get(cluster, "dnnmodel", "b-lenet")["spec"]["inputBytes"] == 3136


def test_uninstall_keeps_crds_and_what_users_wrote(cluster: ControlPlane) -> None:
    install(cluster)
    create_model(cluster)
    uninstall(cluster)
    assert crds(cluster) == CRDS
    assert get(cluster, "dnnmodel", "b-lenet")
    left = names_in_namespace(cluster)
    assert left == set()


def test_uninstall_removes_everything_where_crds_are_not_kept(cluster: ControlPlane) -> None:
    install(cluster, values={"crds": {"keep": False}})
    create_model(cluster)
    uninstall(cluster)
    cluster.kubectl("wait", "--for=delete", "crd", *CRDS, "--timeout=30s")
    assert crds(cluster) == set()
    left = names_in_namespace(cluster)
    assert left == set()


def test_the_last_upgrade_decides_whether_crds_are_kept(cluster: ControlPlane) -> None:
    install(cluster, values={"crds": {"keep": False}})
    install(cluster, "--reset-values")
    uninstall(cluster)
    assert crds(cluster) == CRDS


def test_kept_crds_do_not_block_the_same_release_again(cluster: ControlPlane) -> None:
    install(cluster)
    uninstall(cluster)
    install(cluster)
    assert get(cluster, "deployment", RELEASE, "-n", NAMESPACE)["status"]["readyReplicas"] == 1


def test_kept_crds_block_another_release_until_it_takes_them_over(cluster: ControlPlane) -> None:
    install(cluster)
    create_model(cluster)
    uninstall(cluster)
    with pytest.raises(CommandError, match="cannot be imported into the current release"):
        install(cluster, release=OTHER)
    install(cluster, "--take-ownership", release=OTHER)
    assert get(cluster, "dnnmodel", "b-lenet")


def test_turning_the_crds_off_leaves_kept_ones(cluster: ControlPlane) -> None:
    install(cluster)
    create_model(cluster)
    install(cluster, "--reset-values", values={"crds": {"enabled": False}})
    assert crds(cluster) == CRDS
    assert get(cluster, "dnnmodel", "b-lenet")


def test_crds_made_by_hand_need_no_help_from_the_chart(cluster: ControlPlane) -> None:
    cluster.kubectl("apply", "--server-side", "-f", "crds/")
    install(cluster, values={"crds": {"enabled": False}})
    uninstall(cluster)
    assert crds(cluster) == CRDS
