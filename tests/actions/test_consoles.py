"""Adding and removing graphics consoles, on every kind of machine (engine-behaviour 11: 2 to 14, 56)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps

from tests.actions.places import cluster_offering
from vms.actions import consoles, create
from vms.domain.changes import Changes
from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Console, Graphics, Protocol, Video
from vms.domain.errors import Kind, Refusal
from vms.models import VM, Cluster, Hardware, Host, InstanceType, Pool, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

KINDS = ["vm", "template", "pool", "instance_type"]
SHOWN: dict[Graphics, Video | None] = {
    HEADLESS: None,
    VNC: Video.VGA,
    SPICE: Video.QXL,
    SPICE_AND_VNC: Video.QXL,
}


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, cluster: Cluster, admin: User, host: Host) -> Callable[..., Hardware]:
    """One of each kind, showing what is asked for."""

    def made(graphics: Graphics, where: Cluster = cluster, **more: Any) -> Hardware:
        place = {} if request.param == "instance_type" else {"cluster": where}
        console = Console(graphics=graphics, video=SHOWN[graphics], **more)
        row: Hardware = getattr(create, request.param)(
            "web", changes=Changes(console=lambda _console, _offer: console), by=admin, **place
        )
        return row

    return made


def again(row: Hardware) -> Hardware:
    return type(row)._default_manager.get(pk=row.pk)


def rows_of(row: Hardware, kind: str) -> list[str]:
    """The models of the configured devices of one kind."""
    owner: Any = row
    return list(owner.devices.filter(scope="configured", kind=kind).values_list("model", flat=True))


def state(row: Hardware) -> tuple[Graphics, Video | None, list[str], list[str]]:
    console = again(row).console
    return console.graphics, console.video, rows_of(row, "graphics"), rows_of(row, "video")


def test_removing_the_last_console_makes_it_headless(make: Callable[..., Hardware], admin: User) -> None:
    row = make(VNC)
    assert consoles.detach(row, Protocol.VNC, by=admin).console.headless
    assert state(row) == (HEADLESS, None, [], [])


@pytest.mark.parametrize("protocol", Protocol)
def test_removing_one_of_two_leaves_the_other_and_the_card(
    make: Callable[..., Hardware], admin: User, protocol: Protocol
) -> None:
    row = make(SPICE_AND_VNC)
    consoles.detach(row, protocol, by=admin)
    left = (SPICE_AND_VNC - {protocol}, Video.QXL, [one for one in ("vnc", "spice") if one != protocol], ["qxl"])
    assert state(row) == left


@pytest.mark.parametrize(("protocol", "video"), [(Protocol.VNC, Video.VGA), (Protocol.SPICE, Video.QXL)])
def test_the_first_console_brings_a_card_that_fits_it(
    make: Callable[..., Hardware], admin: User, protocol: Protocol, video: Video
) -> None:
    """oVirt gives SPICE a card that it cannot show; the machine then never starts (engine-behaviour 2.1)."""
    row = make(HEADLESS)
    consoles.attach(row, protocol, by=admin)
    assert state(row) == (frozenset({protocol}), video, [protocol.value], [video.value])


def test_spice_that_joins_vnc_and_vga_brings_a_card_for_both(make: Callable[..., Hardware], admin: User) -> None:
    row = make(VNC)
    consoles.attach(row, Protocol.SPICE, by=admin)
    assert state(row) == (SPICE_AND_VNC, Video.QXL, ["vnc", "spice"], ["qxl"])


@pytest.mark.parametrize(
    ("graphics", "protocol"),
    [
        (VNC, Protocol.VNC),
        (SPICE, Protocol.SPICE),
        (SPICE_AND_VNC, Protocol.VNC),
        (SPICE_AND_VNC, Protocol.SPICE),
    ],
)
def test_a_protocol_is_there_once(
    make: Callable[..., Hardware], admin: User, graphics: Graphics, protocol: Protocol
) -> None:
    row = make(graphics)
    with pytest.raises(Refusal, match="ONLY_ONE_DEVICE") as refused:
        consoles.attach(row, protocol, by=admin)
    assert (refused.value.field, again(row).version) == ("protocol", 1)


@pytest.mark.parametrize(("graphics", "protocol"), [(HEADLESS, Protocol.VNC), (VNC, Protocol.SPICE)])
def test_a_console_that_is_not_there_cannot_be_removed(
    make: Callable[..., Hardware], admin: User, graphics: Graphics, protocol: Protocol
) -> None:
    with pytest.raises(Refusal, match="CONSOLE_NOT_FOUND") as refused:
        consoles.detach(make(graphics), protocol, by=admin)
    assert refused.value.kind == Kind.MISSING


def test_the_serial_line_stays_whatever_becomes_of_the_graphics(make: Callable[..., Hardware], admin: User) -> None:
    row = make(VNC, serial=True)
    for act in (consoles.detach, consoles.attach):
        act(row, Protocol.VNC, by=admin)
        assert (again(row).console.serial, rows_of(row, "console")) == (True, ["serial"])


def test_usb_goes_with_the_last_console_and_comes_back_with_the_first(
    make: Callable[..., Hardware], admin: User
) -> None:
    row = make(SPICE, wants_usb=True)
    consoles.detach(row, Protocol.SPICE, by=admin)
    assert (again(row).console.usb, rows_of(row, "controller"), rows_of(row, "redir")) == (False, [], [])
    consoles.attach(row, Protocol.SPICE, by=admin)
    assert (again(row).console.usb, rows_of(row, "redir")) == (True, ["spicevmc"] * 4)


def test_usb_stays_where_a_serial_line_is_left_but_nothing_rides_on_spice(
    make: Callable[..., Hardware], admin: User
) -> None:
    row = make(SPICE, wants_usb=True, wants_smartcard=True, serial=True)
    consoles.detach(row, Protocol.SPICE, by=admin)
    assert (again(row).console.usb, rows_of(row, "controller")) == (True, ["usb"])
    assert (rows_of(row, "redir"), rows_of(row, "smartcard"), rows_of(row, "channel")) == ([], [], ["unix"])


def test_monitors_that_vnc_cannot_show_become_one(make: Callable[..., Hardware], admin: User) -> None:
    row = make(SPICE, monitors=4)
    assert consoles.attach(row, Protocol.VNC, by=admin).console.monitors == 1


@pytest.mark.parametrize("kind", ["vm", "template", "pool"])
def test_where_no_host_offers_graphics_no_console_is_added(kind: str, bare_cluster: Cluster, admin: User) -> None:
    dark = Changes(console=lambda console, _offer: console.as_headless())
    row = getattr(create, kind)("web", cluster=bare_cluster, changes=dark, by=admin)
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_GRAPHICS") as refused:
        consoles.attach(row, Protocol.VNC, by=admin)
    assert (refused.value.field, again(row).console.headless) == ("protocol", True)


def test_where_no_host_offers_spice_only_vnc_is_added(vnc_cluster: Cluster, admin: User) -> None:
    dark = Changes(console=lambda console, _offer: console.as_headless())
    row = create.vm("web", cluster=vnc_cluster, changes=dark, by=admin)
    with pytest.raises(Refusal, match="NO_HOST_OFFERS_PROTOCOL"):
        consoles.attach(row, Protocol.SPICE, by=admin)
    assert consoles.attach(row, Protocol.VNC, by=admin).console.graphics == VNC


def test_a_console_can_always_be_taken_away(admin: User) -> None:
    """Its host may have lost what it offered."""
    cluster = cluster_offering("shrinking", SPICE_AND_VNC)
    row = create.vm("web", cluster=cluster, by=admin)
    host = cluster.hosts.get()
    assert host.capabilities is not None
    host.capabilities = replace(host.capabilities, graphics=HEADLESS)
    host.save(update_fields=["capability_document"])
    assert consoles.detach(row, Protocol.VNC, by=admin).console.headless


def test_the_four_kinds_are_all_there_is() -> None:
    assert {kind for kind in apps.get_models() if issubclass(kind, Hardware)} == {VM, Template, Pool, InstanceType}
