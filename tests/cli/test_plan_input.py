"""Files, directories, standard input, and every kind of bad file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Fin
from tests.helpers import objects

Write = Callable[..., Path]
Small = list[dict[str, Any]]


def listed(items: list[Any], kind: str = "List", version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {}, "items": items}


class TestGoodInput:
    def test_one_object_a_file_in_a_directory(self, fin: Fin, write: Write, small: Small) -> None:
        for number, each in enumerate(small):
            path = write(f"d/{number}.{('yaml', 'yml')[number % 2]}", [each])
        write("d/notes.txt", "no: [yaml")
        write("d/.hidden.yaml", "no: [yaml")
        write("d/below/more.yaml", "no: [yaml")
        assert fin("plan", "-f", path.parent).exit_code == 0

    def test_json(self, fin: Fin, write: Write, small: Small) -> None:
        for number, each in enumerate(small):
            path = write(f"d/{number}.json", json.dumps(each))
        assert fin("plan", "-f", path.parent).exit_code == 0

    def test_several_files_with_one_flag_or_more(
        self, fin: Fin, write: Write, small: Small
    ) -> None:
        files = [write(f"{number}.yaml", [each]) for number, each in enumerate(small)]
        assert fin("plan", "-f", *files).exit_code == 0
        assert fin("plan", *(part for file in files for part in ("-f", file))).exit_code == 0

    @pytest.mark.parametrize("form", ["yaml", "json"])
    def test_standard_input(self, fin: Fin, small: Small, form: str) -> None:
        text = yaml.safe_dump_all(small) if form == "yaml" else json.dumps(listed(small), indent=2)
        assert fin("plan", "-f", "-", stdin=text).exit_code == 0

    def test_a_list_as_kubectl_prints_it(self, fin: Fin, write: Write, small: Small) -> None:
        assert fin("plan", "-f", write("a.yaml", [listed(small)])).exit_code == 0

    def test_lists_of_one_kind_whose_items_do_not_say_it(
        self, fin: Fin, write: Write, small: Small
    ) -> None:
        *others, app = small
        bare = {key: value for key, value in app.items() if key not in ("apiVersion", "kind")}
        documents = [listed(others), listed([bare], "InferenceAppList", objects.API)]
        assert fin("plan", "-f", write("a.yaml", documents)).exit_code == 0

    def test_empty_lists_and_documents_are_nothing(
        self, fin: Fin, write: Write, small: Small
    ) -> None:
        text = f"---\n---\n# nothing\n---\n{yaml.safe_dump_all([listed([]), *small])}---\n"
        assert fin("plan", "-f", write("a.yaml", text)).exit_code == 0

    def test_other_kinds_are_passed_over(self, fin: Fin, write: Write, small: Small) -> None:
        others = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}},
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": "anything"},
            {"apiVersion": "metrics.example/v1", "kind": "Node", "metadata": 7},
        ]
        result = fin("plan", "-f", write("a.yaml", [*others, *small]))
        assert (result.exit_code, result.stderr) == (0, "")

    def test_a_dump_with_all_that_the_api_server_adds(
        self, fin: Fin, write: Write, small: Small
    ) -> None:
        for each in small:
            each["metadata"] |= {
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "generation": 1,
                "resourceVersion": "42",
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            }
        small[-1]["status"] = {"conditions": [], "observedGeneration": 1, "anything": ["goes"]}
        assert fin("plan", "-f", write("a.yaml", [listed(small)])).exit_code == 0

    def test_times_without_quotes_and_the_word_on(
        self, fin: Fin, write: Write, small: Small
    ) -> None:
        text = yaml.safe_dump_all(small)
        text += (
            "---\napiVersion: finoperator.io/v1alpha1\nkind: NetworkTopology\n"
            "metadata: {name: radio, creationTimestamp: 2026-01-01T00:00:00Z}\n"
            "spec: {links: [], interfaces: [{on: {tier: mobile}, egress: 10M}]}\n"
        )
        result = fin("plan", "-f", write("a.yaml", text))
        assert (result.exit_code, result.stderr) == (0, "")

    def test_anchors_and_merges(self, fin: Fin, write: Write, small: Small) -> None:
        *others, app = small
        text = yaml.safe_dump_all(others)
        text += (
            "---\napiVersion: v1\nkind: List\nitems:\n"
            f"- &first {json.dumps(app)}\n"
            "- {<<: *first, metadata: {name: second}}\n"
        )
        result = fin("plan", "-f", write("a.yaml", text), "-o", "json")
        names = [each["name"] for each in json.loads(result.stdout)["apps"]]
        assert names == ["camera", "second"]

    def test_what_is_named_twice_is_read_once(self, fin: Fin, write: Write, small: Small) -> None:
        path = write("d/a.yaml", small)
        (path.parent / "b.yaml").symlink_to(path)
        assert fin("plan", "-f", path, "-f", path, "-f", path.parent).exit_code == 0

    def test_a_node_of_a_manifest_is_ready_and_one_of_a_dump_is_as_it_says(
        self, fin: Fin, write: Write, small: Small
    ) -> None:
        del small[0]["status"]["conditions"]
        assert fin("plan", "-f", write("a.yaml", small)).exit_code == 0
        small[0]["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
        result = fin("plan", "-f", write("b.yaml", small), "-o", "json")
        assert json.loads(result.stdout)["apps"][0]["reason"] == "SourceUnavailable"

    def test_utf_16_and_a_byte_order_mark(self, fin: Fin, write: Write, small: Small) -> None:
        text = yaml.safe_dump_all(small)
        assert fin("plan", "-f", write("a.yaml", text.encode("utf-16"))).exit_code == 0
        assert fin("plan", "-f", write("b.yaml", text.encode("utf-8-sig"))).exit_code == 0


UNREADABLE = [
    ("a.yaml", "a: [1, 2", "no YAML: line 2, column 1: "),
    ("a.yaml", "a: b: c", "no YAML: line 1, column 5: "),
    ("a.yaml", "a: 1\na: 2", "no YAML: line 2, column 1: the key 'a' is there twice"),
    ("a.yaml", "a: *nowhere", "no YAML: line 1, column 4: "),
    ("a.yaml", "a: !!python/object:os.system {}", "no YAML: line 1, column 4: "),
    ("a.yaml", "a: !!int twelve", "no YAML: "),
    ("a.yaml", "!!map text", "no YAML: "),
    ("a.yaml", "n: " + "9" * 5000, "no YAML: "),
    ("a.yaml", b"a: \xff\xfe\xfa", "no YAML: "),
    ("a.yaml", b"\x00\x01\x02", "no YAML: "),
    ("a.yaml", "[" * 100_000, "nested more than 100 deep"),
    ("a.yaml", "- " * 50_000, "nested more than 100 deep"),
    ("a.yaml", "{" * 100_000, "nested more than 100 deep"),
    ("a.json", "{", "no JSON: "),
    ("a.json", "a: 1", "no JSON: "),
    ("a.json", '{"a": NaN}', "no JSON: "),
    ("a.json", "[" * 100_000, "no JSON: "),
    ("a.yaml", "just words", "must be a Kubernetes object, with apiVersion and kind"),
    ("a.yaml", "- apiVersion: v1", "must be a Kubernetes object"),
    ("a.yaml", "kind: List\napiVersion: v1\nitems: 7", "items: must be a list of objects"),
    ("a.yaml", "kind: List\napiVersion: v1\nitems: [7]", "items[0]: must be a Kubernetes object"),
    ("a.yaml", "&a {kind: List, apiVersion: v1, items: [*a]}", "items: must be a list of objects"),
    ("a.yaml", "apiVersion: v1", "kind: must be a string"),
    ("a.yaml", "kind: Node", "apiVersion: must be a string"),
    ("a.yaml", "kind: [Node]\napiVersion: v1", "kind: must be a string"),
]


@pytest.mark.parametrize(("name", "content", "said"), UNREADABLE)
def test_what_cannot_be_read_is_named(
    fin: Fin, write: Write, small: Small, name: str, content: str | bytes, said: str
) -> None:
    bad = write(f"bad-{name}", content)
    result = fin("plan", "-f", write("good.yaml", small), "-f", bad)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {bad}")
    assert said in line
    assert len(line) < len(str(bad)) + 400


def test_files_that_are_not_there_or_give_nothing(fin: Fin, tmp_path: Path, write: Write) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere")
    names = [
        tmp_path / "missing.yaml",
        tmp_path / "dangling.yaml",
        tmp_path / ("x" * 300),
        "/proc/self/mem",
        tmp_path / "empty",
        write("void.yaml", ""),
    ]
    result = fin("plan", *names)
    assert result.exit_code == 2
    reasons = {
        name: line.removeprefix(f"error: {name}: can't be read: ")
        for name in names
        for line in result.stderr.splitlines()
        if line.startswith(f"error: {name}: ")
    }
    assert reasons.pop("/proc/self/mem")  # the kernel's words
    assert list(reasons.values()) == [
        "No such file or directory",
        "No such file or directory",
        "File name too long",
        "no file in this directory ends in .yaml, .yml, .json",
    ]
    assert len(result.stderr.splitlines()) == 5


def test_names_that_no_file_can_have(fin: Fin) -> None:
    assert "can't be read" in fin("plan", "-f", "a\0b").stderr


def test_no_app_at_all(fin: Fin, write: Write, small: Small) -> None:
    file = write("a.yaml", small[:-1])
    result = fin("plan", "-f", file)
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {file}: no InferenceApp to plan; only DNNModel, NetworkTopology, Node\n"
    )
    nothing = fin("plan", "-f", "-", stdin="")
    assert nothing.exit_code == 2
    assert nothing.stderr == "error: standard input: no InferenceApp to plan; no object at all\n"


def change(obj: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for key in parents:
        obj = obj[int(key)] if isinstance(obj, list) else obj.setdefault(key, {})
    if value is ...:
        del obj[last]
    else:
        obj[int(last) if isinstance(obj, list) else last] = value


INVALID = [
    # document (from 1), path, value, what is said behind the file
    (5, "spec.rate", 0, "InferenceApp default/camera: spec.rate: must be a quantity above 0"),
    (5, "spec.rate", ..., "InferenceApp default/camera: spec.rate: is required"),
    (5, "spec.source", {}, "InferenceApp default/camera: spec.source.nodeName: is required"),
    (5, "spec.latency.target", "fast", "InferenceApp default/camera: spec.latency.target: must be"),
    (5, "spec.minAcuracy", 1, "spec.minAcuracy: is not a field; did you mean minAccuracy?"),
    (5, "spec", ..., "InferenceApp default/camera: spec: is required"),
    (5, "spec", "all", "InferenceApp default/camera: spec: must be a mapping, not a string"),
    (5, "metadata", ..., "InferenceApp default/(no name): metadata: is required"),
    (5, "metadata.name", ..., "InferenceApp default/(no name): metadata.name: is required"),
    (5, "metadata.name", "Camera", "InferenceApp default/Camera: metadata.name: must be"),
    (5, "metadata.name", 7, "metadata.name: must be a string, not an integer"),
    (5, "metadata.namespace", "A b", "InferenceApp A b/camera: metadata.namespace: must be"),
    (5, "apiVersion", "finoperator.io/v1", "apiVersion: must be finoperator.io/v1alpha1"),
    (5, "kind", "InferenceAp", "kind: finoperator.io has no such kind; did you mean InferenceApp?"),
    (4, "spec.blocks", [], "DNNModel default/net: spec.blocks: must have at least 1 item"),
    (4, "spec.blocks.1.flops", "-1", "DNNModel default/net: spec.blocks[1].flops: must be"),
    (4, "spec.blocks.2.exit", ..., "DNNModel default/net: spec.blocks[2]"),
    (3, "spec.links.0.from", {}, "NetworkTopology default: spec.links[0].from: must have either"),
    (3, "spec.links.0.bandwidth", 0, "NetworkTopology default: spec.links[0].bandwidth: must be"),
    (1, "metadata.name", ..., "Node (no name): metadata.name: is required"),
    (1, "metadata.labels", ["a"], "Node mobile-0: metadata.labels: must be a mapping"),
    (1, "metadata.labels.x", 7, "Node mobile-0: metadata.labels.x: must be a string"),
    (1, "spec.unschedulable", "no", "Node mobile-0: spec.unschedulable: must be true or false"),
    (1, "spec.taints", [{"effect": "NoExecute"}], "Node mobile-0: spec.taints[0].key: is required"),
    (1, "status.allocatable.cpu", "lots", "Node mobile-0: status.allocatable.cpu: must be a"),
    (1, "status.allocatable", 4, "Node mobile-0: status.allocatable: must be a mapping"),
    (1, "status.conditions.0", "Ready", "Node mobile-0: status.conditions[0]: must be a mapping"),
    (6, "metadata.name", ..., "Pod default/(no name): metadata.name: is required"),
    (6, "spec.containers", ..., "Pod default/busy: spec.containers: is required"),
    (6, "spec.containers.0.resources.requests.cpu", "-1", "resources.requests.cpu: must be a quan"),
    (6, "spec.containers.0", 1, "Pod default/busy: spec.containers[0]: must be a mapping"),
    (6, "spec.overhead", {"cpu": []}, "Pod default/busy: spec.overhead.cpu: must be a quantity"),
    (6, "spec.nodeName", 4, "Pod default/busy: spec.nodeName: must be a string, not an integer"),
]


@pytest.mark.parametrize(("document", "path", "value", "said"), INVALID)
def test_an_invalid_object_is_named_by_file_object_field_and_reason(
    fin: Fin, write: Write, small: Small, document: int, path: str, value: Any, said: str
) -> None:
    small.append(objects.pod("busy", "edge-0", objects.container(cpu="100m")))
    change(small[document - 1], path, value)
    file = write("a.yaml", small)
    result = fin("plan", "-f", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {file}, document {document}: ")
    assert said in line


def test_everything_that_is_wrong_is_told_at_once(fin: Fin, write: Write, small: Small) -> None:
    change(small[4], "spec.rate", 0)
    change(small[4], "spec.minAccuracy", 2)
    change(small[3], "spec.blocks.0.memory", "big")
    change(small[0], "status.allocatable.cpu", "lots")
    broken = write("broken.yaml", "a: [")
    result = fin("plan", write("a.yaml", small), broken, "missing.yaml")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 6


def test_an_object_that_is_there_twice_names_both_places(
    fin: Fin, write: Write, small: Small
) -> None:
    first = write("first.yaml", small)
    same = objects.app()
    del same["metadata"]["namespace"]  # which is then `default`
    second = write("second.yaml", [objects.node("edge-7"), same])
    result = fin("plan", "-f", first, "-f", second)
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {second}, document 2: InferenceApp default/camera: metadata.name: "
        f"the same object is in {first}, document 5 too: keep one of them\n"
    )


def test_a_place_in_a_list_is_named(fin: Fin, write: Write, small: Small) -> None:
    change(small[4], "spec.rate", 0)
    file = write("a.json", json.dumps(listed(small)))
    result = fin("plan", "-f", file)
    assert result.stderr.startswith(f"error: {file}, items[4]: InferenceApp default/camera: ")


def test_standard_input_is_named(fin: Fin, small: Small) -> None:
    change(small[4], "spec.rate", 0)
    result = fin("plan", "-f", "-", stdin=yaml.safe_dump_all(small))
    assert result.stderr.startswith("error: standard input, document 5: InferenceApp")
