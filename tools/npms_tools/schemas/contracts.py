"""The JSON Schema of every contract, and a payload of each."""

from typing import Any

from npms_shared.contracts import catalogue
from npms_shared.contracts.base import Event

CONTRACTS: dict[str, type[Event]] = {
    contract.event_type(): contract for contract in (*catalogue.EVENTS, *catalogue.BATCHES)
}
"""Event type → contract."""

Schema = dict[str, Any]

_OF_FORMAT = {
    "date-time": "2026-01-31T06:30:00Z",
    "uuid": "01938f6e-7b52-7c1a-9d3e-0242ac120002",
}
_OF_TYPE: dict[str, Any] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
}


def schema_of(contract: type[Event]) -> Schema:
    """As readers validate it: what has a default may be absent."""
    return {"$id": contract.event_type(), **contract.model_json_schema(mode="validation")}


def sample_of(schema: Schema) -> Any:
    """A value that the schema allows, with every property it names."""
    return _sample(schema, schema.get("$defs", {}))


def _sample(schema: Schema, definitions: Schema) -> Any:
    if "$ref" in schema:
        return _sample(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], definitions)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema["type"] == "object":
        properties = schema.get("properties", {})
        return {name: _sample(inner, definitions) for name, inner in properties.items()}
    if schema["type"] == "array":
        places = schema.get("prefixItems") or [schema["items"]]
        return [_sample(inner, definitions) for inner in places]
    return _OF_FORMAT.get(schema.get("format", ""), _OF_TYPE[schema["type"]])
