"""What is only looked at: data centers, clusters, hosts, jobs and events."""

from typing import Any, Final

from rest_framework.response import Response

from vms.api.faults import Fault
from vms.api.mapping import infrastructure, records
from vms.search import languages

from .base import Door
from .collections import Resource

DATA_CENTERS: Final = Resource(entity=infrastructure.DATA_CENTER, language=languages.DATA_CENTERS)
CLUSTERS: Final = Resource(entity=infrastructure.CLUSTER, language=languages.CLUSTERS)
HOSTS: Final = Resource(entity=infrastructure.HOST, language=languages.HOSTS)
JOBS: Final = Resource(entity=records.JOB, language=languages.JOBS)
EVENTS: Final = Resource(entity=records.EVENT, language=languages.EVENTS)


class Nowhere(Door):
    """Every other address below the door: asked for credentials like all, then not there."""

    def _refuse(self, request: Any, **_: Any) -> Response:
        raise Fault(404, "Operation Failed", "[There is no such resource.]")

    get = post = put = delete = patch = _refuse
