"""Images on their way to a disk or from one."""

from datetime import timedelta
from typing import ClassVar, Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from vms.domain.disks import DiskFormat
from vms.domain.transfers import OPEN, SILENCE, Direction, Phase, TimeoutPolicy

from .storage import Disk
from .users import ActionGroup, User

PHASES = (
    (Phase.INITIALIZING.value, _("Being prepared")),
    (Phase.TRANSFERRING.value, _("Transferring")),
    (Phase.PAUSED_USER.value, _("Paused")),
    (Phase.PAUSED_SYSTEM.value, _("Paused: nothing came for too long")),
    (Phase.FINALIZING_SUCCESS.value, _("Being laid on the storage")),
    (Phase.FINISHED_SUCCESS.value, _("Done")),
    (Phase.FINISHED_FAILURE.value, _("Failed")),
    (Phase.FINISHED_CLEANUP.value, _("Cancelled")),
)


class TransferQuerySet(models.QuerySet["Transfer"]):
    """Words to speak about transfers with."""

    def open(self) -> Self:
        """Those that have not ended."""
        return self.filter(phase__in=OPEN)

    def visible_to(self, user: User) -> Self:
        """Those that somebody has begun, and those of disks that he may change."""
        disks = Disk.objects.visible_to(user, ActionGroup.EDIT_DISK_PROPERTIES).order_by().values("pk")
        return self.filter(Q(created_by=user) | Q(disk__in=disks))


class Transfer(models.Model):
    """An image on its way to a disk or from one, by HTTP.

    `format` is that of the bytes on the way, which need not be the disk's; `size` how many there are, or may be at
    most; `reached` the furthest byte that has gone. A ticket is good for one `session`, which ends with a pause.
    `failure` says why it came to nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    disk = models.ForeignKey(Disk, models.CASCADE, related_name="transfers", verbose_name=_("disk"))
    image = models.ForeignKey("Image", models.SET_NULL, null=True, editable=False, related_name="transfer")
    host = models.ForeignKey("Host", models.SET_NULL, null=True, editable=False, related_name="+")
    direction = models.CharField(max_length=8, choices=[(one.value, one.value) for one in Direction])
    format = models.CharField(max_length=8, default=DiskFormat.RAW.value)
    phase = models.CharField(max_length=20, choices=PHASES, default=Phase.INITIALIZING.value, db_index=True)
    timeout_policy = models.CharField(max_length=8, default=TimeoutPolicy.LEGACY.value)
    inactivity_timeout = models.PositiveIntegerField(default=SILENCE)
    shallow = models.BooleanField(default=False)
    size = models.BigIntegerField(default=0)
    reached = models.BigIntegerField(default=0)
    session = models.PositiveIntegerField(default=1)
    failure = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    active_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        constraints: ClassVar = (
            models.CheckConstraint(
                name="transfer_phase_is_known", condition=Q(phase__in=[phase.value for phase in Phase])
            ),
        )

    def __str__(self) -> str:
        return f"{self.direction} · {self.disk}"

    @property
    def uploads(self) -> bool:
        return self.direction == Direction.UPLOAD

    @property
    def silent(self) -> bool:
        """Whether its client has said nothing for too long."""
        limit = timedelta(seconds=self.inactivity_timeout)
        return bool(limit) and self.active_at + limit < timezone.now()
