"""Networks, vNIC profiles, MAC address pools and network cards in WebAdmin and UserPortal."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import fresh, up
from tests.factories import machine
from tests.web.browser import controls
from tests.web.kinds import HTMX
from tests.web.test_vm_detail import text_of
from vms.actions import create, guests, networks, nics
from vms.domain.guest import Guest, GuestAddress, Source
from vms.models import VM, Cluster, DataCenter, Host, MacPool, Network, Template, User, VmNic, VnicProfile

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

Save = Callable[..., Any]


@pytest.fixture
def save(web: Client) -> Save:
    """Fill in the dialog at an address as a browser does, and send it."""

    def send(path: str, **values: Any) -> Any:
        drawn = controls(web.get(path).content.decode(), path)
        return web.post(path, {**drawn.data, **values})

    return send


def test_a_network_is_made_changed_and_removed(web: Client, save: Save, cluster: Cluster, admin: User) -> None:
    assert save("/networks/new", name="lan", kind="isolated", mtu="1400").status_code == 302
    lan = Network.objects.get(name="lan")
    assert list(lan.clusters.all()) == [cluster], "all clusters of the only data center, unless one says otherwise"
    assert "lan Default Isolated with DHCP 1400 Default 0" in text_of(web, "/networks/")
    page = text_of(web, f"/networks/{lan.pk}/")
    assert "Carried by Isolated with DHCP" in page
    assert "was created by admin" in page
    assert save(f"/networks/{lan.pk}/edit", clusters=[], description="of the shop").status_code == 302
    assert list(Network.objects.get(pk=lan.pk).clusters.all()) == []
    assert web.post(f"/networks/{lan.pk}/remove").status_code == 302
    assert not Network.objects.filter(pk=lan.pk).exists()


def test_what_is_refused_is_said_at_its_field(save: Save, admin: User) -> None:
    for values, field in (
        ({"kind": "bridge", "source": ""}, "source"),
        ({"kind": "nat", "subnet": "everywhere"}, "subnet"),
        ({"name": "la\u202en"}, "name"),
        ({"name": "ovirtmgmt"}, "name"),
    ):
        answer = save("/networks/new", **{"name": "lan", **values})
        assert answer.status_code == 422
        assert set(answer.context["form"].errors) == {field}, values
    answer = save("/mac-pools/new", name="few", ranges="01:00:5e:00:00:00 - 01:00:5e:00:00:01")
    assert set(answer.context["form"].errors) == {"ranges"}
    assert Network.objects.count() == MacPool.objects.count() == 1


def test_a_profile_and_a_pool_of_addresses_are_made(web: Client, save: Save, admin: User) -> None:
    own = Network.objects.get()
    assert save("/vnic-profiles/new", name="fast", network=own.pk, public="").status_code == 302
    assert "fast ovirtmgmt Default Administrators of the data center" in text_of(web, "/vnic-profiles/")
    ranges = "56:6F:00:00:00:00 - 56:6f:00:00:00:0f\n\n56:6f:00:00:01:00 - 56:6f:00:00:01:0f\n"
    assert save("/mac-pools/new", name="few", ranges=ranges).status_code == 302
    pool = MacPool.objects.get(name="few")
    assert pool.ranges == [["56:6f:00:00:00:00", "56:6f:00:00:00:0f"], ["56:6f:00:00:01:00", "56:6f:00:00:01:0f"]]
    assert save(f"/mac-pools/{pool.pk}/edit", description="of the shop", ranges=ranges).status_code == 302
    assert "56:6f:00:00:01:00 – 56:6f:00:00:01:0f" in text_of(web, f"/mac-pools/{pool.pk}/")


def test_the_tab_tells_of_each_card_and_takes_changes(web: Client, save: Save, vm: VM, host: Host, admin: User) -> None:
    tab = f"/vms/{vm.pk}/nics"
    assert "It has no network interface" in text_of(web, tab)
    profile = VnicProfile.objects.get()
    assert save(f"{tab}/new", profile=profile.pk).status_code == 302
    card = VmNic.objects.get(vm=vm)
    assert (card.name, card.profile, card.linked, card.plugged) == ("nic1", profile, True, True)
    up(fresh(vm), host, by=admin)
    told = GuestAddress(address="192.168.150.7", source=Source.LEASE, mac=card.mac)
    guests.seen(host, vm.pk, Guest(addresses={Source.LEASE: (told,)}))
    card.counted = {"received": 2048, "sent": 0, "receive_rate": 512.0, "send_rate": 0.0}
    card.save(update_fields=["counted"])
    row = f"nic1 ovirtmgmt/ovirtmgmt Up VirtIO {card.mac} 192.168.150.7 512 B/s · 2.0 KiB 0 B/s · 0 B"
    assert row in text_of(web, tab)
    assert save(f"{tab}/{card.pk}/edit", model="e1000e", linked="").status_code == 302
    assert web.post(f"{tab}/{card.pk}/unplug").status_code == 302
    card.refresh_from_db()
    assert (card.model, card.linked, card.plugged) == ("e1000e", False, False)
    assert "nic1 ovirtmgmt/ovirtmgmt Unplugged e1000e" in text_of(web, tab)
    assert web.post(f"{tab}/{card.pk}/remove").status_code == 302
    assert not VmNic.objects.exists()


def test_a_bad_card_keeps_the_dialog_with_the_reason(save: Save, vm: VM, headless_vm: VM, admin: User) -> None:
    taken = nics.add(headless_vm, nics.Card(), by=admin).mac
    for values, field in (({"mac": taken}, "mac"), ({"mac": "01:00:5e:00:00:01"}, "mac"), ({"name": "a b"}, "name")):
        answer = save(f"/vms/{vm.pk}/nics/new", **values)
        assert answer.status_code in {409, 422}
        assert set(answer.context["form"].errors) == {field}, values


def test_templates_have_the_tab_without_addresses(web: Client, save: Save, vm: VM, admin: User) -> None:
    template = create.template("base", vm=vm, by=admin)
    tab = f"/templates/{template.pk}/nics"
    assert save(f"{tab}/new", name="lan").status_code == 302
    assert "mac" not in controls(web.get(f"{tab}/new").content.decode(), f"{tab}/new").data
    assert "lan ovirtmgmt/ovirtmgmt Up VirtIO" in text_of(web, tab)


# -- a new machine


def test_a_new_machine_begins_with_one_card_on_the_network_of_all(web: Client, save: Save, admin: User) -> None:
    assert save("/vms/new", name="fresh").status_code == 302
    (nic,) = VM.objects.get(name="fresh").spec.nics
    assert (nic.name, nic.wire and nic.wire.network) == ("nic1", Network.objects.get().pk)
    assert save("/vms/new", name="bare", nic1="").status_code == 302
    assert VM.objects.get(name="bare").spec.nics == ()


def test_each_chosen_row_is_followed_by_another(web: Client, admin: User) -> None:
    path, profile = "/vms/new", str(VnicProfile.objects.get().pk)
    drawn = controls(web.get(path).content.decode(), path).data
    assert [name for name in drawn if name.startswith("nic")] == ["nic1", "nic2"]
    html = web.post(f"{path}/preview", {**drawn, "nic2": profile}, headers=HTMX).content.decode()
    again = controls(html, path).data
    assert {name: again[name] for name in ("nic1", "nic2", "nic3")} == {"nic1": profile, "nic2": profile, "nic3": ""}
    assert web.post(path, {**again, "name": "two", "nic1": "none"}).status_code == 302
    assert [(nic.name, nic.wire is None) for nic in VM.objects.get(name="two").spec.nics] == [
        *(("nic1", True), ("nic2", False)),
    ]


def test_the_rows_follow_the_template_that_is_chosen(web: Client, cluster: Cluster, admin: User) -> None:
    lan = networks.create("lan", data_center=DataCenter.objects.get(), clusters=[cluster], by=admin)
    made = machine("source", by=admin)
    nics.add(made, nics.Card(name="shop", profile=lan.profiles.get(), model="e1000"), by=admin)
    template: Template = create.template("base", vm=fresh(made), by=admin)
    path = "/vms/new"
    drawn = controls(web.get(path).content.decode(), path).data
    html = web.post(f"{path}/preview", {**drawn, "template": str(template.pk)}, headers=HTMX).content.decode()
    again = controls(html, path).data
    assert again["nic1"] == str(lan.profiles.get().pk)
    # Without a script the rows are still those of Blank: what the template hands down counts.
    for name, posted in (("scripted", again), ("plain", {**drawn, "template": str(template.pk)})):
        assert web.post(path, {**posted, "name": name}).status_code == 302
        (nic,) = VM.objects.get(name=name).spec.nics
        assert (nic.name, nic.model, nic.wire and nic.wire.network) == ("shop", "e1000", lan.pk)


def test_nonsense_in_a_row_is_said_at_the_row(save: Save, vm: VM, admin: User) -> None:
    answer = save("/vms/new", name="odd", nic1=str(vm.pk))
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"nic1"}
