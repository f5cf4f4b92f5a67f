"""Telling open pages that something has changed; what nobody has read within a minute is of no use any more."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Model
from django.utils import timezone

from vms.models import Change

KEPT: Final = timedelta(minutes=1)


def changed(row: Model) -> None:
    """Say so in the transaction at hand; rows whose id is no UUID are of no page."""
    if isinstance(row.pk, UUID):
        Change.objects.create(kind=row._meta.model_name or "", key=row.pk)


def forget() -> None:
    """Cut the tail off; only the engine calls it."""
    Change.objects.filter(at__lt=timezone.now() - KEPT).delete()
