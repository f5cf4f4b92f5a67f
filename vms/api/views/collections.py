"""Collections and single entities: one view for all types, made special by a resource."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework.response import Response

from vms.api import streaming
from vms.api.document import Document
from vms.api.faults import Fault, of_refusal
from vms.api.languages import LANGUAGES
from vms.api.mapping.draft import Draft
from vms.api.mapping.entity import Entity
from vms.api.mapping.follow import tell_all, tell_one
from vms.api.search import search
from vms.api.writing import written
from vms.domain.errors import Refusal
from vms.models import User
from vms.search.language import Language

from .base import Door, done

EDITED_MEANWHILE: Final = "ACTION_TYPE_FAILED_EDITED_MEANWHILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a type brings: its tables, the search language, and how one is made, changed and removed.

    None of a verb means that there is no such method.
    """

    entity: Entity
    language: Language | None = None
    create: Callable[[Door, Draft], Any] | None = None
    edit: Callable[[Door, Draft, Any], None] | None = None
    remove: Callable[[Door, Any], None] | None = None

    def rows(self, user: User) -> QuerySet[Any]:
        """The rows that somebody may see."""
        assert self.entity.rows is not None
        return self.entity.rows(user)


class Reading(Door):
    """A collection that is only read."""

    resource: Resource = None  # type: ignore[assignment]

    def get(self, request: Any) -> HttpResponseBase:
        """The rows that the search finds."""
        entity, language = self.resource.entity, LANGUAGES[request.accepted_renderer.format]
        found = self.found()
        if self.telling.follow:
            trees = tell_all(entity, list(found), self.telling)
            return Response(Document(entity.plural, {entity.name: trees} if trees else {}))
        return streaming.answer(written(entity, found, self.telling, language), language.content_type)

    def found(self) -> QuerySet[Any]:
        """The rows that are asked for."""
        rows, language = self.resource.rows(self.user), self.resource.language
        query, most = self.text("search"), self.number("max")
        if language is not None:
            exact_case = self.flag("case_sensitive", default=True)
            return search(rows, language, query, by=self.user, exact_case=exact_case, most=most)
        if query:
            raise Fault(400, "Operation Failed", "[There is no search here.]")
        return rows if most is None or most < 0 else rows[:most]


class Collection(Reading):
    """A collection that takes new entities."""

    def post(self, request: Any) -> Response:
        """Make one."""
        resource = self.resource
        assert resource.create is not None
        made = resource.create(self, self.draft(resource.entity))
        row = resource.rows(self.user).filter(pk=made.pk).first() or made
        told = tell_one(resource.entity, row, self.telling)
        status = 202 if self.expects("202-accepted") else 201
        return Response(Document(resource.entity.name, told), status, headers={"Location": told["href"]})


class ReadingOne(Door):
    """An entity that is only read."""

    resource: Resource = None  # type: ignore[assignment]

    def get(self, request: Any, key: str) -> Response:
        """The entity as it is."""
        return self.tell(self.found(key))

    def found(self, key: str) -> Any:
        return self.row(self.resource.rows(self.user), key)

    def tell(self, row: Any) -> Response:
        entity, version = self.resource.entity, getattr(row, "version", None)
        headers = {"ETag": f'"{version}"'} if version else None
        return Response(Document(entity.name, tell_one(entity, row, self.telling)), headers=headers)


class Removable(ReadingOne):
    """An entity that can be removed."""

    def delete(self, request: Any, key: str) -> Response:
        """Remove it."""
        row, remove = self.found(key), self.resource.remove
        assert remove is not None
        if self.expected_version() not in {None, getattr(row, "version", None)}:
            raise Refusal(EDITED_MEANWHILE, None, name=str(row))
        remove(self, row)
        return done()


class One(Removable):
    """An entity that can be changed and removed."""

    def put(self, request: Any, key: str) -> Response:
        """Change what the body names; everything else stays."""
        row, edit = self.found(key), self.resource.edit
        assert edit is not None
        edit(self, self.draft(self.resource.entity), row)
        return self.tell(self.found(key))

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, Refusal) and exc.code == EDITED_MEANWHILE and self.expected_version() is not None:
            exc = Fault(412, "Operation Failed", of_refusal(exc).detail)
        return super().handle_exception(exc)
