"""Types as OpenAPI's schemas, made of the same tables that read and write them."""

from collections.abc import Iterable
from typing import Any, Final

from vms.api.document import ATTRIBUTES
from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import Field, Schema, list_of, object_of, untold

WORD: Final[Schema] = {"type": "string"}
LINK: Final[Schema] = object_of(href=WORD, rel=WORD)
FAULT: Final[Schema] = object_of(
    reason={"type": "string", "description": "oVirt's word for the kind of refusal"},
    detail={"type": "string", "description": "a sentence for people, in square brackets"},
)
_AT: Final = "#/components/schemas/"


def reference(name: str) -> Schema:
    """The schema of that name."""
    return {"$ref": f"{_AT}{name}"}


def of_fields(fields: Iterable[Field]) -> Schema:
    """An element with these fields, each at its path; what is only told or only read says so."""
    schema: Schema = {"type": "object", "properties": {}}
    for field in fields:
        leaf = dict(field.type.schema())
        if not field.to:
            leaf["readOnly"] = True
        elif field.told is untold:
            leaf["writeOnly"] = True
        _put(schema, field.path, leaf)
    return schema


def of_entity(entity: Entity) -> Schema:
    """A type with its address, its links and what can be done with it."""
    schema = of_fields(entity.fields)
    properties = schema["properties"]
    for link in entity.links:
        followed = {
            "allOf": [reference(link.entity.plural)],
            "readOnly": True,
            "description": f"whole with follow={link.rel}",
        }
        there = properties.get(link.element)
        if there is None:
            properties[link.element] = followed
        else:  # a list that clients may say, too
            there.pop("writeOnly", None)
    identity = {"href": {**WORD, "readOnly": True}, "id": dict(WORD)}
    links: Schema = {"link": {"type": "array", "items": LINK, "readOnly": True}} if entity.links else {}
    acts: Schema = {"actions": {**list_of("link", LINK), "readOnly": True}} if entity.actions else {}
    return {"type": "object", "properties": {**identity, **properties, **links, **acts}}


def of_collection(entity: Entity) -> Schema:
    """All of a type, or all of it that hangs on one thing; with `follow` it has its own address."""
    listed = list_of(entity.name, reference(entity.name))
    listed["properties"]["href"] = {**WORD, "readOnly": True}
    return listed


def merged(first: Schema, second: Schema) -> Schema:
    """A type that is told in several places, each time of another owner, with the members of all of them."""
    both = {**second, **first}
    for inside in ("properties",):
        mine, theirs = first.get(inside, {}), second.get(inside, {})
        if mine or theirs:
            both[inside] = {
                name: merged(mine[name], theirs[name]) if name in mine and name in theirs else {**theirs, **mine}[name]
                for name in [*mine, *(name for name in theirs if name not in mine)]
            }
    for mark in ("readOnly", "writeOnly"):  # what one of them may say, or tells, is no longer only the other
        if mark in both and not (first.get(mark) and second.get(mark)):
            del both[mark]
    return both


def with_attributes(schema: Any) -> Any:
    """The schema, with what XML writes as attributes marked so."""
    if isinstance(schema, list):
        return [with_attributes(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    marked = {key: with_attributes(value) for key, value in schema.items()}
    properties = marked.get("properties")
    if isinstance(properties, dict):
        for name in ATTRIBUTES & properties.keys():
            properties[name] = {**properties[name], "xml": {"attribute": True}}
    return marked


def _put(schema: Schema, path: str, leaf: Schema) -> None:
    *outer, name = path.split("/")
    for step in outer:
        schema = schema.setdefault("properties", {}).setdefault(step, {"type": "object"})
        if not leaf.get("readOnly"):
            schema.pop("readOnly", None)
    here = schema.setdefault("properties", {})
    if name in here:  # a part of what its element tells as a whole
        leaf.pop("writeOnly", None)
    here[name] = leaf
