"""What lists and pages tell of networks, vNIC profiles and pools of MAC addresses, as data."""

from typing import Any, Final

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext as _

from vms import messages
from vms.models import MacPool, Network, VmNic, VnicProfile
from vms.models.networks import NETWORK_KINDS

from .tables import Cell, Fact, Table

_NOTHING: Final = "–"
SHOWN: Final = 50
_KINDS: Final = dict(NETWORK_KINDS)

Groups = list[tuple[str, list[Fact]]]


def counted(rows: Any) -> Any:
    """Networks with how many machines are on each, for their list."""
    return (
        rows.select_related("data_center")
        .prefetch_related("clusters")
        .annotate(vm_count=Count("profiles__cards__vm", distinct=True))
    )


def counted_profiles(rows: Any) -> Any:
    """Profiles with how many machines use each, for their list."""
    return rows.select_related("network__data_center").annotate(vm_count=Count("cards__vm", distinct=True))


def network_cells(row: Any) -> tuple[Cell, ...]:
    return (
        *(
            _to("network", row),
            _to("data_center", row.data_center),
            Cell(str(_KINDS[row.kind]), row.source or row.subnet),
        ),
        *(Cell(str(row.mtu or _NOTHING)), Cell(_names(row.clusters.all())), Cell(str(row.vm_count))),
        Cell(row.description),
    )


def profile_cells(row: Any) -> tuple[Cell, ...]:
    return (
        *(_to("vnic_profile", row), _to("network", row.network), _to("data_center", row.network.data_center)),
        *(Cell(_everybody(row)), Cell(str(row.vm_count)), Cell(row.description)),
    )


def pool_cells(row: Any) -> tuple[Cell, ...]:
    return (
        *(_to("mac_pool", row), Cell(", ".join(_ranges(row))), Cell(_clusters(row))),
        *(Cell(_("Yes") if row.allow_duplicates else _("No")), Cell(row.description)),
    )


def network(row: Network) -> Groups:
    facts = [
        Fact(_("Data Center"), row.data_center.name),
        Fact(_("Carried by"), str(_KINDS[row.kind])),
        Fact(messages.FIELDS["source"], row.source or _NOTHING),
        Fact(messages.FIELDS["subnet"], row.subnet or _NOTHING),
        Fact("MTU", str(row.mtu or _NOTHING)),
        Fact(_("Clusters"), _names(row.clusters.all()) or _NOTHING),
        *_texts(row),
        Fact(_("Network ID"), str(row.pk)),
    ]
    return [(_("Network"), facts)]


def network_tables(row: Network) -> list[Table]:
    profiles = Table(
        _("vNIC Profiles"),
        (_("Name"), _("Used by"), _("Description")),
        [(_to("vnic_profile", each), Cell(_everybody(each)), Cell(each.description)) for each in row.profiles.all()],
        _("It has no vNIC profile, so no machine can be on it."),
    )
    return [profiles, _cards(VmNic.objects.filter(profile__network=row))]


def profile(row: VnicProfile) -> Groups:
    facts = [
        Fact(_("Network"), row.network.name),
        Fact(_("Data Center"), row.network.data_center.name),
        Fact(_("Used by"), _everybody(row)),
        *_texts(row),
        Fact(_("vNIC Profile ID"), str(row.pk)),
    ]
    return [(_("vNIC profile"), facts)]


def profile_tables(row: VnicProfile) -> list[Table]:
    return [_cards(row.cards.all())]


def pool(row: MacPool) -> Groups:
    facts = [
        Fact(messages.FIELDS["ranges"], ", ".join(_ranges(row))),
        Fact(messages.FIELDS["allow_duplicates"], _("Yes") if row.allow_duplicates else _("No")),
        Fact(_("Clusters"), _clusters(row)),
        Fact(messages.FIELDS["description"], row.description or _NOTHING),
        Fact(_("MAC Address Pool ID"), str(row.pk)),
    ]
    return [(_("MAC address pool"), facts)]


def _cards(cards: Any) -> Table:
    """Machines and templates by their cards there."""
    found = cards.select_related("vm", "template").order_by("vm__name", "template__name", "name")[:SHOWN]
    return Table(
        _("Network Interfaces"),
        (_("Virtual Machine or Template"), _("Network Interface"), _("MAC Address"), _("IP Addresses")),
        [
            (
                _to("vm", each.vm) if each.vm else _to("template", each.template),
                Cell(each.name),
                Cell(each.mac or _NOTHING),
                Cell(
                    ", ".join(one.address for one in each.vm.addresses if one.mac == each.mac) if each.vm else _NOTHING
                ),
            )
            for each in found
        ],
        _("No machine has a card on it."),
    )


def _to(name: str, row: Any) -> Cell:
    return Cell(row.name, url=reverse(f"{name}_detail", args=[row.pk]))


def _names(rows: Any) -> str:
    return ", ".join(sorted(row.name for row in rows))


def _everybody(row: VnicProfile) -> str:
    return _("Everybody") if row.public else _("Administrators of the data center")


def _ranges(row: MacPool) -> list[str]:
    return [f"{first} – {last}" for first, last in row.ranges]


def _clusters(row: MacPool) -> str:
    named = _names(row.clusters.all())
    return named or (_("all that have none of their own") if row.is_default else _NOTHING)


def _texts(row: Any) -> list[Fact]:
    return [
        Fact(messages.FIELDS["description"], row.description or _NOTHING),
        Fact(messages.FIELDS["comment"], row.comment or _NOTHING),
    ]
