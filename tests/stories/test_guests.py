"""Slower real guests: the tiny one under UEFI, with every kind of screen and with two processors."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.hypervisors import fat
from tests.hypervisors.conftest import SerialLine, guest_files, private_daemon, real_libvirt
from vms.domain.console import SPICE, Console, Video
from vms.domain.firmware import Firmware
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.networks import Nic
from vms.domain.parts import Boot, BootDevice, BootOrder, Topology
from vms.domain.runonce import Run
from vms.hypervisors.base import Hypervisor
from vms.hypervisors.guest import CMDLINE, GuestFiles
from vms.hypervisors.private import PrivateDaemon

__all__ = ["guest_files", "private_daemon", "real_libvirt"]

pytestmark = pytest.mark.guests

BOOTED_WITHIN = 180.0  # seconds; fifteen on an idle machine
PROMPT = ":/root# "


@dataclass(frozen=True)
class Shape:
    """A console, and how many display controllers a guest with it has."""

    console: Console
    displays: int


SHAPES = {
    "headless": Shape(replace(Console().as_headless(), serial=True), 0),
    "vnc-bochs": Shape(Console(video=Video.BOCHS, serial=True), 1),
    "vnc-vga": Shape(Console(serial=True), 1),
    "spice-qxl": Shape(
        Console(graphics=SPICE, video=Video.QXL, serial=True, wants_usb=True, wants_smartcard=True, wants_sound=True),
        1,
    ),
}


@pytest.fixture
def hypervisor(private_daemon: PrivateDaemon, guest_files: GuestFiles) -> Iterator[Hypervisor]:
    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    files = LocalFiles(Path(guest_files.kernel).parent)
    opened = LibvirtHypervisor(lambda: Location(uri=private_daemon.uri, files=files))
    opened.open(lambda _event: None)
    yield opened
    for machine in opened.glance():
        opened.stop(machine)
        opened.remove(machine)
    opened.close()


# bochs-display has no BIOS of its own, so it is offered with UEFI alone.
OFFERED = [
    *((Firmware.BIOS, shape) for shape in SHAPES if shape != "vnc-bochs"),
    *((Firmware.UEFI, shape) for shape in SHAPES),
    (Firmware.SECURE, "headless"),
    (Firmware.I440FX, "vnc-vga"),
]


@pytest.mark.parametrize(("firmware", "shape"), OFFERED)
def test_the_guest_boots_to_its_shell(
    hypervisor: Hypervisor, private_daemon: PrivateDaemon, firmware: Firmware, shape: str
) -> None:
    spec = MachineSpec(
        id=uuid4(),
        name=f"{firmware}-{shape}",
        memory=256,  # Secure Boot's own needs as much
        cpu=Topology(cores=2),
        firmware=firmware,
        tpm=firmware == Firmware.SECURE,
        console=SHAPES[shape].console,
        boot=Boot(kernel="kernel", initrd="initrd", parameters=CMDLINE),
        nics=(Nic(mac="52:54:00:00:00:01"),),
    )
    assert hypervisor.start(Run(base=spec, job=uuid4())).status == Status.UP
    line = serial_line(private_daemon, spec)
    line.expect(PROMPT, BOOTED_WITHIN)
    asked = {
        "processors": "grep -c ^processor /proc/cpuinfo",
        "displays": "cat /sys/bus/pci/devices/*/class | grep -c ^0x03",
        "firmware": "[ -d /sys/firmware/efi ] && echo uefi || echo bios",
        "secure": "dmesg | grep -c 'secureboot: Secure boot enabled'",
        "tpm": "ls /dev/tpm0 2>/dev/null | wc -l",
        "cards": "ls -d /sys/class/net/eth0 2>/dev/null | wc -l",
    }
    told = {name: line.ask(command, 30).splitlines()[-1] for name, command in asked.items()}
    secure = "1" if firmware == Firmware.SECURE else "0"
    assert told == {
        "processors": "2",
        "displays": str(SHAPES[shape].displays),
        "cards": "1",
        "firmware": "uefi" if firmware.uefi else "bios",
        "secure": secure,
        "tpm": secure,
    }


def test_secure_boot_refuses_what_nobody_has_signed_and_says_so_on_the_serial_line(
    hypervisor: Hypervisor, private_daemon: PrivateDaemon, guest_files: GuestFiles
) -> None:
    """The same disk starts without Secure Boot: Debian's kernel, whose signature the firmware's keys do not know."""
    kernel = Path(guest_files.kernel)
    kernel.with_name("unsigned.img").write_bytes(fat.with_boot_loader(kernel.read_bytes()))
    for firmware, outcome in ((Firmware.SECURE, "Access Denied"), (Firmware.UEFI, "BdsDxe: starting Boot0001")):
        spec = MachineSpec(
            id=uuid4(),
            name=f"unsigned-{firmware}",
            memory=256,
            firmware=firmware,
            console=SHAPES["headless"].console,
            boot=Boot(cd="unsigned.img"),
            boot_order=BootOrder(devices=(BootDevice.CDROM,)),
        )
        hypervisor.start(Run(base=spec, job=uuid4()), paused=True)
        line = serial_line(private_daemon, spec)
        hypervisor.resume(spec.id)
        line.expect("BdsDxe: loading Boot0001", BOOTED_WITHIN)
        assert "Security Violation" not in line.expect(outcome, 30)
        hypervisor.stop(spec.id)


def serial_line(daemon: PrivateDaemon, spec: MachineSpec) -> SerialLine:
    import libvirt

    return SerialLine(libvirt.open(daemon.uri).lookupByUUID(spec.id.bytes))
