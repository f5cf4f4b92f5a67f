"""What a running guest must be restarted for, and what it need not be."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.consoles import EVERY, GRAPHICAL
from tests.domain.machines import DISK, HEADLESS_CONSOLE, SPEC, SPICE_CONSOLE
from tests.examples import examples
from vms.domain.console import SPICE, SPICE_AND_VNC, Console, Level, Recording, SingleSignOn, Video
from vms.domain.devices import devices
from vms.domain.firmware import Firmware
from vms.domain.machine import MachineSpec, VmType
from vms.domain.networks import Nic
from vms.domain.parts import Boot, BootDevice, BootOrder, SerialNumber, SerialPolicy, Topology, Watchdog


def with_console(console: Console, spec: MachineSpec = SPEC) -> MachineSpec:
    return replace(spec, console=console)


def test_a_machine_does_not_differ_from_itself() -> None:
    assert all(with_console(console).differs_from(with_console(console)) == () for console in EVERY)


# One edit each, on a machine where it takes effect, and the one key under which it is listed.
_USB_WITHOUT_SCREEN = replace(HEADLESS_CONSOLE, serial=True)
EDITS = [
    (SPEC, replace(SPEC, name="web-2"), "name"),
    (SPEC, replace(SPEC, memory=2048), "memory"),
    (SPEC, replace(SPEC, cpu=Topology(sockets=2)), "cpu"),
    (replace(SPEC, cpu=Topology(sockets=2)), replace(SPEC, cpu=Topology(cores=2)), "cpu"),
    (SPEC, replace(SPEC, vm_type=VmType.DESKTOP), "vm_type"),
    (SPEC, replace(SPEC, firmware=Firmware.UEFI), "firmware"),
    (replace(SPEC, firmware=Firmware.SECURE), replace(SPEC, firmware=Firmware.SECURE, tpm=True), "tpm"),
    (replace(SPEC, boot=Boot(kernel="a")), replace(SPEC, boot=Boot(kernel="b")), "kernel"),
    (replace(SPEC, boot=Boot(kernel="a")), replace(SPEC, boot=Boot(kernel="a", initrd="b")), "initrd"),
    (replace(SPEC, boot=Boot(kernel="a")), replace(SPEC, boot=Boot(kernel="a", parameters="b")), "parameters"),
    (SPEC, replace(SPEC, os="debian_12"), "os"),
    (SPEC, replace(SPEC, maximum_memory=4096), "maximum_memory"),
    (SPEC, replace(SPEC, cpu_model="Haswell"), "cpu_model"),
    (SPEC, replace(SPEC, emulated_machine="pc-q35-6.0"), "emulated_machine"),
    (SPEC, replace(SPEC, time_zone="Europe/Berlin"), "time_zone"),
    (SPEC, replace(SPEC, serial_number=SerialNumber(policy=SerialPolicy.VM)), "serial_number"),
    (SPEC, replace(SPEC, boot_order=BootOrder(devices=(BootDevice.NETWORK, BootDevice.HD))), "boot_devices"),
    (SPEC, replace(SPEC, boot_order=BootOrder(menu=True)), "boot_menu"),
    (SPEC, replace(SPEC, boot=Boot(cd="rescue.iso")), "cd"),
    (SPEC, replace(SPEC, disks=(DISK,)), "disks"),
    (replace(SPEC, disks=(DISK,)), replace(SPEC, disks=(replace(DISK, bootable=True),)), "disks"),
    (SPEC, replace(SPEC, watchdog=Watchdog()), "watchdog"),
    (SPEC, replace(SPEC, cpu_shares=512), "cpu_shares"),
    (SPEC, replace(SPEC, ballooning=False), "ballooning"),
    (SPEC, replace(SPEC, io_threads=1), "io_threads"),
    (SPEC, replace(SPEC, rng=None), "rng"),
    (SPEC, replace(SPEC, custom_properties={"hugepages": "2048"}), "custom_properties"),
    (SPEC, replace(SPEC, nics=(Nic(mac="56:6f:00:00:00:01"),)), "nics"),
    (SPEC, with_console(Console(sso=SingleSignOn.NONE)), "sso"),
    (SPEC, with_console(Console(serial=True)), "serial"),
    (
        with_console(Console(serial=True)),
        with_console(Console(serial=True, recording=Recording.ALWAYS)),
        "recording",
    ),
    (with_console(HEADLESS_CONSOLE), with_console(_USB_WITHOUT_SCREEN), "serial"),
    (SPEC, with_console(Console(keyboard="de")), "keyboard"),
    (SPEC, with_console(Console(video=Video.QXL)), "video_type"),
    (SPEC, with_console(Console(wants_sound=True)), "sound"),
    (
        with_console(Console(video=Video.QXL)),
        with_console(Console(graphics=SPICE_AND_VNC, video=Video.QXL)),
        "graphics_protocol",
    ),
    (with_console(SPICE_CONSOLE), with_console(replace(SPICE_CONSOLE, monitors=4)), "monitors"),
    (with_console(SPICE_CONSOLE), with_console(replace(SPICE_CONSOLE, wants_usb=True)), "usb"),
    (with_console(_USB_WITHOUT_SCREEN), with_console(replace(_USB_WITHOUT_SCREEN, wants_usb=True)), "usb"),
    (with_console(SPICE_CONSOLE), with_console(replace(SPICE_CONSOLE, wants_smartcard=True)), "smartcard"),
    (with_console(SPICE_CONSOLE), with_console(replace(SPICE_CONSOLE, wants_file_transfer=False)), "file_transfer"),
    (with_console(SPICE_CONSOLE), with_console(replace(SPICE_CONSOLE, wants_copy_paste=False)), "copy_paste"),
]


@pytest.mark.parametrize(("running", "configured", "key"), EDITS)
def test_an_edit_waits_for_a_restart_under_its_own_name(
    running: MachineSpec, configured: MachineSpec, key: str
) -> None:
    assert configured.differs_from(running) == (key,)


@pytest.mark.parametrize(("running", "configured", "key"), EDITS)
def test_editing_back_leaves_nothing_pending(running: MachineSpec, configured: MachineSpec, key: str) -> None:
    back = replace(configured, **{entry.name: getattr(running, entry.name) for entry in fields(running)})
    assert back.differs_from(running) == ()


def test_every_key_of_the_shape_has_an_edit_that_shows_it() -> None:
    assert {key for _, _, key in EDITS} == SPEC.shape().keys() - {"headless"}


def test_every_field_of_a_machine_counts_as_a_change_or_is_named_here() -> None:
    # The level is the cluster's, starting paused is over when the guest runs, and
    # the machine type and the addresses are pinned by the run itself. The rest is the engine's to look after, at once.
    silent = {"id", "level", "start_paused", "machine", "addresses"}
    silent |= {"guaranteed_memory", "hosts", "migration", "restart", "priority"}
    edited = {
        entry.name
        for running, configured, _ in EDITS
        for entry in fields(SPEC)
        if getattr(running, entry.name) != getattr(configured, entry.name)
    }
    assert edited == {entry.name for entry in fields(SPEC)} - silent


def test_pinning_what_the_first_start_chose_is_no_pending_change() -> None:
    pinned = replace(SPEC, machine="pc-q35-7.2", addresses={"ua-1": {"type": "pci", "slot": "0x01"}})
    assert pinned.differs_from(SPEC) == ()


@pytest.mark.parametrize(
    ("console", "changes"),
    [
        (SPICE_CONSOLE, {"keyboard": "de"}),
        (HEADLESS_CONSOLE, {"keyboard": "de"}),
        (HEADLESS_CONSOLE, {"monitors": 4}),
        (HEADLESS_CONSOLE, {"wants_sound": True}),
        (HEADLESS_CONSOLE, {"wants_usb": True}),
        (HEADLESS_CONSOLE, {"wants_smartcard": True}),
        (HEADLESS_CONSOLE, {"wants_file_transfer": False}),
        (HEADLESS_CONSOLE, {"wants_copy_paste": False}),
        (Console(), {"wants_smartcard": True}),
        (Console(), {"wants_file_transfer": False}),
        (Console(), {"wants_copy_paste": False}),
        (Console(graphics=SPICE, video=Video.VGA), {"monitors": 4}),
    ],
)
def test_a_choice_without_effect_is_no_pending_change(console: Console, changes: dict[str, Any]) -> None:
    assert with_console(replace(console, **changes)).differs_from(with_console(console)) == ()


def test_what_a_headless_machine_remembers_is_no_pending_change() -> None:
    remembering = Console().as_headless()
    assert with_console(remembering).differs_from(with_console(HEADLESS_CONSOLE)) == ()


def _toggled(console: Console) -> set[str]:
    loses_usb = console.wants_usb and not console.serial
    return {"headless", "video_type", "graphics_protocol"} | ({"usb"} if loses_usb else set())


def test_headless_is_listed_with_both_its_columns_and_usb_only_where_the_rule_switches_it_off() -> None:
    wrong = [
        console
        for console in GRAPHICAL
        if set(with_console(console.as_headless()).differs_from(with_console(console))) != _toggled(console)
    ]
    assert wrong == []


def test_leaving_headless_is_listed_as_entering_it() -> None:
    wrong = [
        console
        for console in GRAPHICAL
        if set(with_console(console).differs_from(with_console(console.as_headless()))) != _toggled(console)
    ]
    assert wrong == []


def test_headless_and_back_leaves_nothing_pending() -> None:
    offer = SPEC.offer(Level.V4_8, SPICE_AND_VNC)
    offered = [console for console in GRAPHICAL if console.video and offer.accepts(console.graphics, console.video)]
    back = [with_console(console.as_headless().as_graphical(offer)) for console in offered]
    assert [spec.differs_from(with_console(console)) for spec, console in zip(back, offered, strict=True)] == [
        () for _ in offered
    ]


@examples(150)
@given(st.sampled_from(EVERY), st.sampled_from(EVERY))
def test_a_change_of_the_guests_devices_is_never_silent(running: Console, configured: Console) -> None:
    seen = [(device.kind, device.model, device.params) for device in devices(with_console(running))]
    wanted = [(device.kind, device.model, device.params) for device in devices(with_console(configured))]
    assert seen == wanted or with_console(configured).differs_from(with_console(running))


@examples(150)
@given(st.sampled_from(EVERY), st.sampled_from(EVERY))
def test_a_difference_has_two_ends(one: Console, other: Console) -> None:
    assert with_console(one).differs_from(with_console(other)) == with_console(other).differs_from(with_console(one))
