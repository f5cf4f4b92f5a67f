"""Domain XML from a machine: golden files, and what holds for every console."""

import os
from dataclasses import fields, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.libvirtxml.machines import (
    BARE,
    DISKS,
    GOLDEN,
    HOST,
    MACHINE,
    QXL,
    addresses,
    aliases,
    disk,
    every_console,
    every_offered_machine,
    golden_xml,
    parsed,
    with_console,
)
from vms.domain.console import (
    SPICE,
    SPICE_AND_VNC,
    Choice,
    Console,
    DisconnectAction,
    Level,
    Protocol,
    Recording,
    SingleSignOn,
    Video,
)
from vms.domain.devices import devices
from vms.domain.disks import Disk, Interface
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.machine import MachineSpec, MigrationMode, VmType
from vms.domain.networks import Nic
from vms.domain.parts import Boot, BootDevice, BootOrder, SerialNumber, SerialPolicy, Topology, Watchdog
from vms.domain.runonce import Run
from vms.libvirtxml.write import NAMESPACE, write

FILES = Path(__file__).parents[1] / "golden" / "domain"


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    """`UPDATE_GOLDEN=1 pytest tests/libvirtxml` writes the files anew; look at the difference before committing."""
    file, xml = FILES / f"{name}.xml", golden_xml(name)
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(xml)
    assert xml == file.read_text()


def test_no_golden_file_is_left_over() -> None:
    assert {file.stem for file in FILES.glob("*.xml")} == set(GOLDEN)


# -- what holds for every console


def test_no_spicevmc_device_without_spice() -> None:
    for spec, xml in every_offered_machine():
        spicevmc = parsed(xml).xpath("count(devices/*[@type='spicevmc'])")
        assert Protocol.SPICE in spec.console.graphics or spicevmc == 0, spec.console


def test_no_graphics_without_a_card_and_no_card_without_graphics() -> None:
    for spec, xml in every_offered_machine():
        devices_ = parsed(xml).find("devices")
        assert devices_ is not None
        graphics = [element.get("type") for element in devices_.iterfind("graphics")]
        cards = [model.get("type") for model in devices_.iterfind("video/model")]
        assert sorted(map(str, graphics)) == sorted(spec.console.graphics)
        assert len(cards) == 1
        assert (cards == ["none"]) == (not graphics), spec.console


def test_the_firmware_speaks_on_the_serial_line_of_headless_bios_machines_alone() -> None:
    for spec, xml in every_offered_machine():
        speaks = parsed(xml).find("os/bios[@useserial='yes']") is not None
        console = spec.console
        assert speaks == (console.headless and console.serial and not spec.firmware.uefi), spec


def test_every_device_has_an_alias_of_its_own_that_libvirt_takes() -> None:
    for spec, xml in every_offered_machine():
        names = aliases(xml)
        assert len(names) == len(set(names))
        assert all(name.startswith("ua-") for name in names), names
        unnamed = len(spec.console.graphics)  # libvirt gives no alias to graphics
        assert len(names) == len(devices(spec)) - unnamed


def test_no_change_of_the_console_moves_another_device() -> None:
    shapes = [addresses(write(with_console(console), HOST)) for console in every_console()]
    for one, other in pairwise(shapes):
        assert {alias: one[alias] for alias in one.keys() & other.keys()} == {
            alias: other[alias] for alias in one.keys() & other.keys()
        }
    everywhere = set.intersection(*(set(shape) for shape in shapes))
    assert len(everywhere) >= 3, "the network card, the balloon and the agent's channel are always there"


def test_no_two_devices_share_a_place() -> None:
    cards = tuple(Nic(mac=f"52:54:00:00:00:0{n}") for n in range(8))
    for console, firmware in product(every_console(), (Firmware.BIOS, Firmware.I440FX)):
        xml = parsed(write(with_console(console, nics=cards, disks=DISKS, firmware=firmware), HOST))
        places = [tuple(sorted(address.attrib.items())) for address in xml.iterfind("devices/*/address")]
        plain = [tuple(pair for pair in place if pair[0] != "multifunction") for place in places]
        assert len(plain) == len(set(plain)), console


