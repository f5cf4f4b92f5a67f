"""Networks, the profiles by which cards are put on them, the cards, and the pools of MAC addresses for these."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from vms.domain.networks import CARD_NAME_LENGTH, NAME_LENGTH, MacRange, NetworkKind, Nic, NicModel, Wire

from .users import HeldQuerySet, User, permitted

NETWORK_KINDS: Final = (
    (NetworkKind.AUTOMATIC.value, _("Automatic: NAT, or user mode where a host cannot")),
    (NetworkKind.NAT.value, _("NAT with DHCP")),
    (NetworkKind.ISOLATED.value, _("Isolated with DHCP")),
    (NetworkKind.BRIDGE.value, _("Bridge of the hosts")),
    (NetworkKind.LIBVIRT.value, _("libvirt network of the hosts")),
    (NetworkKind.USER.value, _("User mode")),
)
NIC_MODELS: Final = (
    (NicModel.VIRTIO.value, "VirtIO"),
    (NicModel.E1000E.value, "e1000e"),
    (NicModel.E1000.value, "e1000"),
    (NicModel.RTL8139.value, "rtl8139"),
)
DEFAULT_MAC_POOL: Final = UUID("7459bb0b-536f-55a0-bc45-ccb4978f90ed")  # of every installation
MANAGEMENT: Final = "ovirtmgmt"  # the network that every data center begins with


class MacPool(models.Model):
    """Ranges of MAC addresses that the cards in some clusters get theirs from; one of them is the default."""

    HELD_ON: ClassVar[dict[str, str]] = {}

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=255, unique=True)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    ranges = models.JSONField(_("ranges"), default=list)
    allow_duplicates = models.BooleanField(_("allow duplicates"), default=False)

    objects = HeldQuerySet.as_manager()

    class Meta:
        verbose_name = _("MAC address pool")
        verbose_name_plural = _("MAC address pools")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_default(self) -> bool:
        """Whether clusters that have none of their own get theirs from it."""
        return self.pk == DEFAULT_MAC_POOL

    @property
    def mac_ranges(self) -> tuple[MacRange, ...]:
        return tuple(MacRange(first, last) for first, last in self.ranges)

    @mac_ranges.setter
    def mac_ranges(self, ranges: Iterable[MacRange]) -> None:
        self.ranges = [[each.first, each.last] for each in ranges]


class NetworkQuerySet(HeldQuerySet):
    """Networks of data centers, and those that everybody may use."""

    def visible_to(self, user: User, *action_groups: str) -> "NetworkQuerySet":
        rows = super().visible_to(user, *action_groups)
        if action_groups or not user.is_active:
            return rows
        # Several roles, several profiles: by id, so that no row comes twice.
        open_to_all = VnicProfile.objects.filter(public=True).values("network")
        return self.filter(Q(pk__in=rows.order_by().values("pk")) | Q(pk__in=open_to_all))


class Network(models.Model):
    """A network of a data center; `clusters` are those whose machines may be on it."""

    HELD_ON: ClassVar[dict[str, str]] = {"pk": "network", "data_center": "data_center"}

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    data_center = models.ForeignKey(
        "DataCenter", models.CASCADE, related_name="networks", verbose_name=_("data center")
    )
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    comment = models.CharField(_("comment"), max_length=4000, blank=True)
    kind = models.CharField(_("kind"), max_length=16, choices=NETWORK_KINDS, default=NetworkKind.AUTOMATIC.value)
    source = models.CharField(_("name on the hosts"), max_length=64, blank=True)
    subnet = models.CharField(_("subnet"), max_length=18, blank=True)
    mtu = models.PositiveIntegerField("MTU", null=True, blank=True)
    clusters: "models.ManyToManyField[models.Model, models.Model]" = models.ManyToManyField(
        "Cluster", through="ClusterNetwork", related_name="networks", blank=True
    )
    kept = models.JSONField(default=dict, blank=True, editable=False)

    objects = NetworkQuerySet.as_manager()

    class Meta:
        verbose_name = _("network")
        verbose_name_plural = _("networks")
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(fields=("data_center", "name"), name="network_name_used_once"),
            models.CheckConstraint(name="network_kind_is_known", condition=Q(kind__in=[k for k, _l in NETWORK_KINDS])),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_management(self) -> bool:
        """Whether it is the one that its data center began with, and machines get where nobody chooses."""
        return self.name == MANAGEMENT

    @property
    def wire(self) -> Wire:
        """The network as hosts must know it."""
        kind = NetworkKind(self.kind)
        return Wire(kind=kind, network=self.pk, source=self.source, subnet=self.subnet, mtu=self.mtu)


class ClusterNetwork(models.Model):
    """That a network reaches a cluster; `kept` is what clients say of it there and nothing uses yet."""

    network = models.ForeignKey(Network, models.CASCADE, related_name="reaching")
    cluster = models.ForeignKey("Cluster", models.CASCADE, related_name="reached_by")
    kept = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("network", "cluster"), name="network_once_per_cluster"),)

    def __str__(self) -> str:
        return f"{self.network} · {self.cluster}"


class VnicProfileQuerySet(HeldQuerySet):
    """Profiles of the networks of data centers, and those that everybody may use."""

    def visible_to(self, user: User, *action_groups: str) -> "VnicProfileQuerySet":
        rows = permitted(self, user, *action_groups)
        if action_groups or not user.is_active:
            return rows  # type: ignore[return-value]
        return self.filter(Q(pk__in=rows.order_by().values("pk")) | Q(public=True))


class VnicProfile(models.Model):
    """A way to be on a network; cards name a profile, never a network. A public one is everybody's to use."""

    HELD_ON: ClassVar[dict[str, str]] = {
        "pk": "vnic_profile",
        "network": "network",
        "network__data_center": "data_center",
    }

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    network = models.ForeignKey(Network, models.CASCADE, related_name="profiles", verbose_name=_("network"))
    name = models.CharField(_("name"), max_length=NAME_LENGTH)
    description = models.CharField(_("description"), max_length=4000, blank=True)
    comment = models.CharField(_("comment"), max_length=4000, blank=True)
    public = models.BooleanField(_("all users may use it"), default=True)
    kept = models.JSONField(default=dict, blank=True, editable=False)

    objects = VnicProfileQuerySet.as_manager()

    class Meta:
        verbose_name = _("vNIC profile")
        verbose_name_plural = _("vNIC profiles")
        ordering = ("network__name", "name", "id")
        constraints = (models.UniqueConstraint(fields=("network", "name"), name="profile_name_used_once"),)

    def __str__(self) -> str:
        return f"{self.name}/{self.network.name}"


