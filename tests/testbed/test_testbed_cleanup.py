import json

from testbed import ControlPlane
from testbed.cleanup import Inventory, delete_events

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}
THING = {"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "thing"}}


def test_what_was_created_goes_and_the_rest_stays(cluster: ControlPlane, namespace: str) -> None:
    kubectl = cluster.kubectl
    kubectl("create", "configmap", "kept", "-n", namespace)
    kubectl("create", "clusterrole", "kept", "--verb=get", "--resource=pods")
    cluster.kwok.create_node("kept")
    cluster.kwok.wait_until_ready("kept")
    inventory = Inventory(cluster)

    cluster.kwok.create_node("lost")
    kubectl("create", "namespace", "fresh")
    for where in ("fresh", namespace, "default"):
        kubectl("create", "deployment", "app", "--image=app", "--replicas=3", "-n", where)
        kubectl("wait", "deployment/app", "-n", where, "--for=condition=Available")
    kubectl("apply", "-f", "-", input=json.dumps(CRD))
    kubectl("wait", "crd/things.example.org", "--for=condition=Established")
    kubectl("apply", "-n", "fresh", "-f", "-", input=json.dumps(THING))
    kubectl("create", "clusterrole", "new", "--verb=get", "--resource=pods")
    cluster.kwok.fail_node("lost")

    inventory.restore()

    assert kubectl("get", "nodes", "-o", "name").stdout == "node/kept\n"
    assert kubectl("get", "all", "-A", "-o", "name").stdout == "service/kubernetes\n"
    assert "fresh" not in kubectl("get", "namespaces", "-o", "name").stdout
    assert "things" not in kubectl("get", "crds", "-o", "name").stdout
    assert "new" not in kubectl("get", "clusterroles", "-o", "name").stdout.split("/")
    kubectl("get", "configmap", "kept", "-n", namespace)
    kubectl("get", "clusterrole", "kept")
    # The name is free again.
    kubectl("create", "namespace", "fresh")


def test_each_test_begins_with_a_clean_slate(cluster: ControlPlane, namespace: str) -> None:
    assert cluster.kubectl("get", "nodes", "-o", "name").stdout == ""
    # Not in all namespaces: controllers write Events of nodes a while after these are gone.
    assert cluster.kubectl("get", "events", "-n", namespace, "-o", "name").stdout == ""
    assert cluster.kubectl("get", "all", "-n", namespace, "-o", "name").stdout == ""


def test_events_of_every_namespace_are_deleted(cluster: ControlPlane, namespace: str) -> None:
    for where in ("default", namespace):
        for name in ("one", "two"):
            cluster.kubectl("create", "-f", "-", input=json.dumps(an_event(where, name)))

    delete_events(cluster)

    for where in ("default", namespace):
        events = ("events/one", "events/two", "-n", where, "--ignore-not-found", "-o", "name")
        assert cluster.kubectl("get", *events).stdout == ""


def an_event(namespace: str, name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {"kind": "Namespace", "namespace": namespace, "name": namespace},
    }
