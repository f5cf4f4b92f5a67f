"""Machines of every shape, and what the tests ask of their XML."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any, Final
from uuid import UUID

from lxml import etree

from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Console, Level, Offer, Video
from vms.domain.disks import Disk, DiskFormat, Interface, Storage, StorageKind
from vms.domain.firmware import Firmware
from vms.domain.hosts import Capabilities
from vms.domain.machine import MachineSpec
from vms.domain.networks import Nic
from vms.domain.parts import (
    Boot,
    BootDevice,
    BootOrder,
    Rng,
    RngSource,
    SerialNumber,
    SerialPolicy,
    Topology,
    Watchdog,
    WatchdogAction,
)
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.libvirtxml.write import write

HOST: Final = Capabilities()
MACHINE: Final = MachineSpec(
    id=UUID("5f0b6a0e-2c7d-4d53-9f0a-3c1d3f8b1a01"),
    name="golden",
    memory=192,
    machine="pc-q35-7.2",
    nics=(Nic(mac="52:54:00:12:34:56"),),
)
JOB: Final = UUID("0d6f2c1e-9a55-4b5e-8f43-6f2f4a1c7e02")
BARE: Final = Console().as_headless()
SERIAL: Final = replace(BARE, serial=True)
QXL: Final = Console(graphics=SPICE, video=Video.QXL)


def with_console(console: Console, **parts: Any) -> MachineSpec:
    return replace(MACHINE, console=console, **parts)


def once(spec: MachineSpec, choice: ConsoleChoice, **options: Any) -> Run:
    """A run once of `spec` as the dialog makes it."""
    offer = spec.offer(spec.level, SPICE_AND_VNC)
    return Run(base=spec, once=RunOnce.choose(choice, spec, offer, **options), job=JOB)


POOL: Final = Storage(id=UUID("7a1de4b2-0b4d-4f0e-8d0c-2f5a64a4e001"))
GROUP: Final = Storage(id=UUID("7a1de4b2-0b4d-4f0e-8d0c-2f5a64a4e002"), kind=StorageKind.LVM, path="guests")


def disk(number: int, **parts: Any) -> Disk:
    key = UUID(int=0xD15C0000 + number)
    return replace(Disk(id=key, storage=POOL, volume=f"{key}.qcow2", slot=number), **parts)


DISKS: Final = (
    disk(0),
    disk(1, bootable=True),
    disk(2, interface=Interface.VIRTIO_SCSI, read_only=True, slot=0),
    disk(3, interface=Interface.SATA, format=DiskFormat.RAW, storage=GROUP, shareable=True, slot=0),
)


# What is defined (a machine) or started (a run), by the name of its golden file.
GOLDEN: Final[dict[str, MachineSpec | Run]] = {
    "headless": with_console(BARE),
    "headless-serial": with_console(SERIAL),
    "headless-serial-usb": with_console(replace(SERIAL, wants_usb=True)),
    "headless-uefi": with_console(SERIAL, firmware=Firmware.UEFI),
    "headless-secure-boot-tpm": with_console(SERIAL, firmware=Firmware.SECURE, tpm=True),
    "i440fx": with_console(
        Console(serial=True, wants_sound=True),
        firmware=Firmware.I440FX,
        machine="",
        disks=DISKS,
        watchdog=Watchdog(action=WatchdogAction.RESET),
    ),
    "vnc-vga-4.6": with_console(Console(keyboard="de"), level=Level.V4_6),
    "vnc-virtio-4.7": with_console(Console(keyboard="de"), level=Level.V4_7),
    "vnc-serial-sound": with_console(Console(serial=True, wants_sound=True)),
    "vnc-bochs-uefi": with_console(Console(video=Video.BOCHS), firmware=Firmware.UEFI),
    "vnc-cirrus-4.2": with_console(Console(video=Video.CIRRUS), level=Level.V4_2),
    "spice-qxl": with_console(QXL),
    "spice-qxl-everything": with_console(
        replace(QXL, serial=True, monitors=4, wants_usb=True, wants_smartcard=True, wants_sound=True)
    ),
    "spice-qxl-closed": with_console(replace(QXL, wants_file_transfer=False, wants_copy_paste=False)),
    "spice-vnc": with_console(Console(graphics=SPICE_AND_VNC, video=Video.QXL, wants_sound=True)),
    "boot-files": with_console(
        SERIAL, boot=Boot(kernel="vmlinuz", initrd="initrd", parameters="console=ttyS0 quiet"), cpu=Topology(cores=2)
    ),
    "addresses-pinned": with_console(BARE),
    "every-field": with_console(
        SERIAL,
        os="debian_12",
        maximum_memory=512,
        cpu=Topology(sockets=2),
        cpu_model="Haswell",
        emulated_machine="pc-q35-6.0",
        time_zone="Europe/Berlin",
        serial_number=SerialNumber(policy=SerialPolicy.HOST),
        boot_order=BootOrder(devices=(BootDevice.CDROM, BootDevice.NETWORK, BootDevice.HD), menu=True),
        boot=Boot(cd="rescue.iso"),
        watchdog=Watchdog(action=WatchdogAction.RESET),
        cpu_shares=512,
        io_threads=2,
        rng=Rng(source=RngSource.RANDOM, bytes=1000, period=100),
        custom_properties={"hugepages": "2048", "extra_cpu_flags": "+aes,-svm"},
    ),
    "disks": with_console(
        SERIAL,
        disks=DISKS,
        boot_order=BootOrder(devices=(BootDevice.CDROM, BootDevice.HD, BootDevice.NETWORK)),
    ),
    "bare": with_console(
        BARE,
        ballooning=False,
        rng=None,
        serial_number=SerialNumber(policy=SerialPolicy.CUSTOM, value="S-1"),
        cpu_model="host-passthrough",
    ),
    "windows-kvm": with_console(
        Console(),
        os="windows_2022",
        serial_number=SerialNumber(policy=SerialPolicy.VM),
        custom_properties={"kvm_hidden": "true"},
        cpu_model="host-passthrough",
    ),
    "kvm": with_console(Console(), cpu=Topology(sockets=2, cores=2, threads=2)),
    "no-qxl": with_console(QXL),
    "run": Run(base=with_console(SERIAL), job=JOB),
    "run-paused": Run(base=with_console(SERIAL, start_paused=True), job=JOB),
    "once-headless-vnc": once(with_console(SERIAL), ConsoleChoice.VNC, keyboard="fr"),
    "once-headless-spice": once(with_console(BARE), ConsoleChoice.SPICE),
    "once-vnc-headless": once(with_console(Console()), ConsoleChoice.HEADLESS),
    "once-spice-headless": once(with_console(replace(QXL, wants_usb=True)), ConsoleChoice.HEADLESS, serial=True),
    "once-volatile": once(with_console(BARE), ConsoleChoice.VNC, volatile=True),
}
HOSTS: Final[dict[str, Capabilities]] = {
    "kvm": replace(HOST, accelerator="kvm"),
    "windows-kvm": replace(HOST, accelerator="kvm"),
    "every-field": replace(HOST, schedules=True, uuid="4c4c4544-0031-3010-8043-b1c04f4c4c31"),
    "no-qxl": replace(HOST, videos=HOST.videos - {"qxl"}),
}
PINNED: Final = {"type": "pci", "domain": "0x0000", "bus": "0x09", "slot": "0x00", "function": "0x0"}


def golden_xml(name: str) -> str:
    """The XML that the golden file of that name holds."""
    subject, host = GOLDEN[name], HOSTS.get(name, HOST)
    if isinstance(subject, Run):
        return write(subject.spec, host, run=subject)
    if name == "addresses-pinned":
        alias = addresses(write(subject, host), "interface").popitem()[0]
        subject = replace(subject, addresses={alias: PINNED})
    return write(subject, host, boot_file=lambda file: f"/boot/{file}")


def every_console() -> Iterator[Console]:
    """Every console that can be built, but for the keyboard, SPICE's conveniences and the remembered choice."""
    cards: list[tuple[Any, Video | None]] = [(HEADLESS, None), *product((VNC, SPICE, SPICE_AND_VNC), Video)]
    switches = ("serial", "wants_usb", "wants_smartcard", "wants_sound")
    for (graphics, video), chosen in product(cards, product((False, True), repeat=len(switches))):
        yield Console(graphics=graphics, video=video, **dict(zip(switches, chosen, strict=True)))


@cache
def every_offered_machine() -> tuple[tuple[MachineSpec, str], ...]:
    """Every machine with a console that its cluster level and firmware offer, with its XML."""
    machines = [
        with_console(console, level=level, firmware=firmware)
        for level, firmware, console in product(Level, Firmware, every_console())
        if console.video is None or Offer(level=level, firmware=firmware).accepts(console.graphics, console.video)
    ]
    return tuple((machine, write(machine, HOST)) for machine in machines)


def parsed(xml: str) -> etree._Element:
    return etree.fromstring(xml.encode())


def aliases(xml: str) -> list[str]:
    return [str(alias.get("name")) for alias in parsed(xml).iterfind("devices/*/alias")]


def addresses(xml: str, kind: str = "*") -> dict[str, dict[str, str]]:
    """Alias → address, for the devices that have both."""
    found = {}
    for device in parsed(xml).iterfind(f"devices/{kind}"):
        alias, address = device.find("alias"), device.find("address")
        if alias is not None and address is not None:
            found[str(alias.get("name"))] = {str(key): str(value) for key, value in address.attrib.items()}
    return found
