"""The CustomResourceDefinition of a kind."""

from typing import Any

from fin.api.base import rules
from fin.api.names import API_VERSION, CATEGORY, GROUP, VERSION
from fin.api.resource import Column, Resource
from fin.api.schema import JsonSchema, structural


def custom_resource_definition(resource: type[Resource]) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    singular = resource.KIND.lower()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if resource.NAMESPACED else "Cluster",
            "names": {
                "kind": resource.KIND,
                "listKind": f"{resource.KIND}List",
                "plural": resource.PLURAL,
                "singular": singular,
                "shortNames": [resource.SHORT_NAME],
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in resource.COLUMNS],
                    "schema": {"openAPIV3Schema": _schema(resource)},
                }
            ],
        },
    }


def _schema(resource: type[Resource]) -> JsonSchema:
    spec = structural(resource)["properties"]["spec"]
    root = {
        "type": "object",
        "description": (resource.__doc__ or "").split("\n\n")[0],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"The API's version: {API_VERSION}."},
            "kind": {"type": "string", "description": f"The kind: {resource.KIND}."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": _without_rules(structural(resource.STATUS)),
        },
    }
    return root | rules(*resource.ROOT_RULES) if resource.ROOT_RULES else root


def _without_rules(schema: JsonSchema) -> JsonSchema:
    """Leave out the CEL rules: only the operator writes a status, and rules have a cost budget."""
    kept = {key: value for key, value in schema.items() if key != "x-kubernetes-validations"}
    for key in ("items", "additionalProperties"):
        if key in kept:
            kept[key] = _without_rules(kept[key])
    if "properties" in kept:
        kept["properties"] = {
            name: _without_rules(inner) for name, inner in kept["properties"].items()
        }
    return kept


def _column(column: Column) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.path,
        "description": column.description,
    }
    return written | {"priority": 1} if column.wide else written
