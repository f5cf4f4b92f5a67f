"""What is only looked at: data centers, clusters, hosts, jobs, events, and the lists that are always empty here."""

from typing import Any, Final

from django.db.models import Q, QuerySet
from rest_framework.response import Response

from vms.api.document import Document
from vms.api.faults import Fault, not_found
from vms.api.mapping import infrastructure, records
from vms.api.mapping.fields import Entity, Link
from vms.api.search import Condition, Language, key, ranked, text, word
from vms.models import (
    ACTIVE,
    VM,
    AuditEvent,
    Cluster,
    DataCenter,
    Host,
    Job,
    JobState,
    Permission,
    Pool,
    Template,
    User,
)
from vms.models.users import SYSTEM_WIDE
from vms.routes import is_administrator

from .base import Door
from .collections import ReadingOne, Resource

_NAMED: Final = {"id": key("pk"), "name": text("name")}


def runs_everything(user: User) -> bool:
    """Whether somebody has an administrative role on the whole system."""
    held = Permission.objects.filter(user=user, role__administrative=True, **SYSTEM_WIDE)
    return user.is_superuser or held.exists()


def _data_centers(user: User) -> QuerySet[DataCenter]:
    return DataCenter.objects.visible_to(user)


def _clusters(user: User) -> QuerySet[Cluster]:
    return Cluster.objects.visible_to(user)


def _hosts(user: User) -> QuerySet[Host]:
    """Hosts are the administrators' affair."""
    rows = Host.objects.filter(cluster__in=Cluster.objects.visible_to(user).values("pk"))
    return rows if is_administrator(user) else rows.none()


def _jobs(user: User) -> QuerySet[Job]:
    rows = Job.objects.all()
    if runs_everything(user):
        return rows
    return rows.filter(Q(created_by=user) | Q(machine__in=VM.objects.visible_to(user).values("pk")))


def _events(user: User) -> QuerySet[AuditEvent]:
    rows = AuditEvent.objects.all()
    if runs_everything(user):
        return rows
    seen = Q(actor=user)
    for model in (VM, Template, Pool):
        seen |= Q(entity_id__in=model.objects.visible_to(user).values("pk"))
    return rows.filter(seen)


def _job_status(operator: str, value: str, exact_case: bool) -> Q | None:
    states = ACTIVE if value.lower() == JobState.STARTED else (value.lower(),)
    return {"=": Q(state__in=states), "!=": ~Q(state__in=states)}.get(operator)


_JOB_STATUS: Final[Condition] = _job_status

DATA_CENTERS: Final = Resource(
    entity=infrastructure.DATA_CENTER,
    rows=_data_centers,
    language=Language(conditions={**_NAMED, "clusters.name": text("clusters__name")}, orders={"name": "name"}),
)
CLUSTERS: Final = Resource(
    entity=infrastructure.CLUSTER,
    rows=_clusters,
    language=Language(conditions={**_NAMED, "datacenter": text("data_center__name")}, orders={"name": "name"}),
)
HOSTS: Final = Resource(
    entity=infrastructure.HOST,
    rows=_hosts,
    language=Language(
        conditions={
            **_NAMED,
            "status": word("status"),
            "cluster": text("cluster__name"),
            "datacenter": text("cluster__data_center__name"),
        },
        orders={"name": "name", "status": "status"},
    ),
)
JOBS: Final = Resource(
    entity=records.JOB,
    rows=_jobs,
    language=Language(
        conditions={"id": key("pk"), "correlation_id": text("correlation_id"), "status": _JOB_STATUS},
        free="machine_name",
    ),
)
EVENTS: Final = Resource(
    entity=records.EVENT,
    rows=_events,
    language=Language(
        conditions={
            "severity": ranked("severity", ("normal", "warning", "error", "alert")),
            "correlation_id": text("correlation_id"),
            "usrname": text("actor_name"),
        },
        orders={"time": "id", "severity": "severity"},
        free="entity_name",
    ),
)


class Event(ReadingOne):
    """One event; its id is a number."""

    def found(self, key: str) -> Any:
        found = self.resource.rows(self.user).filter(pk=int(key)).first() if key.isdecimal() and len(key) < 18 else None
        if found is None:
            raise not_found()
        return found


class Inside(Door):
    """The rows of one collection that belong to an entity of another: clusters of a data center, steps of a job."""

    outer: Resource = None  # type: ignore[assignment]
    entity: Entity = None  # type: ignore[assignment]
    relation = ""

    def get(self, request: Any, key: str) -> Response:
        """All of them."""
        row = self.row(self.outer.rows(self.user), key)
        return Response(
            Document(self.entity.plural, self.entity.tell_all(getattr(row, self.relation).all(), self.telling))
        )


class Linked(Door):
    """What hangs on a machine and is only read here; much of it is always empty, and asked for all the same."""

    resource: Resource = None  # type: ignore[assignment]
    link: Link = None  # type: ignore[assignment]

    def get(self, request: Any, key: str) -> Response:
        """All of it."""
        row = self.row(self.resource.rows(self.user), key)
        assert self.link.contents is not None
        found = self.link.contents(row, self.telling)
        return Response(Document(self.link.plural, {self.link.singular: found} if found else {}))


class Nowhere(Door):
    """Every other address below the door: asked for credentials like all, then not there."""

    def _refuse(self, request: Any, **_: Any) -> Response:
        raise Fault(404, "Operation Failed", "[There is no such resource.]")

    get = post = put = delete = patch = _refuse
