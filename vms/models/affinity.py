"""Which machines run together or apart and on which hosts: affinity groups of clusters, and labels."""

from typing import Any, ClassVar, Final, Self
from uuid import uuid4

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from vms.domain.affinity import NAME_LENGTH, PRIORITY, Polarity, Rule

from .infrastructure import Cluster, Host
from .machines import VM
from .users import HeldQuerySet, User

POLARITIES: Final = (
    (Polarity.DISABLED.value, pgettext_lazy("affinity rule", "Disabled")),
    (Polarity.POSITIVE.value, _("Positive")),
    (Polarity.NEGATIVE.value, _("Negative")),
)


class LabelQuerySet(HeldQuerySet):
    """Labels, which belong to nobody: who sees machines or hosts sees what they are labelled with."""

    def visible_to(self, user: User, *action_groups: str) -> Self:
        return super().visible_to(user, *action_groups) if action_groups or not user.is_active else self.all()


class AffinityLabel(models.Model):
    """A word on machines and hosts, for affinity groups to name; one that is `implicit` ties its machines to its hosts
    by itself, as an enforcing positive rule does."""

    HELD_ON: ClassVar[dict[str, str]] = {}

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=50, unique=True)
    implicit = models.BooleanField(_("implicit affinity group"), default=False)
    vms: "models.ManyToManyField[VM, Any]" = models.ManyToManyField(
        VM, related_name="affinity_labels", blank=True, verbose_name=_("virtual machines")
    )
    hosts: "models.ManyToManyField[Host, Any]" = models.ManyToManyField(
        Host, related_name="affinity_labels", blank=True, verbose_name=_("hosts")
    )

    objects = LabelQuerySet.as_manager()

    class Meta:
        verbose_name = _("affinity label")
        verbose_name_plural = _("affinity labels")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class AffinityGroup(models.Model):
    """Machines and hosts of a cluster, by themselves or by their labels, with a rule among the machines and one between
    machines and hosts."""

    HELD_ON: ClassVar[dict[str, str]] = {"cluster": "cluster", "cluster__data_center": "data_center"}

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="affinity_groups", verbose_name=_("cluster"))
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    priority = models.FloatField(
        _("priority"), default=1.0, validators=(MinValueValidator(PRIORITY[0]), MaxValueValidator(PRIORITY[1]))
    )
    vms_rule = models.CharField(_("VM affinity rule"), max_length=8, choices=POLARITIES, default=Polarity.DISABLED)
    vms_enforcing = models.BooleanField(_("enforcing"), default=True)
    hosts_rule = models.CharField(_("host affinity rule"), max_length=8, choices=POLARITIES, default=Polarity.DISABLED)
    hosts_enforcing = models.BooleanField(_("enforcing"), default=True)
    vms: "models.ManyToManyField[VM, Any]" = models.ManyToManyField(
        VM, related_name="affinity_groups", blank=True, verbose_name=_("virtual machines")
    )
    hosts: "models.ManyToManyField[Host, Any]" = models.ManyToManyField(
        Host, related_name="affinity_groups", blank=True, verbose_name=_("hosts")
    )
    vm_labels: "models.ManyToManyField[AffinityLabel, Any]" = models.ManyToManyField(
        AffinityLabel, related_name="vm_groups", blank=True, verbose_name=_("labels of virtual machines")
    )
    host_labels: "models.ManyToManyField[AffinityLabel, Any]" = models.ManyToManyField(
        AffinityLabel, related_name="host_groups", blank=True, verbose_name=_("labels of hosts")
    )

    objects = HeldQuerySet.as_manager()

    class Meta:
        verbose_name = _("affinity group")
        verbose_name_plural = _("affinity groups")
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("cluster", "name"), name="affinity_group_name_used_once_in_cluster"),
            models.CheckConstraint(
                name="affinity_group_has_rules",
                condition=models.Q(vms_rule__in=list(Polarity), hosts_rule__in=list(Polarity)),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def among_vms(self) -> Rule:
        """The rule among its machines."""
        return Rule(Polarity(self.vms_rule), self.vms_enforcing)

    @property
    def with_hosts(self) -> Rule:
        """The rule between its machines and its hosts."""
        return Rule(Polarity(self.hosts_rule), self.hosts_enforcing)
