"""Writes the chart's README from Chart.yaml and values.yaml: `python -m helm.chart_readme`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "fin-operator"
README = CHART / "README.md"

_TEMPLATE = """\
# {name}

{description}

Chart {version}, operator {app_version}, Kubernetes {kube_version}.
This file is generated from `values.yaml`; change that, then run `make chart-readme`.

```
helm install fin-operator helm/fin-operator --namespace fin-system --create-namespace
helm upgrade fin-operator helm/fin-operator --namespace fin-system --reset-then-reuse-values
helm uninstall fin-operator --namespace fin-system
```

What an upgrade and an uninstall mean for running apps, and what the operator may do, is in
[docs/operations.md](../../docs/operations.md).

## Values

| Value | Default | What it is |
|---|---|---|
{rows}
"""


@dataclass(frozen=True)
class Value:
    """A value of the chart: its dotted path, its default and the comment above it."""

    path: str
    default: Any
    description: str


class UndocumentedValueError(Exception):
    """A value has no comment that describes it."""


def read_values(text: str) -> list[Value]:
    """Read the values that a chart documents, in their order.

    A mapping with a comment of its own is one value; one without is a group, and each value in
    it needs a comment.

    Raises
    ------
    UndocumentedValueError
        A value has no comment that begins with two dashes.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return list(_read_mapping(root, text.splitlines(), prefix=""))


def render(chart: dict[str, Any], values: Sequence[Value]) -> str:
    """Render the README of a chart."""
    rows = (
        f"| `{value.path}` | `{json.dumps(value.default)}` | {value.description} |"
        for value in values
    )
    return _TEMPLATE.format(
        name=chart["name"],
        description=chart["description"],
        version=chart["version"],
        app_version=chart["appVersion"],
        kube_version=chart["kubeVersion"].removesuffix("-0"),
        rows="\n".join(rows),
    )


def generate() -> str:
    """Generate the README of this project's chart."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    return render(chart, read_values((CHART / "values.yaml").read_text(encoding="utf-8")))


def _read_mapping(node: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[Value]:
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        description = _comment_above(lines, key.start_mark.line)
        if description:
            yield Value(path, yaml.safe_load(yaml.serialize(value)), description)
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _read_mapping(value, lines, prefix=f"{path}.")
        else:
            raise UndocumentedValueError(f"values.yaml: {path} needs a comment: # -- what it is")


def _comment_above(lines: list[str], number: int) -> str:
    """Return the text of the comment that begins with two dashes and ends above a line."""
    texts: list[str] = []
    for line in reversed(lines[:number]):
        comment = line.strip()
        if not comment.startswith("#"):
            return ""
        if comment.startswith("# -- "):
            return " ".join([comment.removeprefix("# -- "), *reversed(texts)])
        texts.append(comment.removeprefix("#").strip())
    return ""


if __name__ == "__main__":
    README.write_text(generate(), encoding="utf-8")
