"""Networks, profiles, MAC address pools and cards: made, changed and removed, and what is refused with the reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.actions.runs import down, fresh, tell, up
from tests.factories import machine, person
from vms.actions import create, macpools, networks, nics, places, pools, reports
from vms.actions._jobs import PLUG_NICS
from vms.actions.remove import remove
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities
from vms.domain.lifecycle import Status
from vms.domain.networks import MacRange, NetworkKind
from vms.models import (
    VM,
    AuditEvent,
    Cluster,
    DataCenter,
    Device,
    Host,
    Job,
    MacPool,
    Network,
    User,
    VmNic,
    VnicProfile,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def center(db: None) -> DataCenter:
    return DataCenter.objects.get()


@pytest.fixture
def profile(db: None) -> VnicProfile:
    """The one that everything begins with."""
    return VnicProfile.objects.get(name="ovirtmgmt")


@pytest.fixture
def lan(center: DataCenter, cluster: Cluster, admin: User) -> Network:
    """A network that reaches the cluster."""
    return networks.create("lan", data_center=center, clusters=[cluster], kind="isolated", by=admin)


def no(call: Any, *arguments: Any, **named: Any) -> tuple[str, str]:
    """The code and the field of a refusal."""
    with pytest.raises(Refusal) as refusal:
        call(*arguments, **named)
    return refusal.value.code, refusal.value.field or ""


def card(vm: VM, name: str = "", **more: Any) -> VmNic:
    """A card of the machine, added by its administrator."""
    return nics.add(vm, nics.Card(name=name, **more), by=User.objects.get(username="admin"))


# -- what everything begins with


def test_every_data_center_begins_with_a_network_that_its_clusters_reach(admin: User) -> None:
    berlin = places.create_data_center("Berlin", by=admin)
    shop = places.create_cluster("shop", data_center=berlin, by=admin)
    first = DataCenter.objects.get(name="Default"), Cluster.objects.get(name="Default")
    for center, cluster in (
        (berlin, shop),
        first,
    ):
        network = center.networks.get()
        assert (network.name, network.kind, network.profiles.get().name) == ("ovirtmgmt", "automatic", "ovirtmgmt")
        assert list(network.clusters.all()) == [cluster]


def test_the_data_centers_own_network_stays_under_its_name(center: DataCenter, cluster: Cluster, admin: User) -> None:
    own = center.networks.get()
    assert no(networks.remove, own, by=admin)[0] == "NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK"
    assert no(networks.detach, own, cluster, by=admin)[0] == "NETWORK_CANNOT_REMOVE_MANAGEMENT_NETWORK"
    assert no(networks.edit, own, name="lan", by=admin) == ("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", "name")
    assert networks.edit(own, kind="user", description="slow", by=admin).kind == "user"


# -- networks and profiles


def test_a_network_comes_with_a_profile_of_its_name(lan: Network) -> None:
    assert [each.name for each in lan.profiles.all()] == ["lan"]
    assert AuditEvent.objects.filter(code="NETWORK_ADD_NETWORK", entity_id=lan.pk).exists()


def test_a_name_is_used_once_in_a_data_center(lan: Network, center: DataCenter, admin: User) -> None:
    assert no(networks.create, "lan", data_center=center, by=admin) == ("ACTION_TYPE_FAILED_NAME_ALREADY_USED", "name")
    assert no(networks.create_profile, "lan", network=lan, by=admin) == ("ACTION_TYPE_FAILED_NAME_ALREADY_USED", "name")
    other = places.create_data_center("Berlin", by=admin)
    assert networks.create("lan", data_center=other, by=admin).name == "lan"


def test_a_bridge_that_no_host_has_is_refused(host: Host, center: DataCenter, admin: User) -> None:
    told = Capabilities(bridges=frozenset({"br1"}), libvirt_networks=frozenset({"lab"}))
    reports.host_seen(host, told)
    for kind, source in ((NetworkKind.BRIDGE, "br0"), (NetworkKind.LIBVIRT, "default")):
        refusal = no(networks.create, "lan", data_center=center, kind=kind.value, source=source, by=admin)
        assert refusal == ("NETWORK_NOT_ON_HOSTS", "source")
    assert not Network.objects.filter(name="lan").exists()
    assert networks.create("lan", data_center=center, kind="bridge", source="br1", by=admin).source == "br1"


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"kind": "vlan"}, "kind"),
        ({"kind": "bridge"}, "source"),
        ({"kind": "nat", "subnet": "everywhere"}, "subnet"),
        ({"kind": "nat", "mtu": 3}, "mtu"),
        ({"description": "a\0b"}, "description"),
        ({"comment": "a" * 4001}, "comment"),
    ],
)
def test_a_network_that_cannot_be_is_refused_with_its_field(
    center: DataCenter, admin: User, columns: dict[str, Any], field: str
) -> None:
    assert no(networks.create, "lan", data_center=center, by=admin, **columns) == ("ILLEGAL_VALUE", field)
    assert no(networks.edit, center.networks.get(), by=admin, **columns) == ("ILLEGAL_VALUE", field)


def test_a_network_with_cards_on_it_stays(lan: Network, vm: VM, cluster: Cluster, admin: User) -> None:
    card(vm, profile=lan.profiles.get())
    assert no(networks.remove, lan, by=admin)[0] == "ACTION_TYPE_FAILED_STILL_IN_USE"
    assert no(networks.remove_profile, lan.profiles.get(), by=admin)[0] == "ACTION_TYPE_FAILED_STILL_IN_USE"
    assert no(networks.detach, lan, cluster, by=admin)[0] == "ACTION_TYPE_FAILED_STILL_IN_USE"
    nics.remove(vm.cards.get(), by=admin)
    networks.detach(lan, cluster, by=admin)
    networks.remove(lan, by=admin)
    assert not Network.objects.filter(name="lan").exists()


def test_a_network_reaches_only_clusters_of_its_data_center(lan: Network, admin: User) -> None:
    far = places.create_cluster("far", data_center=places.create_data_center("Berlin", by=admin), by=admin)
    assert no(networks.attach, lan, far, by=admin) == ("ILLEGAL_VALUE", "clusters")


def test_networks_are_administrators_affair(center: DataCenter, lan: Network, cluster: Cluster, carol: User) -> None:
    bounds: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {
        "create_storage_pool_network": (networks.create, ("other",), {"data_center": center}),
        "configure_storage_pool_network": (networks.edit, (lan,), {"comment": "mine"}),
        "delete_storage_pool_network": (networks.remove, (lan,), {}),
        "assign_cluster_network": (networks.detach, (lan, cluster), {}),
        "create_network_vnic_profile": (networks.create_profile, ("fast",), {"network": lan}),
        "configure_network_vnic_profile": (networks.edit_profile, (lan.profiles.get(),), {"public": False}),
        "delete_network_vnic_profile": (networks.remove_profile, (lan.profiles.get(),), {}),
        "create_mac_pool": (macpools.create, ("mine",), {"ranges": []}),
        "edit_mac_pool": (macpools.edit, (MacPool.objects.get(),), {"name": "mine"}),
        "delete_mac_pool": (macpools.remove, (MacPool.objects.get(),), {}),
    }
    for call, arguments, named in bounds.values():
        assert no(call, *arguments, by=carol, **named)[0] == "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"


def test_another_way_to_carry_a_network_waits_for_a_restart_of_what_runs_on_it(
    lan: Network, vm: VM, host: Host, admin: User
) -> None:
    card(vm, profile=lan.profiles.get())
    reports.host_seen(host, Capabilities(networks=True))
    running = up(vm, host, by=admin)
    networks.edit(lan, kind="nat", by=admin)
    assert fresh(running).pending_names == ["nics"]
    networks.edit(lan, kind="isolated", description="back", by=admin)
    assert fresh(running).pending_names == []


# -- MAC address pools


def ranged(first: int, last: int) -> MacRange:
    return MacRange(f"56:6f:00:00:00:{first:02x}", f"56:6f:00:00:00:{last:02x}")


def test_addresses_are_handed_out_one_after_the_other_and_gaps_when_there_are_no_others(vm: VM, admin: User) -> None:
    pool = macpools.create("few", ranges=[ranged(1, 3)], by=admin)
    places.edit_cluster(vm.cluster, mac_pool=pool, by=admin)
    made = [card(fresh(vm)) for _ in range(3)]
    assert [each.mac for each in made] == [f"56:6f:00:00:00:0{n}" for n in (1, 2, 3)]
    assert [each.name for each in made] == ["nic1", "nic2", "nic3"]
    assert no(card, fresh(vm)) == ("MAC_POOL_NOT_ENOUGH_MAC_ADDRESSES", "mac")
    nics.remove(made[1], by=admin)
    assert card(fresh(vm)).mac == "56:6f:00:00:00:02"
    macpools.edit(pool, ranges=[ranged(1, 3), ranged(16, 17)], by=admin)
    assert card(fresh(vm)).mac == "56:6f:00:00:00:10"


def test_an_exhausted_pool_makes_no_half_of_a_pool_of_machines(cluster: Cluster, admin: User) -> None:
    few = macpools.create("few", ranges=[ranged(1, 3)], by=admin)
    cluster = places.edit_cluster(cluster, mac_pool=few, by=admin)
    base = create.template("base", cluster=cluster, by=admin)
    nics.add(base, nics.Card(), by=admin)
    nics.add(base, nics.Card(), by=admin)
    asked = {"cluster": cluster, "template": base, "size": 2}
    assert no(create.pool, "row", **asked, by=admin)[0] == "MAC_POOL_NOT_ENOUGH_MAC_ADDRESSES"
    assert (VM.objects.count(), VmNic.objects.filter(vm__isnull=False).count()) == (0, 0)


def test_an_address_belongs_to_one_card_unless_its_pool_allows_more(
    vm: VM, headless_vm: VM, cluster: Cluster, admin: User
) -> None:
    first = card(vm, mac="56:6F:00:00:00:01")
    assert no(card, headless_vm, mac="56:6f:00:00:00:01") == ("NETWORK_MAC_ADDRESS_IN_USE", "mac")
    other = card(headless_vm)
    assert no(nics.edit, other, mac=first.mac, by=admin) == ("NETWORK_MAC_ADDRESS_IN_USE", "mac")
    assert nics.edit(first, mac=first.mac, by=admin).mac == "56:6f:00:00:00:01", "its own is no other's"
    pool = macpools.create("twins", ranges=[ranged(1, 3)], allow_duplicates=True, by=admin)
    places.edit_cluster(cluster, mac_pool=pool, by=admin)
    assert nics.edit(other, mac=first.mac, by=admin).mac == first.mac


def test_a_pool_that_clusters_use_stays_and_so_does_the_default(cluster: Cluster, admin: User) -> None:
    default = MacPool.objects.get(name="Default")
    pool = macpools.create("few", ranges=[ranged(1, 3)], by=admin)
    places.edit_cluster(cluster, mac_pool=pool, by=admin)
    assert no(macpools.remove, pool, by=admin)[0] == "ACTION_TYPE_FAILED_STILL_IN_USE"
    assert no(macpools.remove, default, by=admin)[0] == "ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN"
    assert no(macpools.create, "few", ranges=[ranged(1, 3)], by=admin) == (
        *("ACTION_TYPE_FAILED_NAME_ALREADY_USED", "name"),
    )
    assert no(macpools.create, "none", ranges=[], by=admin) == ("ILLEGAL_VALUE", "ranges")


# -- cards


def test_a_card_is_a_device_of_its_machine(vm: VM, profile: VnicProfile) -> None:
    made = card(vm, profile=profile, model="e1000e")
    (device,) = Device.objects.filter(vm=vm, kind="interface")
    assert (device.device_id, device.model) == (made.pk, "e1000e")
    assert device.params == {"name": "nic1", "mac": made.mac, "linked": True}
    assert fresh(vm).version == vm.version + 1


def test_a_card_that_is_kept_aside_is_none(vm: VM, admin: User) -> None:
    made = card(vm)
    nics.edit(made, plugged=False, by=admin)
    assert not Device.objects.filter(vm=vm, kind="interface").exists()
    assert [nic.plugged for nic in fresh(vm).spec.nics] == [False]


def test_what_a_card_cannot_be_is_refused_with_its_field(vm: VM, lan: Network, cluster: Cluster, admin: User) -> None:
    made = card(vm, "lan")
    networks.detach(lan, cluster, by=admin)
    cases: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
        "multicast": ({"mac": "01:00:5e:00:00:01"}, ("ILLEGAL_VALUE", "mac")),
        "no address": ({"mac": "web"}, ("ILLEGAL_VALUE", "mac")),
        "no model": ({"model": "ne2k"}, ("ILLEGAL_VALUE", "model")),
        "odd name": ({"name": "la\0n"}, ("ACTION_TYPE_FAILED_INVALID_CHARACTERS_IN_NAME", "name")),
        "a network elsewhere": ({"profile": lan.profiles.get()}, ("NETWORK_NOT_IN_CLUSTER", "profile")),
    }
    for case, (columns, refusal) in cases.items():
        assert no(card, fresh(vm), **{"name": "other", **columns}) == refusal, case
        assert no(nics.edit, made, by=admin, **columns) == refusal, case
    assert no(card, fresh(vm), "lan") == ("ACTION_TYPE_FAILED_NAME_ALREADY_USED", "name")
    assert list(VmNic.objects.filter(vm=vm)) == [made]


def test_cards_take_the_right_to_configure_them_and_profiles_that_one_may_use(
    vm: VM, lan: Network, alice: User, bob: User, carol: User, admin: User
) -> None:
    for somebody in (bob, carol):
        assert no(nics.add, vm, nics.Card(), by=somebody)[0] == "USER_NOT_AUTHORIZED_TO_PERFORM_ACTION"
    open_to_all, own = lan.profiles.get(), networks.create_profile("own", network=lan, public=False, by=admin)
    assert nics.add(vm, nics.Card(profile=open_to_all), by=alice).profile == open_to_all
    assert no(nics.add, fresh(vm), nics.Card(profile=own), by=alice) == (
        *("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", "profile"),
    )


def test_machines_inherit_the_cards_of_their_template_with_addresses_of_their_own(
    vm: VM, lan: Network, profile: VnicProfile, admin: User
) -> None:
    card(vm, "wan", profile=profile)
    card(fresh(vm), "lan", profile=lan.profiles.get(), model="e1000", linked=False)
    template = create.template("base", vm=fresh(vm), by=admin)
    assert {(each.name, each.mac) for each in template.cards.all()} == {("wan", ""), ("lan", "")}
    made = [create.vm(name, cluster=vm.cluster, template=template, by=admin) for name in ("one", "two")]
    for each in made:
        assert [(nic.name, nic.model, nic.linked) for nic in each.spec.nics] == [
            *(("wan", "virtio", True), ("lan", "e1000", False)),
        ]
    macs = {nic.mac for each in (*made, fresh(vm)) for nic in each.spec.nics}
    assert len(macs) == 6
    pool = create.pool("row", cluster=vm.cluster, template=template, size=2, by=admin)
    assert [member.cards.count() for member in pool.vms.all()] == [2, 2]
    chosen = create.vm("three", cluster=vm.cluster, template=template, cards=[nics.Card(profile=profile)], by=admin)
    assert [nic.name for nic in chosen.spec.nics] == ["nic1"]


def test_a_template_has_no_addresses(vm: VM, admin: User) -> None:
    template = create.template("base", vm=vm, by=admin)
    assert no(nics.add, template, nics.Card(mac="56:6f:00:00:00:01"), by=admin) == ("ILLEGAL_VALUE", "mac")


def test_a_machine_of_a_pool_has_its_cards_from_there(vm: VM, cluster: Cluster, admin: User) -> None:
    member = create.pool("row", cluster=cluster, by=admin).vms.get()
    assert no(card, member)[0] == "ACTION_TYPE_FAILED_VM_IN_POOL"
    assert card(pools.detach(member, by=admin)).name == "nic1"


def test_a_running_machine_follows_at_once(vm: VM, host: Host, profile: VnicProfile, admin: User) -> None:
    running = up(vm, host, by=admin)
    made = card(running, profile=profile)
    (job,) = Job.objects.filter(verb=PLUG_NICS)
    assert (job.machine, job.host, job.exclusive) == (vm.pk, host, False)
    assert fresh(vm).pending_names == ["nics"], "until the engine has done it"
    run = fresh(vm).run
    assert run is not None
    live = replace(run, base=replace(run.base, nics=fresh(vm).spec.nics))
    assert tell(vm, host, Status.UP, run=live, machine="pc-q35-7.2").pending_names == []
    assert Device.objects.filter(vm=vm, kind="interface", device_id=made.pk).count() == 2, "configured and running"


def test_a_machine_that_is_off_needs_no_engine(vm: VM, host: Host, admin: User) -> None:
    off = down(up(vm, host, by=admin), host)
    Job.objects.all().delete()
    card(off)
    assert not Job.objects.filter(verb=PLUG_NICS).exists()


def test_a_removed_machine_takes_its_cards_with_it_and_frees_their_addresses(vm: VM, admin: User) -> None:
    mac = card(vm).mac
    remove(fresh(vm), by=admin)
    assert not VmNic.objects.filter(mac=mac).exists()
    assert card(machine("next", by=admin), mac=mac).mac == mac


def test_two_who_add_a_card_at_once_get_two_names_and_addresses(vm: VM, admin: User) -> None:
    stale = VM.objects.get(pk=vm.pk)
    one, two = card(vm), nics.add(stale, nics.Card(), by=admin)
    assert {one.name, two.name} == {"nic1", "nic2"}
    assert one.mac != two.mac


def test_a_network_that_only_some_may_use_is_not_there_for_others(lan: Network, alice: User, admin: User) -> None:
    assert lan in Network.objects.visible_to(alice)
    networks.edit_profile(lan.profiles.get(), public=False, by=admin)
    assert lan not in Network.objects.visible_to(alice)
    dave = person("dave", role="DataCenterAdmin", data_center=lan.data_center)
    assert lan in Network.objects.visible_to(dave)