def test_pinned_addresses_are_replayed_whatever_the_console() -> None:
    spec = with_console(Console())
    (card,) = addresses(write(spec, HOST), "interface")
    place = {"type": "pci", "domain": "0x0000", "bus": "0x0b", "slot": "0x00", "function": "0x0"}
    for console in every_console():
        pinned = replace(spec, console=console, addresses={card: place})
        assert addresses(write(pinned, HOST), "interface") == {card: place}


def test_only_the_xml_of_a_start_carries_a_run() -> None:
    for console in (BARE, Console(), QXL):
        spec = with_console(console)
        path = f"metadata/{{{NAMESPACE}}}run"
        assert parsed(write(spec, HOST)).find(path) is None
        assert parsed(write(spec, HOST, run=Run(base=spec))).find(path) is not None


@pytest.mark.parametrize("console", [BARE, Console(), QXL], ids=["headless", "vnc", "spice"])
def test_a_reboot_ends_the_run_where_that_is_asked(console: Console) -> None:
    spec = with_console(console)
    actions = [parsed(write(spec, HOST, cold_reboot=cold)).findtext("on_reboot") for cold in (False, True)]
    assert actions == ["restart", "destroy"]


def test_firmware_variables_lie_by_id_so_that_no_namesake_finds_them() -> None:
    one = with_console(BARE, firmware=Firmware.UEFI)
    paths = {
        parsed(write(spec, HOST, nvram="/variables")).findtext("os/nvram")
        for spec in (one, replace(one, name="renamed"), replace(one, id=UUID(int=7)))
    }
    assert paths == {f"/variables/{one.id}_VARS.fd", f"/variables/{UUID(int=7)}_VARS.fd"}


# -- hostile text

printable = st.text(st.characters(exclude_categories=["C"]), max_size=40).filter(str.isprintable)


@given(parameters=printable)
def test_kernel_parameters_arrive_as_they_are(parameters: str) -> None:
    spec = with_console(BARE, boot=Boot(kernel="vmlinuz", parameters=parameters))
    assert (parsed(write(spec, HOST)).findtext("os/cmdline") or "") == parameters


@pytest.mark.parametrize(
    "text", ["</cmdline><graphics type='vnc'/>", "]]>", "a & b", "\"'", "<!DOCTYPE x>", "&lol;", "${x}", "%s"]
)
def test_markup_in_a_text_stays_a_text(text: str) -> None:
    xml = parsed(write(with_console(BARE, boot=Boot(kernel="vmlinuz", parameters=text)), HOST))
    assert xml.findtext("os/cmdline") == text
    assert xml.find(".//graphics") is None


def test_a_hostile_name_of_a_boot_file_stays_a_text() -> None:
    path = "/a&b/<kernel>"
    xml = parsed(write(with_console(BARE, boot=Boot(kernel="vmlinuz")), HOST, boot_file=lambda _name: path))
    assert xml.findtext("os/kernel") == path


@pytest.mark.parametrize(
    ("disks", "place"),
    [
        ((), ("sdf", "sata", "5")),
        ((disk(3, interface=Interface.SATA, slot=4),), ("sde", "sata", "4")),
        ((disk(0),), ("sdzz", "scsi", "255")),  # Debian's kernel for clouds has no AHCI
        (DISKS, ("sdzz", "scsi", "255")),
    ],
)
def test_the_cd_of_a_first_boot_is_on_a_bus_that_the_guest_knows(
    disks: tuple[Disk, ...], place: tuple[str, str, str]
) -> None:
    spec = replace(MACHINE, disks=disks)
    seed: Any
    found: Any = parsed(write(spec, HOST, seed="/seeds/one.iso")).xpath("devices/disk[source/@file='/seeds/one.iso']")
    (seed,) = found
    target = seed.find("target")
    assert (target.get("dev"), target.get("bus"), seed.find("address").get("unit")) == place
    assert seed.get("device") == "cdrom"
    assert seed.find("readonly") is not None
    assert not parsed(write(spec, HOST)).xpath("devices/disk/source[@file='/seeds/one.iso']")


