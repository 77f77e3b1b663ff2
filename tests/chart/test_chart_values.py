"""values.yaml, its schema, the README made from it, and the chart's copies of the CRDs."""

import json
from typing import Any

import pytest
import yaml

from fin.api import crd
from helm import chart_readme
from testbed import ControlPlane
from tests.helpers.chart import CHART, Values, template

REFUSED: dict[str, tuple[Values, str]] = {
    "unknown value": ({"replicas": 2}, "additional properties 'replicas' not allowed"),
    "unknown value in a group": ({"crds": {"kept": True}}, "'/crds': additional properties"),
    "string for a switch": ({"crds": {"keep": "no"}}, "'/crds/keep': got string, want boolean"),
    "word of no list": ({"logFormat": "xml"}, "'/logFormat': value must be one of 'text', 'json'"),
    "pull policy": ({"image": {"pullPolicy": "Sometimes"}}, "'/image/pullPolicy': value must be"),
    "tag in the repository's digest": (
        {"image": {"repository": "fin@sha256:00"}},
        "'/image/repository': 'fin@sha256:00' does not match pattern",
    ),
    "short digest": ({"image": {"digest": "sha256:00"}}, "'/image/digest': 'sha256:00' does not"),
    "number for a tag": ({"image": {"tag": 1.0}}, "'/image/tag': got number, want string"),
    "negative slots": ({"planner": {"gamma": -1}}, "'/planner/gamma': minimum: got -1, want 0"),
    "half a slot": ({"planner": {"gamma": 1.5}}, "'/planner/gamma': got number, want integer"),
    "no tolerance": ({"planner": {"tolerance": 0}}, "'/planner/tolerance': exclusiveMinimum"),
    "overload": ({"planner": {"utilisation": 1.1}}, "'/planner/utilisation': maximum: got 1.1"),
    "overload in a string": (
        {"planner": {"utilisation": "1.1"}},
        "'/planner/utilisation': '1.1' does not match pattern",
    ),
    "negative saving": ({"planner": {"minSaving": -0.1}}, "'/planner/minSaving': minimum"),
    "number for a duration": ({"moves": {"drain": 5}}, "'/moves/drain': got number, want string"),
    "duration without unit": ({"moves": {"drain": "5"}}, "'/moves/drain': '5' does not match"),
    "duration in days": ({"moves": {"readyTimeout": "1d"}}, "'/moves/readyTimeout': '1d' does"),
    "period without unit": ({"observing": {"every": "9"}}, "'/observing/every': '9' does not"),
    "port of root": ({"metrics": {"port": 80}}, "'/metrics/port': minimum: got 80, want 1,024"),
    "no port": ({"metrics": {"port": 70000}}, "'/metrics/port': maximum: got 70,000"),
    "upper-case name": ({"fullnameOverride": "FIN"}, "'/fullnameOverride': 'FIN' does not match"),
    "long name": ({"fullnameOverride": "f" * 54}, "'/fullnameOverride': maxLength: got 54"),
    "pull secret without a name": ({"imagePullSecrets": [{}]}, "missing property 'name'"),
    "pull secret as a string": ({"imagePullSecrets": ["a"]}, "'/imagePullSecrets/0': got string"),
    "number for a label": ({"podLabels": {"a": 1}}, "'/podLabels/a': got number, want string"),
    "unknown resources": ({"resources": {"request": {}}}, "'/resources': additional properties"),
    "nameless variable": ({"extraEnv": [{"value": "x"}]}, "'/extraEnv/0': missing property 'name'"),
    "tolerations as a mapping": ({"tolerations": {}}, "'/tolerations': got object, want array"),
    "empty interval": ({"serviceMonitor": {"interval": ""}}, "'/serviceMonitor/interval'"),
}


@pytest.mark.cluster
@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_a_bad_value_is_named(chart_cluster: ControlPlane, values: Values, message: str) -> None:
    result = template(chart_cluster, values, check=False)
    assert result.returncode == 1
    assert message in result.stderr


@pytest.mark.cluster
@pytest.mark.parametrize("value", ["0.01", "1e-4", ".5", "1", "1.0"])
def test_fractions_may_come_from_the_command_line(chart_cluster: ControlPlane, value: str) -> None:
    # helm --set takes 0.01 for a string
    result = template(chart_cluster, {"planner": {"tolerance": value}})
    assert f"--tolerance={value}\n" in result.stdout


def test_schema_and_values_have_the_same_names() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    documented = {value.path for value in chart_readme.read_values(_values_text())}
    assert set(_paths(schema, "", stop=documented)) - {"global"} == documented
    assert documented == set(_default_paths(defaults, "", stop=documented))


def _values_text() -> str:
    return (CHART / "values.yaml").read_text(encoding="utf-8")


def _paths(schema: dict[str, Any], prefix: str, stop: set[str]) -> list[str]:
    """List the leaves of a schema's tree, and refuse an object that is open by oversight."""
    paths = []
    for name, inner in schema["properties"].items():
        path = f"{prefix}{name}"
        if path in stop or "properties" not in inner:
            paths.append(path)
        else:
            assert inner["additionalProperties"] is False, path
            paths += _paths(inner, f"{path}.", stop)
    assert schema["additionalProperties"] is False, prefix
    return paths


def _default_paths(values: dict[str, Any], prefix: str, stop: set[str]) -> list[str]:
    paths = []
    for name, inner in values.items():
        path = f"{prefix}{name}"
        leaf = path in stop or not isinstance(inner, dict)
        paths += [path] if leaf else _default_paths(inner, f"{path}.", stop)
    return paths


def test_readme_is_fresh() -> None:
    fresh = chart_readme.generate()
    assert chart_readme.README.read_text(encoding="utf-8") == fresh, "run make chart-readme"


@pytest.mark.parametrize("text", ["a: 1\n", "# about a\na: 1\n", "a:\n  # -- it\n  b: 1\n  c: 2\n"])
def test_a_value_without_description_is_refused(text: str) -> None:
    with pytest.raises(chart_readme.UndocumentedValueError, match=r"(a|a\.c) needs a comment"):
        chart_readme.read_values(text)


def test_a_description_may_run_over_lines() -> None:
    (value,) = chart_readme.read_values("# -- How long\n# it lasts.\na:\n  b: 5\n")
    assert value == chart_readme.Value("a", {"b": 5}, "How long it lasts.")


@pytest.mark.cluster
def test_rendered_crds_are_the_generated_ones(chart_cluster: ControlPlane) -> None:
    rendered = {
        document["metadata"]["name"]: document
        for document in yaml.safe_load_all(template(chart_cluster, {}).stdout)
        if document and document["kind"] == "CustomResourceDefinition"
    }
    generated = [yaml.safe_load(text) for text in _generated().values()]
    assert len(generated) == 3
    assert rendered.keys() == {one["metadata"]["name"] for one in generated}
    for one in generated:
        document = rendered[one["metadata"]["name"]]
        assert document["spec"] == one["spec"]
        assert document["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_chart_has_no_stale_crd() -> None:
    folder = CHART / "files" / "crds"
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert found == _generated(), "run make crds"


def _generated() -> dict[str, str]:
    return {path.name: text for path, text in crd.files().items() if "helm" in path.parts}
