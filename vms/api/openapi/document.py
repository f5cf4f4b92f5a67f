"""The document as a whole, as tools and the readable page take it."""

from collections.abc import Iterator
from typing import Any, Final

from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import Field, Schema, object_of
from vms.api.mapping.root import FIELDS as ROOT
from vms.api.mapping.root import VERSION

from .operations import Routes, entity_of, parameters, paths, refusals
from .schemas import FAULT, LINK, WORD, merged, of_collection, of_entity, of_fields, reference, with_attributes

INTRODUCTION: Final = (
    "Version 4 of oVirt's API: XML by default, JSON when Accept asks for application/json. In JSON, switches and "
    "small numbers are texts, sizes and times are numbers, and a collection is a list in an object. A machine without "
    "a graphical console has no display element."
)
_TOKEN: Final = "/ovirt-engine/sso/oauth/token"  # noqa: S105


def describe(routes: Routes) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    return {
        "openapi": "3.0.3",
        "info": {"title": "Headless WebAdmin", "version": ".".join(map(str, VERSION)), "description": INTRODUCTION},
        "servers": [{"url": "/ovirt-engine/api"}],
        "security": [{"token": ["ovirt-app-api"]}, {"password": []}],
        "tags": [{"name": name} for name in sorted({path.partition("/")[0] or "api" for path, _view in routes})],
        "paths": paths(routes),
        "components": {
            "parameters": parameters(),
            "responses": refusals(),
            "schemas": with_attributes(_schemas(routes)),
            "securitySchemes": _SECURITY,
        },
    }


_SECURITY: Final = {
    "token": {
        "type": "oauth2",
        "flows": {"password": {"tokenUrl": _TOKEN, "scopes": {"ovirt-app-api": "everything that the person may do"}}},
    },
    "password": {"type": "http", "scheme": "basic"},
}


def _schemas(routes: Routes) -> dict[str, Schema]:
    schemas: dict[str, Schema] = {"api": _root(), "fault": FAULT, "action": _action(routes)}
    seen: set[int] = set()
    for entity in _entities(routes):
        if id(entity) in seen:
            continue
        seen.add(id(entity))
        for name, schema in ((entity.name, of_entity(entity)), (entity.plural, of_collection(entity))):
            schemas[name] = merged(schemas[name], schema) if name in schemas else schema
    return {name: {**schema, "xml": {"name": name}} for name, schema in sorted(schemas.items())}


def _entities(routes: Routes) -> Iterator[Entity]:
    for _path, view in routes:
        if (entity := entity_of(view)) is not None:
            yield from _with_links(entity)


def _with_links(entity: Entity) -> Iterator[Entity]:
    yield entity
    for link in entity.links:
        yield from _with_links(link.entity)


def _root() -> Schema:
    named = object_of(href=WORD, id=WORD)
    counted = object_of(active=WORD, total=WORD)
    return merged(
        of_fields(ROOT),
        object_of(
            special_objects=object_of(blank_template=named, root_tag=named),
            authenticated_user=named,
            effective_user=named,
            summary={"type": "object", "additionalProperties": counted},
            link={"type": "array", "items": LINK},
        ),
    )


def _action(routes: Routes) -> Schema:
    """oVirt has one type for whatever actions take and give."""
    told = object_of(
        href=WORD,
        id=WORD,
        status={"type": "string", "enum": ["complete", "pending", "in_progress", "failed"]},
        job=object_of(href=WORD, id=WORD),
        fault=reference("fault"),
        vm={"type": "object"},
    )
    taken: list[Field] = []
    for _path, view in routes:
        if view.cls.acts:
            taken += (*view.cls.takes, *view.cls.gives)
    schema = merged(told, of_fields(taken))
    for each in schema["properties"].values():
        for mark in ("readOnly", "writeOnly"):
            each.pop(mark, None)
    return schema