class VmNic(models.Model):
    """A network card of a VM, or of a template, where it has no MAC address yet; without a profile it is on no network.

    What was counted of a running machine's card is written by `vms.actions.statistics`.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    vm = models.ForeignKey("VM", models.CASCADE, null=True, blank=True, related_name="cards")
    template = models.ForeignKey("Template", models.CASCADE, null=True, blank=True, related_name="cards")
    name = models.CharField(_("name"), max_length=CARD_NAME_LENGTH)
    profile = models.ForeignKey(
        VnicProfile, models.PROTECT, null=True, blank=True, related_name="cards", verbose_name=_("vNIC profile")
    )
    model = models.CharField(_("type"), max_length=16, choices=NIC_MODELS, default=NicModel.VIRTIO.value)
    mac = models.CharField(_("MAC address"), max_length=17, blank=True)
    # Its pool allowed an address that another card has.
    shared = models.BooleanField(default=False, editable=False)
    linked = models.BooleanField(_("link up"), default=True)
    plugged = models.BooleanField(_("plugged in"), default=True)
    position = models.PositiveSmallIntegerField(default=0, editable=False)
    counted = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        verbose_name = _("network interface")
        verbose_name_plural = _("network interfaces")
        ordering = ("position", "name")
        constraints = (
            models.CheckConstraint(
                name="card_has_one_owner",
                condition=Q(vm__isnull=False, template__isnull=True) & ~Q(mac="")
                | Q(vm__isnull=True, template__isnull=False, mac=""),
            ),
            models.CheckConstraint(name="card_model_is_known", condition=Q(model__in=[m for m, _l in NIC_MODELS])),
            models.UniqueConstraint(fields=("vm", "name"), name="card_name_used_once"),
            models.UniqueConstraint(fields=("template", "name"), name="template_card_name_used_once"),
            models.UniqueConstraint(
                fields=("mac",), condition=Q(vm__isnull=False, shared=False), name="card_mac_used_once"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def nic(self) -> Nic:
        """The card as a part of its machine."""
        return Nic(
            mac=self.mac,
            id=self.pk,
            name=self.name,
            model=NicModel(self.model),
            linked=self.linked,
            plugged=self.plugged,
            wire=self.profile.network.wire if self.profile else None,
        )


class CardHolder:
    """A row of a machine: the cards that it has, where its kind has any."""

    _state: models.base.ModelState

    def _nics(self) -> tuple[Nic, ...]:
        """Read once for each row, which is asked for its machine several times; `forget_cards` after a change."""
        if self._state.adding or not hasattr(self, "cards"):
            return ()
        row: Any = self
        # Each comes with its network: a machine is nothing without.
        cards = VmNic.objects.select_related("profile__network")
        models.prefetch_related_objects([row], models.Prefetch("cards", cards))
        return tuple(card.nic for card in row.cards.all())

    def forget_cards(self) -> None:
        """Have the cards be read anew: some were added, changed or removed."""
        getattr(self, "_prefetched_objects_cache", {}).pop("cards", None)
