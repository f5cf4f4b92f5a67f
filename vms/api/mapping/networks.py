"""Networks, vNIC profiles, pools of MAC addresses, and the network cards of machines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db.models import prefetch_related_objects

from vms.api.document import Node
from vms.api.faults import invalid
from vms.domain.networks import MacRange, NetworkKind, NicModel
from vms.models import ClusterNetwork, MacPool, Network, VmNic, VnicProfile
from vms.models.networks import MANAGEMENT
from vms.search.visible import visible

from .devices import REPORTED_DEVICE, Figure, empty, reported, statistics
from .entity import MOST_IDS, Entity, Items, Link, of_each, related
from .fields import BOOLEAN, NUMBER, TEXT, Field, Reference, Schema, Telling, Type, Words, list_of, listed, object_of
from .kept import Word, kept_fields, listed_words
from .people import permissions_on

# -- pools of MAC addresses


class _Ranges(Type):
    """Ranges of addresses, from one to another."""

    endless = True

    def tell(self, value: list[list[str]], telling: Telling) -> Node:
        return {"range": [{"from": first, "to": last} for first, last in value]}

    def schema(self) -> Schema:
        return list_of("range", object_of(**{"from": TEXT.schema(), "to": TEXT.schema()}))

    def read(self, node: Node, path: str) -> Any:
        return [_range(each, f"{path}.range") for each in listed(node, "range", path)]


def _range(node: Node, path: str) -> MacRange:
    if not isinstance(node, Mapping) or not {"from", "to"} <= node.keys():
        raise invalid(path, "…", "from and to")
    return MacRange(*(TEXT.read(node[name], f"{path}.{name}").lower() for name in ("from", "to")))


MAC_POOL: Final = Entity(
    name="mac_pool",
    collection="macpools",
    plural="mac_pools",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("description", TEXT, lambda it: it.description, "attribute.description"),
        Field("allow_duplicates", BOOLEAN, lambda it: it.allow_duplicates, "attribute.allow_duplicates"),
        Field("default_pool", BOOLEAN, lambda it: it.is_default),
        Field("ranges", _Ranges(), lambda it: it.ranges, "attribute.ranges"),
    ),
    rows=lambda _user: MacPool.objects.all(),
    links=(empty("permission", "permissions"),),
)


# -- networks

_USAGES: Final = listed_words("usage", "default_route", "display", "gluster", "management", "migration", "vm")


def _usages(it: Any) -> list[str]:
    default = ["vm", "management", "display", "migration", "default_route"] if it.name == MANAGEMENT else ["vm"]
    told: list[str] = it.kept.get("usages", default)
    return told


_NETWORK: Final = (
    Field("name", TEXT, lambda it: it.name, "attribute.name"),
    Field("comment", TEXT, lambda it: it.comment, "attribute.comment"),
    Field("description", TEXT, lambda it: it.description, "attribute.description"),
    Field("data_center", Reference("datacenters"), lambda it: it.data_center_id, "reference.data_center"),
    Field("mtu", NUMBER, lambda it: it.mtu or 0, "attribute.mtu"),
    # Ours: what carries it on the hosts, where oVirt has interfaces of hosts.
    Field("kind", Words({kind.value: kind.value for kind in NetworkKind}), lambda it: it.kind, "attribute.kind"),
    Field("source", TEXT, lambda it: it.source or None, "attribute.source"),
    Field("subnet", TEXT, lambda it: it.subnet or None, "attribute.subnet"),
    Field("stp", BOOLEAN, lambda _it: False),
    Field("port_isolation", BOOLEAN, lambda _it: False),
    Field("vdsm_name", TEXT, lambda it: it.name),
)
_NOT_OFFERED: Final = (
    "vlan/id",
    "stp",
    "port_isolation",
    "external_provider",
    "qos",
    "external_provider_physical_network",
)


def _profiles(user: Any) -> Any:
    return VnicProfile.objects.visible_to(user).select_related("network")


VNIC_PROFILE: Final = Entity(
    name="vnic_profile",
    collection="vnicprofiles",
    plural="vnic_profiles",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("comment", TEXT, lambda it: it.comment, "attribute.comment"),
        Field("description", TEXT, lambda it: it.description, "attribute.description"),
        Field("network", Reference("networks"), lambda it: it.network_id, "reference.network"),
        Field("pass_through/mode", Word("disabled"), lambda _it: "disabled", "fixed.pass_through"),
        Field("port_mirroring", BOOLEAN, lambda _it: False),
        *kept_fields({"migratable": (BOOLEAN, True)}),
    ),
    rows=_profiles,
    links=(permissions_on("vnic_profile"),),
    not_offered=("port_mirroring", "network_filter/id", "qos/id", "custom_properties/custom_property"),
)
NETWORK: Final = Entity(
    name="network",
    collection="networks",
    plural="networks",
    own=(
        *_NETWORK,
        Field("usages", _USAGES, _usages, "kept.usages"),
        Field("profile_required", BOOLEAN, to="profile.required"),
    ),
    rows=lambda user: Network.objects.visible_to(user),
    links=(
        permissions_on("network"),
        Link(rel="vnicprofiles", entity=VNIC_PROFILE, items=related(_profiles, "network_id")),
        empty("network_label", "networklabels"),
    ),
    not_offered=_NOT_OFFERED,
)


@dataclass(frozen=True, slots=True)
class Reach:
    """A network in one of the clusters that it reaches."""

    network: Network
    cluster_id: UUID
    kept: dict[str, Any]

    @property
    def pk(self) -> UUID:
        return self.network.pk

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)


def _reaching(clusters: Sequence[Any], telling: Telling) -> Mapping[Any, Sequence[Any]]:
    assert telling.user is not None
    seen = visible(Network, telling.user).order_by().values("pk")
    held = ClusterNetwork.objects.filter(cluster__in=[row.pk for row in clusters], network__in=seen)
    found: dict[Any, list[Reach]] = {}
    for each in held.select_related("network").order_by("network__name"):
        found.setdefault(each.cluster_id, []).append(Reach(each.network, each.cluster_id, each.kept))
    return found


def _there(it: Reach) -> list[str]:
    told: list[str] = it.kept.get("usages", _usages(it.network))
    return told


CLUSTER_NETWORK: Final = Entity(
    name="network",
    collection="networks",
    plural="networks",
    own=(
        Field("id", TEXT, to="there.id"),
        *_NETWORK,
        Field("cluster", Reference("clusters"), lambda it: it.cluster_id),
        Field("status", TEXT, lambda _it: "operational"),
        Field("required", BOOLEAN, lambda it: it.kept.get("required", it.network.is_management), "kept.required"),
        Field("display", BOOLEAN, lambda it: it.kept.get("display", it.network.is_management), "kept.display"),
        Field("usages", _USAGES, _there, "kept.usages"),
    ),
)
OF_CLUSTER: Final = Link(rel="networks", entity=CLUSTER_NETWORK, items=_reaching)
OF_DATA_CENTER: Final = Link(rel="networks", entity=NETWORK, items=related(partial(visible, Network), "data_center_id"))


# -- cards

_MODEL: Final = Words({model.value: model.value for model in NicModel})


class _Mac(Type):
    """The address inside `mac`."""

    def tell(self, value: str, telling: Telling) -> Node:
        return {"address": value}

    def schema(self) -> Schema:
        return object_of(address=TEXT.schema())

    def read(self, node: Node, path: str) -> Any:
        if node == "" or node == {}:
            return ""
        if not isinstance(node, Mapping) or "address" not in node:
            raise invalid(path, "…", "an element with address")
        return TEXT.read(node["address"], f"{path}.address").strip().lower()


def _figures(card: VmNic, _telling: Telling) -> Iterable[Figure]:
    counted = card.counted
    for name, description, unit, key in _STATISTICS:
        if key in counted:
            yield Figure("nics", card.pk, name, description, unit, int(counted[key]))


_STATISTICS: Final = (
    ("data.current.rx.bps", "Receive data rate", "bytes_per_second", "receive_rate"),
    ("data.current.tx.bps", "Transmit data rate", "bytes_per_second", "send_rate"),
    ("data.total.rx", "Total received data", "bytes", "received"),
    ("data.total.tx", "Total transmitted data", "bytes", "sent"),
    ("errors.total.rx", "Total errors from receiving data", "none", "receive_errors"),
    ("errors.total.tx", "Total errors from transmitting data", "none", "send_errors"),
)


def _reported(card: VmNic, telling: Telling) -> Iterable[Any]:
    """What the guest tells of this card, known by its address."""
    return [each for each in reported(card.vm, telling) if each.mac.lower() == card.mac] if card.vm else ()


def _cards() -> Items:
    def found(owners: Sequence[Any], _telling: Telling) -> Mapping[Any, Sequence[Any]]:
        for start in range(0, len(owners), MOST_IDS):
            prefetch_related_objects(list(owners[start : start + MOST_IDS]), "cards")
        return {row.pk: list(row.cards.all()) for row in owners}

    return found


def _nics_of(owner: str, collection: str, *more: Link) -> Link:
    entity = Entity(
        name="nic",
        collection="nics",
        plural="nics",
        own=(
            Field("name", TEXT, lambda it: it.name, "card.name"),
            Field("interface", _MODEL, lambda it: it.model, "card.model"),
            Field("linked", BOOLEAN, lambda it: it.linked, "card.linked"),
            Field("plugged", BOOLEAN, lambda it: it.plugged, "card.plugged"),
            Field("synced", BOOLEAN, lambda _it: True),
            Field("mac", _Mac(), lambda it: it.mac or None, "card.mac"),
            Field("vnic_profile", Reference("vnicprofiles"), lambda it: it.profile_id, "reference.profile"),
            Field("network", Reference("networks"), to="reference.network"),
            Field(owner, Reference(collection), lambda it: getattr(it, f"{owner}_id")),
        ),
        links=(empty("network_filter_parameter", "networkfilterparameters"), *more),
        actions=("activate", "deactivate") if owner == "vm" else (),
    )
    return Link(rel="nics", entity=entity, items=_cards())


NICS: Final = _nics_of(
    "vm",
    "vms",
    Link(rel="reporteddevices", entity=REPORTED_DEVICE, items=of_each(_reported)),
    statistics("nic", "nics", of_each(_figures)),
)
TEMPLATE_NICS: Final = _nics_of("template", "templates")
