"""The CRDs on a real API server: it refuses what the models refuse, and in words for people."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes.client import ApiClient, ApiException, CustomObjectsApi

from fin.api import (
    RESOURCES,
    DNNModel,
    InferenceApp,
    InvalidObject,
    NetworkTopology,
    Resource,
    crd,
    parse,
)
from fin.api.definition import custom_resource_definition
from fin.api.names import GROUP, VERSION
from testbed import ControlPlane
from tests.helpers import api_cases as cases

CRDS = [f"{resource.PLURAL}.{GROUP}" for resource in RESOURCES]


class Server:
    """Creates objects without keeping them."""

    def __init__(self, client: ApiClient) -> None:
        self._api = CustomObjectsApi(client)

    def create(self, resource: type[Resource], raw: cases.Object) -> cases.Object:
        """Return the object with its defaults.

        Raises
        ------
        ApiException
            If the API server refuses it.
        """
        if resource.NAMESPACED:
            return self._api.create_namespaced_custom_object(  # type: ignore[return-value]
                GROUP, VERSION, "default", resource.PLURAL, raw,
                dry_run="All", field_validation="Strict",
            )  # fmt: skip
        return self._api.create_cluster_custom_object(  # type: ignore[return-value]
            GROUP, VERSION, resource.PLURAL, raw, dry_run="All", field_validation="Strict"
        )

    def refusal(self, resource: type[Resource], raw: cases.Object) -> str | None:
        """Return what the API server says against an object; None where it takes it."""
        try:
            self.create(resource, raw)
        except ApiException as error:
            if error.status not in (400, 422):
                raise
            return str(json.loads(error.body or "{}")["message"])
        return None


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    for path, text in crd.files().items():
        if path.parts[0] == "crds":
            control_plane.kubectl(
                "apply", "--server-side", "--force-conflicts", "-f", "-", input=text
            )
    control_plane.kubectl("wait", "--for=condition=Established", "crd", *CRDS, "--timeout=30s")
    yield control_plane
    control_plane.kubectl("delete", "crd", *CRDS)


@pytest.fixture(scope="module")
def server(installed: ControlPlane) -> Iterator[Server]:
    with installed.make_client() as client:
        yield Server(client)


@pytest.mark.parametrize(
    ("resource", "valid"), cases.VALID, ids=lambda value: getattr(value, "KIND", "")
)
def test_valid_objects_are_taken(
    server: Server, resource: type[Resource], valid: cases.Object
) -> None:
    created = server.create(resource, valid)
    # And what the API server gives back means the same to the models.
    assert parse(resource, created).spec == parse(resource, valid).spec


@pytest.mark.parametrize("broken", cases.BROKEN, ids=lambda broken: str(broken.name))
def test_each_rule_is_refused_with_a_message_to_act_on(
    server: Server, broken: cases.Broken
) -> None:
    message = server.refusal(broken.resource, broken.object)
    assert message is not None
    assert (broken.server_field or broken.field) in message
    assert (broken.server_words or broken.words) in message


def test_the_api_server_fills_in_the_defaults(server: Server) -> None:
    raw = cases.model(segment=None)
    spec = server.create(DNNModel, raw)["spec"]
    assert spec["segment"] == {"cpuMinimum": "10m", "memoryOverhead": "128Mi"}
    assert spec["blocks"][2]["exit"] == {
        "flops": 0, "memory": 0, "exitRate": 0, "accuracy": 0.86, "criterion": "Confidence",
        "output": "logits",
    }  # fmt: skip

    raw = cases.app()
    raw["spec"]["latency"] = {"target": "20ms"}
    del (
        raw["spec"]["priority"],
        raw["spec"]["placement"],
        raw["spec"]["adapt"],
        raw["spec"]["arrivals"],
    )
    spec = server.create(InferenceApp, raw)["spec"]
    assert spec["latency"]["statistic"] == "Mean"
    assert (spec["priority"], spec["placement"]) == (0, {"localBlocks": 0})
    assert (spec["adapt"], spec["arrivals"]) == (False, "Periodic")

    links = server.create(NetworkTopology, cases.topology())["spec"]["links"]
    assert [link["directed"] for link in links] == [True, False]


OTHERS: tuple[Any, ...] = (
    cases.REMOVE, None, "", "x", "X_.", "a b", "20ms", "1.5s", "0s", "1d", "250m", "64Ki", "0",
    "5e-11", "1e400", "-1", "0.5", "y" * 400, 0, 1, -1, 2.0, 0.5, 1.5, 300, 2**63 - 1, 2**63, True,
    [], ["a"], {}, {"x": "y"}, [{}], [None],
)  # fmt: skip


def variations(original: cases.Object) -> Iterator[tuple[str, cases.Object]]:
    """Change one thing at a time: each field to each other value, and an unknown field."""
    for path in cases.paths(original["spec"], ("spec",)):
        for other in OTHERS:
            name = "removed" if other is cases.REMOVE else repr(other)[:40]
            yield f"{path} {name}", cases.changed(original, path, other)
        if isinstance(path[-1], str):
            unknown = (*path[:-1], "unknown")
            yield f"{unknown} added", cases.changed(original, unknown, 1)


@pytest.mark.parametrize(
    ("resource", "original"), cases.VALID, ids=lambda value: getattr(value, "KIND", "")
)
def test_server_and_models_refuse_the_same(
    server: Server, resource: type[Resource], original: cases.Object
) -> None:
    differences = []
    refused = taken = 0
    for name, raw in variations(original):
        by_server = server.refusal(resource, raw)
        try:
            parse(resource, raw)
        except InvalidObject as error:
            refused += 1
            if by_server is None:
                differences.append(f"{name}: only the models: {error}")
        else:
            taken += 1
            if by_server is not None:
                differences.append(f"{name}: only the server: {by_server}")
    assert not differences, "\n".join(differences)
    assert refused > 100
    assert taken > 10


@pytest.mark.parametrize(
    ("path", "alphabet"),
    [
        (("spec", "rate"), "0123456789.+-eEinumkKMGTP "),
        (("spec", "latency", "target"), "01239.nuµmsh- "),
        (("spec", "model"), "abz09-._A"),
        (("spec", "placement", "tiers", 0), "aZ09-._ é"),
        (("metadata", "name"), "abz09-"),
    ],
    ids=str,
)
def test_server_and_models_refuse_the_same_texts(
    server: Server, path: cases.Path, alphabet: str
) -> None:
    @settings(max_examples=200)
    @given(st.text(alphabet, max_size=70))
    def compare(text: str) -> None:
        raw = cases.changed(cases.app(), path, text)
        by_server = server.refusal(InferenceApp, raw)
        try:
            parse(InferenceApp, raw)
        except InvalidObject as error:
            by_models: InvalidObject | None = error
        else:
            by_models = None
        assert (by_server is None) == (by_models is None), (text, by_server, by_models)

    compare()


def test_kubectl_reads_a_quoted_on(installed: ControlPlane) -> None:
    text = yaml.safe_dump(cases.topology())
    assert "'on':" in text
    installed.kubectl("create", "--dry-run=server", "-f", "-", input=text)


def test_kubectl_explains_every_field(installed: ControlPlane) -> None:
    for resource in RESOURCES:
        definition = custom_resource_definition(resource)
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            for path, node in _objects(schema["properties"][part], f"{resource.PLURAL}.{part}"):
                explained = installed.kubectl("explain", path).stdout
                assert "<empty>" not in explained
                words = " ".join(explained.split())
                assert node["description"] in words
                for name, field in node.get("properties", {}).items():
                    assert re.search(rf"\b{name} <", words)
                    assert field["description"] in words


def _objects(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        inner = field.get("items", field)
        if "properties" in inner:
            described = {**inner, "description": field["description"]}
            yield from _objects(described, f"{path}.{name}")


def test_the_crds_are_established_without_a_warning(installed: ControlPlane) -> None:
    listed = json.loads(installed.kubectl("get", "crd", *CRDS, "-o", "json").stdout)["items"]
    for item in listed:
        conditions = {entry["type"]: entry["status"] for entry in item["status"]["conditions"]}
        assert conditions["Established"] == "True"
        assert conditions["NamesAccepted"] == "True"
        assert "NonStructuralSchema" not in conditions
        assert item["status"]["storedVersions"] == [VERSION]
        assert item["spec"]["versions"][0]["storage"]


def test_the_largest_objects_are_taken(server: Server) -> None:
    block = {"flops": "9.400000000000000000000000001M", "memory": "120Ki", "outputBytes": "64Ki"}
    exit_ = {"accuracy": 0.9, "exitRate": 0.0039}
    blocks: list[dict[str, Any]] = [
        {**block, "name": f"{i:063}", "exit": {**exit_, "name": f"exit-{i:058}"}}
        for i in range(256)
    ]
    blocks[-1]["exit"] = {"accuracy": 1}
    server.create(DNNModel, cases.model(blocks=blocks))

    link = cases.topology()["spec"]["links"][1]
    links = [{**link, "from": {"nodeName": f"node-{i}.cluster.example"}} for i in range(10_000)]
    server.create(NetworkTopology, cases.changed(cases.topology(), ("spec", "links"), links))


def test_kubectl_get_shows_what_people_want_to_know(
    installed: ControlPlane, cluster: ControlPlane, namespace: str
) -> None:
    for raw in (cases.model(), cases.app(), cases.topology()):
        if raw["kind"] != "NetworkTopology":
            raw["metadata"]["namespace"] = namespace
        cluster.kubectl("create", "-f", "-", input=json.dumps(raw))
    status = {
        "observedGeneration": 1,
        "conditions": [
            _condition("Accepted", "True", "Valid"), _condition("Ready", "True", "Serving"),
            _condition("Drifted", "False", "AsPlanned"),
        ],
        "plan": {
            "revision": "7c9f21ab", "exit": "exit2", "accuracy": 0.83, "latency": "18.7ms",
            "energyPerInference": "9.33m", "power": "187m", "gap": 0.004, "rate": "20",
            "exits": [{"name": "exit1", "share": 0.35}, {"name": "exit2", "share": 0.65}],
            "segments": [
                {"name": "gate-camera-3f20c9d1", "nodeName": "mobile-0", "tier": "mobile",
                 "blocks": ["conv1"], "cpu": "250m", "memory": "96Mi"},
            ],
        },
        "observed": {
            "revision": "7c9f21ab", "rate": "20.4", "power": "191m",
            "latency": {"mean": "16.2ms", "p99": "41ms", "fromSource": "0s"},
            "exits": [{"name": "exit1", "share": 0.341}, {"name": "exit2", "share": 0.659}],
        },
    }  # fmt: skip
    _patch_status(cluster, "iapp", "gate-camera", status, namespace)
    accepted = {"conditions": [_condition("Accepted", "False", "RuleOverruled")]}
    _patch_status(cluster, "dnn", "b-alexnet", accepted, namespace)
    _patch_status(cluster, "nettopo", "campus", accepted, namespace)

    assert _table(cluster, "iapp", namespace) == {
        "NAME": "gate-camera", "MODEL": "b-alexnet", "READY": "True", "REASON": "Serving",
        "EXIT": "exit2", "ACCURACY": "0.83", "LATENCY": "18.7ms", "TARGET": "20ms",
        "ENERGY": "9.33m", "POWER": "187m", "GAP": "0.004",
    }  # fmt: skip
    wide = _table(cluster, "iapp", namespace, "-o", "wide")
    assert (wide["SOURCE"], wide["RATE"], wide["PRIORITY"]) == ("mobile-0", "20", "-5")
    assert (wide["REVISION"], wide["DRIFTED"]) == ("7c9f21ab", "False")
    assert _table(cluster, "dnn", namespace) == {
        "NAME": "b-alexnet", "ACCEPTED": "False", "INPUT": "3072", "ACCURACY": "0.86",
    }  # fmt: skip
    assert _table(cluster, "nettopo", namespace, "-o", "wide") == {
        "NAME": "campus", "ACCEPTED": "False", "REASON": "RuleOverruled",
    }  # fmt: skip
    everything = cluster.kubectl("get", "fin", "-n", namespace, "-o", "name").stdout.split()
    assert [name.split(".")[0] for name in sorted(everything)] == [
        "dnnmodel", "inferenceapp", "networktopology",
    ]  # fmt: skip


def _condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    return {
        "type": kind, "status": status, "reason": reason, "message": "because",
        "observedGeneration": 1, "lastTransitionTime": "2026-01-31T12:00:00Z",
    }  # fmt: skip


def _patch_status(
    cluster: ControlPlane, kind: str, name: str, status: dict[str, Any], namespace: str
) -> None:
    patch = json.dumps({"status": status})
    options = ("-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
    cluster.kubectl("patch", kind, name, *options)


def _table(cluster: ControlPlane, kind: str, namespace: str, *options: str) -> dict[str, str]:
    head, row = cluster.kubectl("get", kind, "-n", namespace, *options).stdout.splitlines()
    table = dict(zip(head.split(), row.split(), strict=True))
    del table["AGE"]
    return table
