import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fin.api import RESOURCES, Resource, crd
from fin.api.definition import custom_resource_definition

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("path", crd.files(), ids=str)
def test_committed_files_are_fresh(path: Path) -> None:
    assert (REPOSITORY / path).read_text() == crd.files()[path], "run `make crds`"


def test_the_chart_has_the_same_crds() -> None:
    ours = {path.name: path.read_text() for path in (REPOSITORY / "crds").iterdir()}
    chart = REPOSITORY / "helm/fin-operator/files/crds"
    assert ours == {path.name: path.read_text() for path in chart.iterdir()}
    assert len(ours) == len(RESOURCES)


def test_stale_files_fail_the_check(tmp_path: Path) -> None:
    generator = (
        "import sys, pathlib, fin.api.crd as crd; crd.ROOT = pathlib.Path(sys.argv.pop(1)); "
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", f"{generator} crd.main()", str(tmp_path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    missing = run("--check")
    assert missing.returncode == 1
    assert "run `make crds`: crds/dnnmodels.yaml" in missing.stderr
    assert run().returncode == 0
    assert run("--check").returncode == 0
    (tmp_path / "crds/networktopologies.yaml").write_text("")
    assert run("--check").stderr.endswith(": crds/networktopologies.yaml\n")


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


ALL_NODES = [
    pytest.param(path, schema, id=f"{resource.KIND}{path}")
    for resource in RESOURCES
    for path, schema in nodes(
        custom_resource_definition(resource)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    )
    if path != ".metadata"
]


@pytest.mark.parametrize(("path", "schema"), ALL_NODES)
def test_schemas_are_structural_bounded_and_described(path: str, schema: dict[str, Any]) -> None:
    assert not schema.keys() & {"$ref", "anyOf", "oneOf", "allOf", "title", "nullable"}
    assert ("type" in schema) != ("x-kubernetes-int-or-string" in schema)
    if schema.get("type") == "array":
        assert schema["maxItems"] <= 10_000
    if schema.get("type") == "string" and "enum" not in schema and path.count(".") > 1:
        assert schema["maxLength"] <= 32768
    if not path.endswith("[]"):
        assert re.fullmatch(r"[A-Z].*\.", schema["description"], re.DOTALL)
    for rule in schema.get("x-kubernetes-validations", ()):
        assert rule["message"]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: str(resource.KIND))
def test_every_rule_stands_in_the_reference_or_in_the_table(resource: type[Resource]) -> None:
    text = crd.files()[Path("docs/reference/resources.md")]
    definition = custom_resource_definition(resource)
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, node in nodes(schema):
        if path.startswith((".spec", ".status")):
            assert f"| `{path.removeprefix('.').removesuffix('[]')}" in text
        if "properties" in node or "items" in node:
            for rule in node.get("x-kubernetes-validations", ()):
                assert rule["message"] in text


def test_crds_survive_json() -> None:
    for path in (REPOSITORY / "crds").iterdir():
        document = yaml.safe_load(path.read_text())
        assert json.loads(json.dumps(document)) == document
