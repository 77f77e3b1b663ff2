"""Structural schemas, as CRDs want them, from the models."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from fin.api.exact import Exact

JsonSchema = dict[str, Any]


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, but null is a field left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, Exact):
            return int(dft.text) if dft.text.isdecimal() else dft.text
        if isinstance(dft, float) and dft.is_integer():
            return int(dft)
        return super().encode_default(dft)

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        return {"type": "string", "enum": schema["expected"]}

    def datetime_schema(self, _schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time", "maxLength": 64}


def structural(model: type[BaseModel]) -> JsonSchema:
    """Return the structural schema of a model: no ``$ref``, no ``anyOf``, no null."""
    schema = model.model_json_schema(schema_generator=_Generator, mode="validation")
    return _inlined(schema, schema.get("$defs", {}))


def _inlined(schema: JsonSchema, definitions: dict[str, JsonSchema]) -> JsonSchema:
    """Replace each reference by what it stands for, with the description of the referring field."""
    inlined = dict(schema)
    if reference := inlined.pop("$ref", None):
        inlined = definitions[reference.rsplit("/", 1)[1]] | inlined
    for key in ("$defs", "title"):
        inlined.pop(key, None)
    if note := inlined.pop("x-note", None):
        inlined["description"] = f"{inlined['description']} {note}"
    # The API server prunes unknown fields, and an empty list says no more than none.
    if inlined.get("additionalProperties") is False:
        del inlined["additionalProperties"]
    if inlined.get("default", ()) in (None, []):
        del inlined["default"]
    for key in ("items", "additionalProperties"):
        if key in inlined:
            inlined[key] = _inlined(inlined[key], definitions)
    if "properties" in inlined:
        inlined["properties"] = {
            name: _inlined(inner, definitions) for name, inner in inlined["properties"].items()
        }
    return inlined
