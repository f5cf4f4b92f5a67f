"""The root of the door."""

import hmac
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from rest_framework.response import Response

from vms.api.document import Document
from vms.api.mapping.root import Root, tell_root
from vms.domain.lifecycle import NOT_RUNNING
from vms.models import VM, Host, HostStatus, User
from vms.search.visible import runs_everything

from .base import Door


class Api(Door):
    """What this is and where everything is."""

    def get(self, request: Any) -> Response:
        """The root."""
        root = Root(_instance(), timezone.now(), self.user, _summary() if runs_everything(self.user) else {})
        return Response(Document("api", tell_root(root, self.telling)))


def _instance() -> str:
    """An id of this installation that says nothing of its secret."""
    return str(UUID(hmac.new(settings.SECRET_KEY.encode(), b"instance", "sha256").hexdigest()[:32]))


def _summary() -> dict[str, tuple[int, int]]:
    machines, hosts, people = VM.objects.all(), Host.objects.all(), User.objects.all()
    return {
        "hosts": (hosts.count(), hosts.filter(status=HostStatus.UP).count()),
        "storage_domains": (0, 0),
        "users": (people.count(), people.filter(is_active=True).count()),
        "vms": (machines.count(), machines.exclude(observed__in=NOT_RUNNING).count()),
    }
