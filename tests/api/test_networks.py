"""Networks, profiles, MAC address pools and network cards, as oVirt's clients make and find them."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.actions.runs import fresh, up
from tests.api.caller import Caller
from tests.api.test_resources import made
from vms.actions import create, guests, nics
from vms.actions._jobs import PLUG_NICS
from vms.domain.guest import Guest, GuestAddress, Source
from vms.models import VM, Cluster, Host, Job, Network, User, VmNic, VnicProfile

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def named(api: Caller, path: str, root: str) -> list[str]:
    return sorted(each["name"] for each in api.get(path).all(root))


def test_a_network_is_made_found_changed_and_removed(api: Caller, admin: User) -> None:
    network = made(api, "/networks", "network", name="lan", data_center={"name": "Default"}, mtu=1400, comment="fast")
    told = api.get(network)
    assert (told.at("mtu"), told.at("usages/usage"), told.at("kind")) == ("1400", "vm", "automatic") or (
        told.at("usages/usage") == ["vm"]
    )
    search = quote('name="lan" and datacenter=Default')
    assert named(api, f"/networks?search={search}", "network") == ["lan"]
    assert named(api, f"{network}/vnicprofiles", "vnic_profile") == ["lan"]
    assert api.put(network, "network", {"description": "of the shop", "mtu": 0}).at("mtu") == "0"
    assert api.put(network, "network", {"usages": {"usage": ["vm", "display"]}}).status == 200
    assert sorted(api.get(network).at("usages/usage")) == ["display", "vm"]
    assert api.delete(network).status == 200
    assert api.get(network).status == 404


def test_what_is_not_offered_is_refused_and_nothing_is_made(api: Caller, admin: User) -> None:
    center = {"name": "Default"}
    offered: dict[str, dict[str, Any]] = {
        "vlan": {"vlan": {"id": 5}},
        "stp": {"stp": True},
        "isolation": {"port_isolation": True},
    }
    for name, more in offered.items():
        answer = api.post("/networks", "network", {"name": name, "data_center": center, **more})
        assert (answer.status, "not offered" in answer.fault[1]) == (400, True), name
    profile = {"name": "mirror", "network": {"name": "ovirtmgmt"}}
    for more in ({"port_mirroring": True}, {"pass_through": {"mode": "enabled"}}):
        assert api.post("/vnicprofiles", "vnic_profile", {**profile, **more}).status == 400
    assert Network.objects.count() == VnicProfile.objects.count() == 1


def test_a_network_reaches_the_clusters_that_a_client_says(api: Caller, cluster: Cluster, admin: User) -> None:
    network = made(api, "/networks", "network", name="lan", data_center={"name": "Default"})
    key = network.rpartition("/")[2]
    assert named(api, f"/clusters/{cluster.pk}/networks", "network") == ["ovirtmgmt"]
    there = made(api, f"/clusters/{cluster.pk}/networks", "network", id=key, required=False, display=True)
    assert (api.get(there).at("required"), api.get(there).at("display")) == ("false", "true")
    assert api.put(there, "network", {"required": True, "usages": {"usage": ["migration"]}}).at("required") == "true"
    assert api.get(there).at("display") == "true", "what is not said stays"
    assert api.delete(there).status == 200
    assert api.get(there).status == 404
    assert named(api, f"/datacenters/{cluster.data_center_id}/networks", "network") == ["lan", "ovirtmgmt"]


def test_a_profile_belongs_to_its_network(api: Caller, admin: User) -> None:
    own = Network.objects.get()
    profile = made(api, "/vnicprofiles", "vnic_profile", name="fast", network={"id": str(own.pk)}, migratable=False)
    told = api.get(profile)
    assert (told.at("pass_through/mode"), told.at("port_mirroring"), told.at("migratable")) == (
        *("disabled", "false", "false"),
    )
    assert api.put(profile, "vnic_profile", {"description": "fast"}).at("description") == "fast"
    assert named(api, "/vnicprofiles?follow=network", "vnic_profile") == ["fast", "ovirtmgmt"]
    assert api.delete(profile).status == 200


def test_a_pool_of_addresses_has_ranges(api: Caller, cluster: Cluster, admin: User) -> None:
    ranges = {"range": [{"from": "56:6F:00:00:00:00", "to": "56:6f:00:00:00:0f"}]}
    pool = made(api, "/macpools", "mac_pool", name="few", ranges=ranges, allow_duplicates=False)
    assert (
        api.get(pool).at("ranges/range")["from"] == "56:6f:00:00:00:00"
        if isinstance(api.get(pool).at("ranges/range"), dict)
        else api.get(pool).at("ranges/range")[0]["from"] == "56:6f:00:00:00:00"
    )
    place = f"/clusters/{cluster.pk}"
    assert api.put(place, "cluster", {"mac_pool": {"id": pool.rpartition("/")[2]}}).at("mac_pool/id") in pool
    assert api.delete(pool).status == 409
    bad = {"range": [{"from": "01:00:5e:00:00:00", "to": "01:00:5e:00:00:0f"}]}
    assert api.post("/macpools", "mac_pool", {"name": "bad", "ranges": bad}).status == 400


def test_cards_are_put_in_changed_unplugged_and_taken_out(api: Caller, vm: VM, host: Host, admin: User) -> None:
    profile = VnicProfile.objects.get()
    path = f"/vms/{vm.pk}/nics"
    card = made(api, path, "nic", name="nic1", interface="virtio", vnic_profile={"id": str(profile.pk)})
    told = api.get(card)
    assert (told.at("plugged"), told.at("linked"), told.at("vnic_profile/id")) == ("true", "true", str(profile.pk))
    assert told.at("mac/address").startswith("56:6f:")
    assert told.at("vm/id") == str(vm.pk)
    assert api.put(card, "nic", {"linked": False, "interface": "e1000"}).at("interface") == "e1000"
    assert api.put(card, "nic", {"vnic_profile": ""}).at("vnic_profile") is None
    assert api.put(card, "nic", {"mac": {"address": "56:6F:FF:00:00:01"}}).at("mac/address") == "56:6f:ff:00:00:01"
    up(fresh(vm), host, by=admin)
    assert api.post(f"{card}/deactivate").status == 200
    assert (api.get(card).at("plugged"), Job.objects.filter(verb=PLUG_NICS).count()) == ("false", 1)
    assert api.post(f"{card}/activate").status == 200
    for link in ("networkfilterparameters", "reporteddevices", "statistics"):
        assert api.get(f"{card}/{link}").tree == {}
    assert api.delete(card).status == 200
    assert api.get(path).tree == {}


def test_bad_cards_are_refused_with_the_reason(api: Caller, vm: VM, headless_vm: VM, admin: User) -> None:
    mac = nics.add(headless_vm, nics.Card(), by=admin).mac
    nics.add(vm, nics.Card(name="nic1"), by=admin)
    path = f"/vms/{vm.pk}/nics"
    for body, status, said in (
        ({"mac": {"address": mac}}, 409, "db"),
        ({"mac": {"address": "01:00:5e:00:00:01"}}, 400, "even"),
        ({"mac": {"address": "nonsense"}}, 400, "56:6f"),
        ({"name": "nic1"}, 409, "in use"),
        ({"name": "la/n"}, 400, "name"),
        ({"interface": "ne2k"}, 400, "virtio"),
        ({"vnic_profile": {"id": str(vm.pk)}}, 400, "vnic_profile"),
        ({"linked": "perhaps"}, 400, "true"),
    ):
        answer = api.post(path, "nic", {"name": "other", **body})
        assert (answer.status, said in answer.fault[1]) == (status, True), (body, answer.text)
    assert VmNic.objects.filter(vm=vm).count() == 1


def test_what_the_guest_tells_of_a_card_hangs_on_it(api: Caller, vm: VM, host: Host, admin: User) -> None:
    card = nics.add(vm, nics.Card(), by=admin)
    other = nics.add(fresh(vm), nics.Card(), by=admin)
    up(fresh(vm), host, by=admin)
    told = GuestAddress(address="192.168.150.7", source=Source.LEASE, mac=card.mac, interface="eth0")
    guests.seen(host, vm.pk, Guest(addresses={Source.LEASE: (told,)}))
    path = f"/vms/{vm.pk}/nics"
    (device,) = api.get(f"{path}/{card.pk}/reporteddevices").all("reported_device")
    assert (device["name"], device["mac"]["address"]) == ("eth0", card.mac)
    assert api.get(f"{path}/{other.pk}/reporteddevices").tree == {}
    (machine,) = api.get("/vms?follow=nics.reported_devices&search=name%3Dweb").all("vm")
    assert "192.168.150.7" in str(machine["nics"])


def test_a_template_hands_down_its_cards(api: Caller, vm: VM, admin: User) -> None:
    nics.add(vm, nics.Card(name="wan", profile=VnicProfile.objects.get()), by=admin)
    template = create.template("base", vm=fresh(vm), by=admin)
    (card,) = api.get(f"/templates/{template.pk}/nics").all("nic")
    assert (card["name"], "mac" in card, card["template"]["id"]) == ("wan", False, str(template.pk))
    machine = made(api, "/vms", "vm", name="next", cluster={"name": "Default"}, template={"name": "base"})
    assert named(api, f"{machine}/nics", "nic") == ["wan"]
    second = made(api, f"/templates/{template.pk}/nics", "nic", name="lan")
    assert api.put(second, "nic", {"name": "dmz"}).at("name") == "dmz"
    assert api.delete(second).status == 200


def test_a_machine_of_blank_has_no_card(api: Caller, admin: User) -> None:
    machine = made(api, "/vms", "vm", name="bare", cluster={"name": "Default"}, template={"name": "Blank"})
    assert api.get(f"{machine}/nics").tree == {}


def test_who_may_not_configure_a_network_sees_cards_and_changes_none(
    vm: VM, alice: User, bob: User, admin: User
) -> None:
    card = nics.add(vm, nics.Card(), by=admin)
    path = f"/vms/{vm.pk}/nics/{card.pk}"
    watcher, owner = Caller(bob), Caller(alice)
    assert watcher.get(path).status == 200
    denied: list[Any] = [
        *(watcher.delete(path), watcher.put(path, "nic", {"linked": False}), watcher.post(f"{path}/deactivate")),
        *(
            watcher.post(f"/vms/{vm.pk}/nics", "nic", {"name": "mine"}),
            owner.delete(f"/networks/{Network.objects.get().pk}"),
        ),
    ]
    assert {answer.status for answer in denied} == {403}
    assert owner.put(path, "nic", {"linked": False}).status == 200
