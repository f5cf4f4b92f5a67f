"""What programs tell of: events that happened elsewhere, and jobs that they do themselves."""

from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.response import Response

from vms.actions import external
from vms.api.document import Document
from vms.api.faults import not_found
from vms.api.mapping.fields import BOOLEAN, Field
from vms.api.mapping.follow import tell_one

from .actions import Acting
from .base import done
from .collections import Collection, ReadingOne, Resource
from .infrastructure import JOBS
from .links import Linked

_ENDING: Final = (Field("succeeded", BOOLEAN, to="action.succeeded"),)


class Events(Collection):
    """Events; `from` leaves out those up to one that the client has seen."""

    def found(self) -> QuerySet[Any]:
        """The rows that are asked for."""
        seen = self.number("from")
        rows = super().found()
        if seen is None:
            return rows
        return self.resource.rows(self.user).filter(pk__gt=seen, pk__in=rows.values("pk"))


class Event(ReadingOne):
    """One event; its id is a number."""

    def found(self, key: str) -> Any:
        found = self.resource.rows(self.user).filter(pk=int(key)).first() if key.isdecimal() and len(key) < 18 else None
        if found is None:
            raise not_found()
        return found

    def delete(self, request: Any, key: str) -> Response:
        """Tell of it no more; the audit trail keeps it."""
        external.dismiss_event(self.found(key), by=self.user)
        return done()


class Step(Acting):
    """The end of a step."""

    takes = _ENDING

    def post(self, request: Any, key: str, inner: str) -> Response:
        """It is done or has failed."""
        job = self.row(JOBS.rows(self.user), key)
        step = job.steps.filter(pk=int(inner)).first() if inner.isdecimal() and len(inner) < 18 else None
        if step is None:
            raise not_found()
        external.end_step(step, succeeded=succeeded(self), by=self.user)
        return done()


class Steps(Linked):
    """The steps of a job."""

    def post(self, request: Any, key: str) -> Response:
        """A part of it begins."""
        job, entity = self.owner(key), self.link.entity
        said = self.draft(entity).values.get("attribute", {})
        text = self.required(said.get("description"), "Step", "description")
        made = external.add_step(job, text, kind=said.get("kind", "unknown"), by=self.user)
        told = tell_one(entity, made, self.telling, self.place(job))
        return Response(Document(entity.name, told), 201, headers={"Location": told["href"]})


class End(Acting):
    """The end of a job that a program does itself."""

    takes = _ENDING

    def post(self, request: Any, key: str) -> Response:
        """It is done or has failed."""
        external.end_job(self.row(JOBS.rows(self.user), key), succeeded=succeeded(self), by=self.user)
        return done()


class Clear(Acting):
    """A job that nobody wants to see any more."""

    def post(self, request: Any, key: str) -> Response:
        """Forget it."""
        self.body("action")
        external.clear_job(self.row(JOBS.rows(self.user), key), by=self.user)
        return done()


def succeeded(door: Acting) -> bool:
    """What an `end` says; oVirt takes silence for success."""
    said = door.body("action").get("succeeded", "true")
    return bool(BOOLEAN.read(said, "succeeded"))


def make_job(door: Any, draft: Any) -> Any:
    """A job as a program describes it."""
    said = draft.values.get("attribute", {})
    text = door.required(said.get("description"), "Job", "description")
    return external.add_job(text, auto_cleared=said.get("auto_cleared", True), by=door.user)


def make_event(door: Any, draft: Any) -> Any:
    """An event as a program describes it."""
    said = dict(draft.values.get("attribute", {}))
    text = door.required(said.pop("description", ""), "Event", "description")
    about = None
    for name, collection in _ABOUT.items():
        if (ref := draft.take("reference", name)) is not None:
            about = door.named(collection, ref, name)
    return external.add_event(text, severity=said.pop("severity", "normal"), about=about, by=door.user, **said)


_ABOUT = {
    "vm": "vms",
    "template": "templates",
    "cluster": "clusters",
    "data_center": "datacenters",
    "host": "hosts",
}


def creating(resource: Resource, make: Any) -> Resource:
    """The resource with a way to make one."""
    return Resource(entity=resource.entity, language=resource.language, create=make)
