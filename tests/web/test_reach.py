"""The access panel of General: for every kind of machine, with the cures that whoever looks can use."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.factories import headless, machine
from tests.web.kinds import html_of, text_of
from vms.actions import create, guests
from vms.domain.access import Cure, Facts, Proof, Rating, Way, rate
from vms.domain.changes import Changes
from vms.domain.console import Console
from vms.domain.guest import Guest, GuestAddress, Source
from vms.messages.access import CURES, EXPLAINED, RATINGS, STATES, WAYS
from vms.models import VM, Cluster, Host, PublicKey, User
from vms.web.reach import reach

pytestmark = pytest.mark.django_db

MAKERS: dict[str, Callable[..., Any]] = {
    "/vms/": lambda name, changes, cluster, by: machine(name, by=by, console=changes.console),
    "/templates/": lambda name, changes, cluster, by: create.template(name, cluster=cluster, changes=changes, by=by),
    "/pools/": lambda name, changes, cluster, by: create.pool(name, cluster=cluster, changes=changes, by=by),
    "/instance-types/": lambda name, changes, cluster, by: create.instance_type(name, changes=changes, by=by),
}


def test_general_rates_every_kind_and_offers_what_helps(web: Client, cluster: Cluster, host: Host, admin: User) -> None:
    for section, make in MAKERS.items():
        bright, dark = (make(name, Changes(console=to), cluster, admin) for name, to in (("a", None), ("b", headless)))
        assert "Access: One way in" in text_of(web, f"{section}{bright.pk}/"), section
        html = html_of(web.get(f"{section}{dark.pk}/"))
        assert "</span> Locked out</p>" in html, section
        assert f'href="{section}{dark.pk}/edit?tab=console&amp;cure=enable_serial"' in html, section
        assert (f'href="{section}{dark.pk}/run-once?console=vnc"' in html) == (section == "/vms/")


def test_who_may_not_edit_is_offered_no_edit(bob: User, vm: VM, client: Client) -> None:
    VM.objects.filter(pk=vm.pk).update(display_type="none", vnc=False)
    client.force_login(bob)
    html = html_of(client.get(f"/portal/vms/{vm.pk}/"))
    assert ("Locked out" in html, "cure=enable_serial" in html, "run-once?console=vnc" in html) == (True, False, True)


def test_a_key_helps_whoever_has_none_where_there_is_a_serial_line(web: Client, host: Host, admin: User) -> None:
    dark = machine("dark", by=admin, console=lambda console, _: replace(console, serial=True).as_headless())
    offered = '<a class="pf-v6-c-button pf-m-link pf-m-small" id="do-cure-add_ssh_key" href="/account/">'
    assert offered in html_of(web.get(f"/vms/{dark.pk}/"))
    PublicKey.objects.create(user=admin, fingerprint="SHA256:x", line="ssh-ed25519 x")
    assert "do-cure-add_ssh_key" not in html_of(web.get(f"/vms/{dark.pk}/"))


def test_what_runs_cannot_be_run_once_to_cure_it(web: Client, headless_vm: VM, host: Host, admin: User) -> None:
    up(headless_vm, host, by=admin)
    assert 'id="do-cure-run_once_with_vnc"' not in html_of(web.get(f"/vms/{headless_vm.pk}/"))


def test_the_panel_says_what_goes_and_what_comes() -> None:
    before, after = rate(Console()), rate(Console(serial=True).as_headless())
    told = {str(way.label): (way.goes, way.comes) for way in reach(after, before=before, pages={}).ways}
    assert told["Graphical console"] == (True, False)
    assert told["Serial console"] == (False, True)


def test_every_rating_way_and_cure_has_words() -> None:
    assert set(RATINGS) == set(EXPLAINED) == set(Rating)
    assert (set(WAYS), set(CURES)) == (set(Way), set(Cure))
    impossible = {(Way.GRAPHICAL, Proof.UNPROVEN)}
    assert set(STATES) == {(way, proof) for way in Way for proof in Proof} - impossible
    for facts in (Facts(), Facts(addresses=("192.0.2.7",), guest_key=True)):
        assert all(way.state for way in reach(rate(Console(), facts), pages={}).ways)


def test_the_command_for_a_terminal_is_there_with_the_age_of_its_address(
    web: Client, vm: VM, host: Host, admin: User
) -> None:
    up(vm, host, by=admin)
    address = GuestAddress(address="192.0.2.7", source=Source.LEASE)
    local = GuestAddress(address="fe80::5", source=Source.LEASE)
    guests.seen(host, vm.pk, Guest(addresses={Source.LEASE: (address, local)}))
    text = text_of(web, f"/vms/{vm.pk}/")
    assert "ssh root@192.0.2.7 (DHCP lease, 0 minutes ago)" in text.replace("\xa0", " ")
    assert "ssh root@fe80" not in text
