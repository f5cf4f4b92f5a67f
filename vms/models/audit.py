"""What happened, for ever: appended inside the action that did it, chained by one writer."""

from typing import Any, Final, NoReturn

from django.conf import settings
from django.db import models

# What people should know of without looking for it.
ALERTS: Final = ("warning", "error", "alert")


class AuditEvent(models.Model):
    """One thing that happened, by whom and to what.

    `sequence` and `hash` are given later by the engine alone, in the order of `id`: each hash covers the event and
    the hash before it, so that a change or a removal shows.
    """

    id = models.BigAutoField(primary_key=True)
    sequence = models.PositiveBigIntegerField(null=True, unique=True, editable=False)
    hash = models.CharField(max_length=64, blank=True, editable=False)
    at = models.DateTimeField(db_index=True)
    code = models.CharField(max_length=64, db_index=True)
    severity = models.CharField(max_length=8, default="normal")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    actor_name = models.CharField(max_length=150)
    address = models.GenericIPAddressField(null=True, blank=True)
    correlation_id = models.CharField(max_length=50, blank=True, db_index=True)
    entity_kind = models.CharField(max_length=24)
    entity_id = models.UUIDField(null=True, blank=True, db_index=True)
    entity_name = models.CharField(max_length=255, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    params = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("severity", "id"), name="event_by_severity"),)

    def __str__(self) -> str:
        return f"{self.code} {self.entity_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("an audit event is never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("an audit event is never removed")


class Dismissal(models.Model):
    """An event that REST's clients have removed: they are told of it no more, and the trail keeps it."""

    event = models.OneToOneField(AuditEvent, models.CASCADE, related_name="dismissal", primary_key=True)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.event)
