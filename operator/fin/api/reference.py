"""The reference of the resources for the docs."""

import json
from collections.abc import Iterator
from typing import Final

from fin.api import RESOURCES, Duration, Quantity, duration
from fin.api.definition import custom_resource_definition
from fin.api.names import API_VERSION, CATEGORY
from fin.api.resource import Resource
from fin.api.schema import JsonSchema

_NOTES: Final = (Quantity.SCHEMA["x-note"], Duration.SCHEMA["x-note"])
_HEADER: Final = f"""\
<!-- Generated from the models in operator/fin/api by `make crds`: change those. -->

# Resources

API version `{API_VERSION}`, category `{CATEGORY}`: `kubectl get {CATEGORY}` lists all three kinds.
`kubectl explain KIND.spec` shows the same descriptions.

A quantity is an integer or a quoted string of at most 32 characters in the syntax of Kubernetes
(`9.4M`, `64Ki`, `50n`, `"0.5"`, `"5e-11"`), finite and not negative. A duration is numbers with
units (`20ms`, `1.5s`, `1m30s`). A ratio is a number from 0 to 1.
"""


def reference() -> str:
    """Return the reference in Markdown: for each kind a table of its fields, and its rules."""
    return _HEADER + "".join(_kind(resource) for resource in RESOURCES)


def _kind(resource: type[Resource]) -> str:
    version = custom_resource_definition(resource)["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    scope = "Namespaced" if resource.NAMESPACED else "Cluster-scoped"
    rows = [
        row
        for part in ("spec", "status")
        for row in _rows(part, schema["properties"][part], required=part == "spec")
    ]
    rules = dict.fromkeys(_messages("", schema))
    return "\n".join(
        [
            f"\n## {resource.KIND}\n",
            f"{schema['description']} {scope}; short name `{resource.SHORT_NAME}`.\n",
            "| field | type | default | meaning |",
            "|---|---|---|---|",
            *rows,
            *(["", "Refused, besides what the table says:\n", *rules] if rules else []),
            "",
        ]
    )


def _rows(path: str, schema: JsonSchema, required: bool) -> Iterator[str]:
    default = "required" if required else _code(schema.get("default"))
    # The table has a column for the type, so the descriptions need no note of it.
    meaning = schema["description"].removesuffix(_NOTES[0]).removesuffix(_NOTES[1])
    yield f"| `{path}` | {_type(schema)} | {default} | {meaning.strip()} |"
    suffix = ""
    while "items" in schema:
        schema, suffix = schema["items"], suffix + "[]"
    for name, inner in schema.get("properties", {}).items():
        yield from _rows(f"{path}{suffix}.{name}", inner, name in schema.get("required", ()))


def _code(default: object) -> str:
    return "" if default in (None, {}) else f"`{json.dumps(default)}`".replace('"', "")


def _type(schema: JsonSchema) -> str:
    if "x-kubernetes-int-or-string" in schema:
        return "quantity"
    if schema.get("pattern") == duration.PATTERN:
        return "duration"
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    if "items" in schema:
        fewest, most = schema.get("minItems", 0), schema["maxItems"]
        return f"list, {fewest} to {most:,}"
    if schema["type"] == "object":
        return "map" if "additionalProperties" in schema else "object"
    if "maximum" in schema:
        kind = "ratio" if schema["type"] == "number" else schema["type"]
        return kind if kind == "ratio" else f"{kind}, {schema['minimum']} to {schema['maximum']}"
    if "maxLength" in schema and "format" not in schema:
        return f"string, at most {schema['maxLength']:,}"
    return "time" if "format" in schema else str(schema["type"])


def _messages(path: str, schema: JsonSchema) -> Iterator[str]:
    """Find the rules that tie several fields together, as list items."""
    if "properties" in schema or "items" in schema:
        for rule in schema.get("x-kubernetes-validations", ()):
            yield f"- {f'`{path}`: ' if path else ''}{rule['message']}"
    for name, child in schema.get("properties", {}).items():
        yield from _messages(f"{path}.{name}" if path else name, child)
    if "items" in schema:
        yield from _messages(f"{path}[]", schema["items"])
