"""Collections and single entities: one view for all types, made special by a resource."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from rest_framework.response import Response

from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.api.document import Document
from vms.api.mapping.fields import Draft, Entity
from vms.api.mapping.hardware import shown_console
from vms.api.search import Language, search
from vms.models import Hardware, User

from .base import Door, done


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a type brings: its table, the rows that somebody may see, the search language, and how one is made.

    `refer` replaces what a body names by id or name with rows, for an edit.
    """

    entity: Entity
    rows: Callable[[User], QuerySet[Any]]
    language: Language
    create: Callable[[Door, Draft], Any] | None = None
    refer: Callable[[Door, Draft, Any], None] | None = None


class Reading(Door):
    """A collection that is only read."""

    resource: Resource = None  # type: ignore[assignment]

    def get(self, request: Any) -> Response:
        """The rows that the search finds."""
        entity, most = self.resource.entity, self.number("max")
        exact_case = self.flag("case_sensitive", default=True)
        rows = self.resource.rows(self.user)
        found = search(rows, self.resource.language, self.text("search"), exact_case=exact_case, most=most)
        return Response(Document(entity.plural, entity.tell_all(found, self.telling)))


class Collection(Reading):
    """A collection that takes new entities."""

    def post(self, request: Any) -> Response:
        """Make one."""
        resource = self.resource
        assert resource.create is not None
        made = resource.create(self, self.draft(resource.entity.name, resource.entity.fields))
        row = self.row(resource.rows(self.user), str(made.pk))
        told = Document(resource.entity.name, resource.entity.tell(row, self.telling))
        return Response(told, 201, headers={"Location": resource.entity.address(row.pk, self.telling)})


class ReadingOne(Door):
    """An entity that is only read."""

    resource: Resource = None  # type: ignore[assignment]

    def get(self, request: Any, key: str) -> Response:
        """The entity as it is."""
        return self.tell(self.found(key))

    def found(self, key: str) -> Any:
        return self.row(self.resource.rows(self.user), key)

    def tell(self, row: Any) -> Response:
        entity = self.resource.entity
        return Response(Document(entity.name, entity.tell(row, self.telling)))


class One(ReadingOne):
    """An entity that can be changed and removed."""

    def put(self, request: Any, key: str) -> Response:
        """Change what the body names; everything else stays."""
        row: Hardware = self.found(key)
        entity = self.resource.entity
        draft = self.draft(entity.name, entity.fields)
        if self.resource.refer:
            self.resource.refer(self, draft, row)
        edit(row, draft.changes(shown_console(row, self.telling)), by=self.user)
        return self.tell(self.found(key))

    def delete(self, request: Any, key: str) -> Response:
        """Remove it."""
        remove(self.found(key), by=self.user)
        return done()
