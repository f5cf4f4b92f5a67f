"""What is only looked at: data centers, clusters, hosts, jobs and events."""

from typing import Any, Final

from django.db.models import Q
from rest_framework.response import Response

from vms.api.faults import Fault, not_found
from vms.api.mapping import infrastructure, records
from vms.api.search import Condition, Language, key, ranked, text, word
from vms.models import ACTIVE, JobState

from .base import Door
from .collections import ReadingOne, Resource

_NAMED: Final = {"id": key("pk"), "name": text("name")}


def _job_status(operator: str, value: str, exact_case: bool) -> Q | None:
    states = ACTIVE if value.lower() == JobState.STARTED else (value.lower(),)
    return {"=": Q(state__in=states), "!=": ~Q(state__in=states)}.get(operator)


_JOB_STATUS: Final[Condition] = _job_status

DATA_CENTERS: Final = Resource(
    entity=infrastructure.DATA_CENTER,
    language=Language(conditions={**_NAMED, "clusters.name": text("clusters__name")}, orders={"name": "name"}),
)
CLUSTERS: Final = Resource(
    entity=infrastructure.CLUSTER,
    language=Language(conditions={**_NAMED, "datacenter": text("data_center__name")}, orders={"name": "name"}),
)
HOSTS: Final = Resource(
    entity=infrastructure.HOST,
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
    language=Language(
        conditions={"id": key("pk"), "correlation_id": text("correlation_id"), "status": _JOB_STATUS},
        free="machine_name",
    ),
)
EVENTS: Final = Resource(
    entity=records.EVENT,
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


class Nowhere(Door):
    """Every other address below the door: asked for credentials like all, then not there."""

    def _refuse(self, request: Any, **_: Any) -> Response:
        raise Fault(404, "Operation Failed", "[There is no such resource.]")

    get = post = put = delete = patch = _refuse
