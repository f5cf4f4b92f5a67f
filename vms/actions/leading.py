"""One engine leads a deployment: a lease in the database says which, by the database's own clock."""

from datetime import timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from vms.models import Leadership

LEASE: Final = timedelta(seconds=8)  # how long an engine that has died, or was stopped, is waited for
_ENGINE: Final = "engine"


def lead(owner: str) -> bool:
    """Become the engine that leads, or go on leading; False while another one does."""
    free = Q(owner=owner) | Q(until__lt=Now())
    if Leadership.objects.filter(free, name=_ENGINE).update(owner=owner, until=Now() + LEASE):
        return True
    try:
        with transaction.atomic():
            Leadership.objects.create(name=_ENGINE, owner=owner, until=Now() + LEASE)
    except IntegrityError:
        return False
    return True


def resign(owner: str) -> None:
    """Let another engine lead at once."""
    Leadership.objects.filter(name=_ENGINE, owner=owner).delete()
