"""Pools: machines made alike, for people to take one of."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from vms.domain.lifecycle import NOT_RUNNING

from .hardware import Hardware
from .machines import BLANK, VM, InstanceType, Template
from .querysets import HardwareQuerySet, VMQuerySet

# oVirt's MaxVmsInPool; nobody holds more than there can be.
POOL_SIZE = (1, 1000)


class PoolType(models.TextChoices):
    """What becomes of a machine that somebody took when its run ends: the pool has it back, or its holder keeps it."""

    AUTOMATIC = "automatic", _("Automatic")
    MANUAL = "manual", _("Manual")


class PoolQuerySet(HardwareQuerySet["Pool"]):
    """Words to speak about pools with."""

    def counted(self) -> Self:
        """With `member_count`, `running_count`, `taken_count`, `free_count` and `ready_count`, for lists; one query."""
        members = VM.objects.filter(pool=OuterRef("pk")).order_by()
        return self.annotate(
            member_count=_count(members),
            running_count=_count(members.exclude(observed__in=NOT_RUNNING)),
            taken_count=_count(members.taken()),
            free_count=_count(members.free()),
            ready_count=_count(members.ready()),
        )

    def prepared(self) -> Self:
        """With `waiting_count` and `idle_count`: what waits for people, and what could."""
        members = VM.objects.filter(pool=OuterRef("pk")).order_by()
        return self.annotate(waiting_count=_count(members.waiting()), idle_count=_count(members.idle()))


def _count(members: VMQuerySet) -> Coalesce:
    return Coalesce(Subquery(members.values("pool").annotate(count=Count("pk")).values("count")), 0)


class Pool(Hardware):
    """Machines made alike, for people to take one of; its own configuration is that of the machines yet to be added.

    `pool_type` and `stateful` are chosen for good when the pool is made.
    """

    HELD_ON: ClassVar[dict[str, str]] = {
        "pk": "pool",
        "cluster": "cluster",
        "cluster__data_center": "data_center",
    }

    cluster = models.ForeignKey("Cluster", models.PROTECT, related_name="pools")
    template = models.ForeignKey(Template, models.PROTECT, related_name="pools", default=BLANK)
    instance_type = models.ForeignKey(
        InstanceType, models.SET_NULL, null=True, blank=True, related_name="pools", verbose_name=_("instance type")
    )
    use_latest_version = models.BooleanField(_("latest template version"), default=False)
    pool_type = models.CharField(_("pool type"), max_length=12, choices=PoolType, default=PoolType.AUTOMATIC)
    stateful = models.BooleanField(_("stateful pool"), default=False)
    max_user_vms = models.PositiveSmallIntegerField(_("maximum number of VMs per user"), default=1)
    # How many machines that nobody has taken yet the engine keeps up (`vms.actions.prestarting`).
    prestarted_vms = models.PositiveSmallIntegerField(_("prestarted VMs"), default=0)

    # Given by `counted()` alone.
    member_count: int
    running_count: int
    taken_count: int
    ready_count: int

    objects = PoolQuerySet.as_manager()

    class Meta(Hardware.Meta):
        constraints = (
            *Hardware.Meta.constraints,
            models.UniqueConstraint(fields=("name",), name="pool_name_used_once"),
            models.CheckConstraint(name="pool_type_is_known", condition=Q(pool_type__in=PoolType.values)),
            models.CheckConstraint(name="pool_gives_each_user_some", condition=Q(max_user_vms__range=POOL_SIZE)),
            models.CheckConstraint(name="pool_keeps_up_some", condition=Q(prestarted_vms__range=(0, POOL_SIZE[1]))),
        )

    @property
    def size(self) -> int:
        """How many machines it has; lists ask `counted()` instead."""
        return self.vms.count()
