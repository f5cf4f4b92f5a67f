"""Networks of data centers, the clusters that they reach, and the profiles by which cards are put on them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Q

from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities
from vms.domain.networks import NetworkKind, check_network_name
from vms.models import VM, ActionGroup, Cluster, ClusterNetwork, DataCenter, Host, Network, Template, VmNic, VnicProfile
from vms.models.networks import MANAGEMENT

from ._action import action, all_locked, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._plain import added, changed, removed
from ._shape import follow

# Columns that a host notices.
_CARRYING = frozenset({"kind", "source", "subnet", "mtu"})


@action
def create(
    name: str,
    *,
    data_center: DataCenter,
    clusters: Iterable[Cluster] = (),
    profile: bool = True,
    by: Actor,
    **columns: Any,
) -> Network:
    """A new network, reaching these clusters of its data center, and mostly with a profile of its own name.

    `columns` are description, comment, kind, source, subnet and mtu. Refused where the hosts that could tell have not
    what it is to be carried by.
    """
    authorise(by, ActionGroup.CREATE_STORAGE_POOL_NETWORK, data_center)
    row = _checked(Network(data_center=data_center, name=name, **columns))
    added(row)
    for cluster in clusters:
        _attach(row, cluster)
    if profile:
        added(VnicProfile(network=row, name=row.name))
    record(by, "NETWORK_ADD_NETWORK", row, data_center=data_center.name)
    return row


def begin(data_center: DataCenter) -> Network:
    """The network that a new data center begins with."""
    row = Network.objects.create(data_center=data_center, name=MANAGEMENT, description="Management Network")
    VnicProfile.objects.create(network=row, name=row.name)
    return row


@action
def edit(row: Network, *, by: Actor, clusters: Iterable[Cluster] | None = None, **columns: Any) -> Network:
    """Change a network, and which clusters it reaches where they are named; machines that run on it have what carries
    it with their next start."""
    row = locked(row)
    authorise(by, ActionGroup.CONFIGURE_STORAGE_POOL_NETWORK, row)
    _require_not_renamed(row, columns)
    for name, value in columns.items():
        setattr(row, name, value)
    _checked(row)
    row.refresh_from_db()
    before, after = changed(row, columns)
    if after:
        record(by, "NETWORK_UPDATE_NETWORK", row, before, after)
    if _CARRYING & after.keys():
        _pass_on(row)
    if clusters is not None:
        _reach(row, set(clusters), by=by)
    return row


@action
def remove(row: Network, *, by: Actor) -> None:
    """Remove a network with its profiles, if no card is on it; the one of the data center's own stays."""
    row = locked(row)
    authorise(by, ActionGroup.DELETE_STORAGE_POOL_NETWORK, row)
    if row.is_management:
        raise Refusal("NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK", None, name=row.name)
    _require_unused(row, VmNic.objects.filter(profile__network=row))
    record(by, "NETWORK_REMOVE_NETWORK", row)
    removed(row)


@action
def attach(row: Network, cluster: Cluster, *, by: Actor, kept: Mapping[str, Any] | None = None) -> None:
    """Have a network reach a cluster; one that it reaches already stays. `kept` is what a client says of it there."""
    authorise(by, ActionGroup.ASSIGN_CLUSTER_NETWORK, cluster)
    row = locked(row)
    if not row.clusters.filter(pk=cluster.pk).exists():
        _attach(row, cluster)
        record(by, "NETWORK_ATTACH_NETWORK_TO_CLUSTER", row, cluster=cluster.name)
    if kept:
        changed(ClusterNetwork.objects.get(network=row, cluster=cluster), {"kept": dict(kept)})


@action
def detach(row: Network, cluster: Cluster, *, by: Actor) -> None:
    """Have a network reach a cluster no more; refused while machines there have cards on it."""
    authorise(by, ActionGroup.ASSIGN_CLUSTER_NETWORK, cluster)
    row = locked(row)
    if not row.clusters.filter(pk=cluster.pk).exists():
        return
    if row.is_management:
        raise Refusal("NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK", None, name=row.name)
    there = Q(vm__cluster=cluster) | Q(template__cluster=cluster)
    _require_unused(row, VmNic.objects.filter(there, profile__network=row))
    row.clusters.remove(cluster)
    record(by, "NETWORK_DETACH_NETWORK_FROM_CLUSTER", row, cluster=cluster.name)


