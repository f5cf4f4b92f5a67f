"""Telling open pages that something has changed; what nobody has read within a minute is of no use any more."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from vms.models import Change
from vms.wire import bell

KEPT: Final = timedelta(minutes=1)


def changed(row: Model) -> None:
    """Say so in the transaction at hand; rows whose id is no UUID are of no page."""
    if not isinstance(row.pk, UUID):
        return
    Change.objects.create(kind=row._meta.model_name or "", key=row.pk)
    # PostgreSQL tells by itself (a trigger, migration 0009). Once for a transaction is enough.
    if connection.vendor == "sqlite" and all(_ring not in told for told in connection.run_on_commit):
        transaction.on_commit(_ring)


def _ring() -> None:
    bell.ring(settings.RUN_DIR)


def forget() -> None:
    """Cut the tail off; only the engine calls it."""
    Change.objects.filter(at__lt=timezone.now() - KEPT).delete()