def test_there_is_a_port_for_the_cd_of_a_first_boot_or_a_refusal() -> None:
    full = tuple(disk(number, interface=Interface.SATA, slot=number) for number in range(5))
    with pytest.raises(Refusal):
        write(replace(MACHINE, disks=full), HOST, seed="/seeds/one.iso")


def test_the_firmware_is_sent_to_each_device_in_the_order_that_was_chosen() -> None:
    """The disk to start from before the others, whatever their places."""
    xml = parsed(golden_xml("disks"))
    turns = {
        int(boot.get("order") or 0): device for device in xml.iterfind("devices/*") for boot in device.iterfind("boot")
    }
    names = [turns[turn].findtext("serial") or turns[turn].get("device") or turns[turn].tag for turn in sorted(turns)]
    assert names == ["cdrom", *(str(DISKS[index].id) for index in (1, 0, 2, 3)), "interface"]
    assert xml.find("os/boot") is None


# -- a test of the tests: the writer sees every field

FULL = replace(
    MACHINE,
    level=Level.V4_6,
    boot=Boot(kernel="vmlinuz", initrd="initrd", parameters="quiet"),
    console=Console(graphics=SPICE_AND_VNC, video=Video.VGA, serial=True, wants_usb=True, wants_smartcard=True),
)
SCHEDULING = replace(HOST, schedules=True)
(CARD,) = addresses(write(FULL, HOST), "interface")
CHANGES: dict[str, MachineSpec] = {
    "id": replace(FULL, id=UUID(int=1)),
    "name": replace(FULL, name="other"),
    "level": replace(FULL, level=Level.V4_7),
    "memory": replace(FULL, memory=256),
    "cpu.sockets": replace(FULL, cpu=Topology(sockets=2)),
    "cpu.cores": replace(FULL, cpu=Topology(cores=2)),
    "cpu.threads": replace(FULL, cpu=Topology(threads=2)),
    "vm_type": replace(FULL, vm_type=VmType.DESKTOP),
    "firmware": replace(FULL, firmware=Firmware.UEFI),
    "tpm": replace(FULL, firmware=Firmware.SECURE, tpm=True),
    "boot.kernel": replace(FULL, boot=replace(FULL.boot, kernel="other")),
    "boot.initrd": replace(FULL, boot=replace(FULL.boot, initrd="other")),
    "boot.parameters": replace(FULL, boot=replace(FULL.boot, parameters="other")),
    "start_paused": replace(FULL, start_paused=True),
    "nics": replace(FULL, nics=()),
    "disks": replace(FULL, disks=DISKS),
    "machine": replace(FULL, machine="pc-q35-7.1"),
    "addresses": replace(FULL, addresses={CARD: {"type": "pci", "bus": "0x0c"}}),
    "console.graphics": replace(FULL, console=replace(FULL.console, graphics=SPICE)),
    "console.video": replace(FULL, console=replace(FULL.console, video=Video.QXL)),
    "console.serial": replace(FULL, console=replace(FULL.console, serial=False)),
    "console.monitors": with_console(replace(QXL, monitors=2)),
    "console.wants_usb": replace(FULL, console=replace(FULL.console, wants_usb=False)),
    "console.wants_smartcard": replace(FULL, console=replace(FULL.console, wants_smartcard=False)),
    "console.wants_sound": replace(FULL, console=replace(FULL.console, wants_sound=True)),
    "console.keyboard": replace(FULL, console=replace(FULL.console, keyboard="de")),
    "console.wants_file_transfer": replace(FULL, console=replace(FULL.console, wants_file_transfer=False)),
    "console.wants_copy_paste": replace(FULL, console=replace(FULL.console, wants_copy_paste=False)),
    "console.before": with_console(replace(BARE, before=Choice(SPICE, Video.QXL))),
    "console.sso": replace(FULL, console=replace(FULL.console, sso=SingleSignOn.NONE)),
    "console.disconnect_action": with_console(Console(disconnect_action=DisconnectAction.REBOOT)),
    "console.disconnect_delay": with_console(Console(disconnect_delay=5)),
    "console.allow_reconnect": with_console(Console(allow_reconnect=True)),
    "console.recording": with_console(Console(recording=Recording.ALWAYS)),
    "console.spice_proxy": with_console(Console(spice_proxy="http://proxy:3128")),
    "os": replace(FULL, os="debian_12"),
    "maximum_memory": replace(FULL, maximum_memory=512),
    "guaranteed_memory": replace(FULL, guaranteed_memory=64),
    "cpu_model": replace(FULL, cpu_model="Haswell"),
    "emulated_machine": replace(FULL, emulated_machine="pc-q35-6.0"),
    "time_zone": replace(FULL, time_zone="Europe/Berlin"),
    "serial_number": replace(FULL, serial_number=SerialNumber(policy=SerialPolicy.VM)),
    "boot_order.devices": with_console(BARE, boot_order=BootOrder(devices=(BootDevice.CDROM,))),
    "boot_order.menu": replace(FULL, boot_order=BootOrder(menu=True)),
    "boot.cd": replace(FULL, boot=replace(FULL.boot, cd="rescue.iso")),
    "hosts": replace(FULL, hosts=(UUID(int=2),)),
    "migration": replace(FULL, migration=MigrationMode.PINNED),
    "restart": replace(FULL, restart=True),
    "priority": replace(FULL, priority=50),
    "watchdog": replace(FULL, watchdog=Watchdog()),
    "cpu_shares": replace(FULL, cpu_shares=512),
    "ballooning": replace(FULL, ballooning=False),
    "io_threads": replace(FULL, io_threads=1),
    "rng": replace(FULL, rng=None),
    "custom_properties": replace(FULL, custom_properties={"hugepages": "2048"}),
}
PLAIN = with_console(Console())
BASES = {
    "console.monitors": with_console(QXL),
    "console.before": with_console(BARE),
    "boot_order.devices": with_console(BARE),
    **{
        f"console.{name}": PLAIN
        for name in ("disconnect_action", "disconnect_delay", "allow_reconnect", "spice_proxy", "recording")
    },
}
UNSEEN = {
    "vm_type": "decides which card is offered; no part of the hardware follows it yet",
    "start_paused": "a flag of the start, not a part of the machine",
    "console.before": "a memory of what headless replaced",
    **dict.fromkeys(("guaranteed_memory", "hosts"), "decides where it may start"),
    **dict.fromkeys(("restart", "priority"), "what the engine does when it fails"),
    "migration": "who may move it",
    **dict.fromkeys(("console.disconnect_action", "console.disconnect_delay"), "what the engine does when it is left"),
    "console.allow_reconnect": "who may open the console",
    "console.spice_proxy": "part of the viewer's file",
    "console.recording": "what the serial broker does",
}


def test_every_field_of_a_machine_is_tried() -> None:
    def names(value: Any, prefix: str = "") -> set[str]:
        parts = {field.name for field in fields(value)}
        nested = {name for name in parts if name in {"cpu", "boot", "boot_order", "console"} and not prefix}
        inner = [names(getattr(value, name), f"{name}.") for name in nested]
        return {f"{prefix}{name}" for name in parts - nested}.union(*inner)

    assert names(FULL) == set(CHANGES)


@pytest.mark.parametrize("field", CHANGES)
def test_the_writer_sees_every_field(field: str) -> None:
    before, after = write(BASES.get(field, FULL), SCHEDULING), write(CHANGES[field], SCHEDULING)
    assert (before == after) == (field in UNSEEN), UNSEEN.get(field, "the writer does not look at it")