# -- profiles


@action
def create_profile(name: str, *, network: Network, by: Actor, **columns: Any) -> VnicProfile:
    """A new profile of a network; `columns` are description, comment and public."""
    authorise(by, ActionGroup.CREATE_NETWORK_VNIC_PROFILE, network)
    check_network_name(name)
    row = VnicProfile(network=network, name=name, **columns)
    added(row)
    record(by, "ADD_VNIC_PROFILE", row)
    return row


@action
def edit_profile(row: VnicProfile, *, by: Actor, **columns: Any) -> VnicProfile:
    """Change its name, description, comment, or who may use it."""
    row = locked(row)
    authorise(by, ActionGroup.CONFIGURE_NETWORK_VNIC_PROFILE, row)
    check_network_name(columns.get("name", row.name))
    before, after = changed(row, columns)
    if after:
        record(by, "UPDATE_VNIC_PROFILE", row, before, after)
    return row


@action
def remove_profile(row: VnicProfile, *, by: Actor) -> None:
    """Remove a profile that no card has."""
    row = locked(row)
    authorise(by, ActionGroup.DELETE_NETWORK_VNIC_PROFILE, row)
    _require_unused(row, row.cards.all())
    record(by, "REMOVE_VNIC_PROFILE", row)
    removed(row)


# -- inside


def _reach(row: Network, wanted: set[Cluster], *, by: Actor) -> None:
    there = set(Cluster.objects.filter(reached_by__network=row))
    for cluster in sorted(wanted - there, key=str):
        attach(row, cluster, by=by)
    for cluster in sorted(there - wanted, key=str):
        detach(row, cluster, by=by)


def _attach(row: Network, cluster: Cluster) -> None:
    if cluster.data_center_id != row.data_center_id:
        allowed = "a cluster of the network's data center"
        raise Refusal("ILLEGAL_VALUE", "clusters", value=cluster.name, allowed=allowed)
    row.clusters.add(cluster)


def _checked(row: Network) -> Network:
    """Refuse what hosts cannot carry: a value that makes no sense, or a bridge that none of those that told has."""
    check_network_name(row.name)
    kinds = list(NetworkKind)
    if row.kind not in kinds:
        raise Refusal("ILLEGAL_VALUE", "kind", value=str(row.kind)[:40], allowed=", ".join(kinds))
    wire = row.wire
    hosts = Host.objects.filter(cluster__data_center=row.data_center)
    told: list[Capabilities] = [each for each in (host.capabilities for host in hosts) if each is not None]
    if wire.source and told and all(each.lacks_wire(wire) for each in told):
        there = {each.bridges if wire.kind == NetworkKind.BRIDGE else each.libvirt_networks for each in told}
        known = ", ".join(sorted({name for names in there for name in names or ()}))
        raise Refusal("NETWORK_NOT_ON_HOSTS", "source", source=wire.source, there=known or "–")
    return row


def _require_not_renamed(row: Network, columns: dict[str, Any]) -> None:
    if row.is_management and columns.get("name", row.name) != row.name:
        raise Refusal("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", "name", name=row.name)


def _require_unused(row: Network | VnicProfile, cards: Any) -> None:
    names = sorted({str(card.vm or card.template) for card in cards.select_related("vm", "template")[:20]})[:3]
    if names:
        raise Refusal("ACTION_TYPE_FAILED_STILL_IN_USE", None, name=str(row), users=", ".join(names))


def _pass_on(row: Network) -> None:
    """Bring what depends on the machines there up to date: what is pending, and what a reboot does."""
    for model in (VM, Template):
        on_it = model.objects.filter(cards__profile__network=row).order_by().values("pk")
        for machine in all_locked(model.objects.filter(pk__in=on_it)):
            follow(machine)
