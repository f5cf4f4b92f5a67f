"""libvirt itself reads what the writer writes, and adds or moves nothing that people would notice."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.libvirtxml.machines import BARE, GOLDEN, HOST, QXL, SERIAL, addresses, golden_xml, parsed, with_console
from vms.domain.console import SPICE_AND_VNC, Console
from vms.domain.firmware import Firmware
from vms.hypervisors.private import PrivateDaemon
from vms.libvirtxml.observe import observe
from vms.libvirtxml.write import write

pytestmark = pytest.mark.hypervisor

UNDEFINE = 1 | 4  # with a saved state, with firmware variables


@pytest.fixture
def connection(private_daemon: PrivateDaemon) -> Iterator[Any]:
    import libvirt

    libvirt.registerErrorHandler(lambda *_: None, None)
    opened = libvirt.open(private_daemon.uri)
    yield opened
    for domain in opened.listAllDomains():
        if domain.isActive():
            domain.destroy()
        if domain.isPersistent():
            domain.undefineFlags(UNDEFINE)
    opened.close()


@pytest.mark.parametrize("name", [name for name in GOLDEN if name != "kvm"])
def test_libvirt_defines_every_golden_machine_and_keeps_its_devices(connection: Any, name: str) -> None:
    xml = golden_xml(name)
    kept = connection.defineXML(xml).XMLDesc()
    ours, theirs = observe(xml), observe(kept)
    assert (theirs.graphics, theirs.headless, theirs.cold_reboot) == (ours.graphics, ours.headless, ours.cold_reboot)
    # Left to themselves, machines with graphics get a second card and a moved one gets another place.
    assert theirs.videos == ours.videos
    assert {alias: _numbers(theirs.addresses[alias]) for alias in ours.addresses} == {
        alias: _numbers(address) for alias, address in ours.addresses.items()
    }
    assert (theirs.run is None) == (ours.run is None)


@pytest.mark.parametrize("firmware", Firmware)
def test_no_device_moves_when_a_machine_becomes_headless(connection: Any, firmware: Firmware) -> None:
    """Whatever address libvirt chose, also where the writer chose none."""
    everything = replace(QXL, serial=True, wants_usb=True, wants_smartcard=True, wants_sound=True)
    seen: dict[str, dict[str, str]] = {}
    both = replace(everything, graphics=SPICE_AND_VNC)
    for console in (SERIAL, Console(serial=True), both, everything, BARE, both):
        spec = with_console(console, firmware=firmware)
        live = connection.defineXML(write(spec, HOST)).XMLDesc()
        places = addresses(live)
        for alias in seen.keys() & places.keys():
            assert seen[alias] == places[alias], console
        seen |= places
    assert len(seen) >= 8


def test_libvirt_adds_no_controller_and_no_hub_of_its_own(connection: Any) -> None:
    everything = replace(QXL, graphics=SPICE_AND_VNC, wants_usb=True, wants_smartcard=True, wants_sound=True)
    for console in (BARE, Console(), QXL, everything):
        xml = write(with_console(console), HOST)
        kept = connection.defineXML(xml).XMLDesc()
        # On q35 the SATA controller is part of the chipset.
        assert [there for there in _controllers(kept) if there != ("sata", "0", "None")] == _controllers(xml)
        assert parsed(kept).find("devices/hub") is None


@pytest.mark.parametrize(
    "name", ["headless-uefi", "vnc-bochs-uefi", "spice-qxl-everything", "spice-vnc", "vnc-vga-4.6"]
)
def test_qemu_starts_it(connection: Any, name: str) -> None:
    """Paused: that QEMU takes its command line is asked here, not what a guest makes of it."""
    import libvirt

    domain = connection.createXML(golden_xml(name), libvirt.VIR_DOMAIN_START_PAUSED)
    live = observe(domain.XMLDesc())
    assert live.graphics == observe(golden_xml(name)).graphics
    assert {endpoint.protocol for endpoint in live.endpoints} == set(live.graphics)
    domain.destroy()


def test_a_uefi_machine_gets_the_firmware_without_secure_boot(connection: Any) -> None:
    import libvirt

    domain = connection.createXML(golden_xml("headless-uefi"), libvirt.VIR_DOMAIN_START_PAUSED)
    loader = parsed(domain.XMLDesc()).findtext("os/loader") or ""
    domain.destroy()
    assert loader
    assert "secboot" not in loader
    assert ".ms." not in loader


def _numbers(address: dict[str, str]) -> dict[str, object]:
    """An address without libvirt's way of writing numbers."""
    kept = {key: value for key, value in address.items() if key != "multifunction"}
    return {key: int(value, 0) if key != "type" else value for key, value in kept.items()}


def _controllers(xml: str) -> list[tuple[str, ...]]:
    found = parsed(xml).iterfind("devices/controller")
    return sorted(tuple(str(controller.get(name)) for name in ("type", "index", "model")) for controller in found)
