"""What may not change within a version of a contract."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_SHAPE = ("type", "format", "const", "minItems", "maxItems")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What was removed, retyped, narrowed or newly required, each with its place; empty is good."""
    return list(_Comparison(old.get("$defs", {}), new.get("$defs", {})).changes(old, new, ""))


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_definitions: Schema
    new_definitions: Schema

    def changes(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        old, new = _resolve(old, self.old_definitions), _resolve(new, self.new_definitions)
        if _shape(old) != _shape(new):
            yield f"{place or '/'}: was {_shape(old)}, is {_shape(new)}"
            return
        for value in old.get("enum", []):
            if "enum" in new and value not in new["enum"]:
                yield f"{place or '/'}: {value!r} is no longer allowed"
        yield from self._properties(old, new, place)
        for inner_old, inner_new, name in _parts(old, new):
            yield from self.changes(inner_old, inner_new, f"{place}/{name}")

    def _properties(self, old: Schema, new: Schema, place: str) -> Iterator[str]:
        had, has = old.get("properties", {}), new.get("properties", {})
        for name in had:
            if name not in has:
                yield f"{place}/{name}: removed"
            else:
                yield from self.changes(had[name], has[name], f"{place}/{name}")
        for name in new.get("required", []):
            if name not in old.get("required", []):
                yield f"{place}/{name}: newly required"


def _resolve(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def _shape(schema: Schema) -> Schema:
    shape = {key: schema[key] for key in _SHAPE if key in schema}
    return shape | {key: len(schema[key]) for key in ("anyOf", "prefixItems") if key in schema}


def _parts(old: Schema, new: Schema) -> Iterator[tuple[Schema, Schema, str]]:
    """The schemas inside, in pairs: items of a list, places of a tuple, alternatives."""
    if "items" in old and "items" in new:
        yield old["items"], new["items"], "*"
    for key in ("prefixItems", "anyOf"):
        for number, pair in enumerate(zip(old.get(key, []), new.get(key, []), strict=True)):
            yield *pair, f"{key}/{number}"
