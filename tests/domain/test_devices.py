"""What a guest sees, device by device, and that each keeps its name whatever happens to the others."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from vms.domain.console import HEADLESS, MONITORS, SPICE, SPICE_AND_VNC, VNC, Console, Graphics, Protocol, Video
from vms.domain.devices import Device, DeviceKind, devices
from vms.domain.machine import MachineSpec
from vms.domain.networks import Nic, mac_of
from vms.domain.parts import Boot, Watchdog, WatchdogAction

ID = UUID("6b1f5a52-7a60-4a1b-9a39-0f2b6d1c9f11")
SPEC = MachineSpec(id=ID, name="web-1", nics=(Nic(mac=mac_of(ID, 0)), Nic(mac=mac_of(ID, 1))))
GRAPHICS = (HEADLESS, VNC, SPICE, SPICE_AND_VNC)
FLAGS = (False, True)

# Everything that exists for the eye, the hand or the ear of a person at a screen.
DISPLAY = {DeviceKind.GRAPHICS, DeviceKind.VIDEO}
WITH_A_SCREEN = {
    *DISPLAY,
    DeviceKind.INPUT,
    DeviceKind.SOUND,
    DeviceKind.SMARTCARD,
    DeviceKind.REDIR,
    DeviceKind.CONTROLLER,
}


def consoles() -> Iterator[Console]:
    displays = [(HEADLESS, None), *product(GRAPHICS[1:], Video)]
    for (graphics, video), serial, usb, smartcard, sound, extras, monitors in product(
        displays, FLAGS, FLAGS, FLAGS, FLAGS, FLAGS, MONITORS
    ):
        if Protocol.VNC in graphics and monitors != 1:
            continue
        yield Console(
            graphics=graphics,
            video=video,
            serial=serial,
            monitors=monitors,
            wants_usb=usb,
            wants_smartcard=smartcard,
            wants_sound=sound,
            keyboard="de" if extras else "",
        )


EVERY = tuple(consoles())
WHOLE: dict[Console, tuple[Device, ...]] = {console: devices(replace(SPEC, console=console)) for console in EVERY}


def of(console: Console, kind: DeviceKind) -> list[Device]:
    return [device for device in WHOLE[console] if device.kind == kind]


def models(console: Console, kind: DeviceKind) -> list[str]:
    return [device.model for device in of(console, kind)]


def identified(device: Device) -> tuple[UUID, DeviceKind, str]:
    return device.id, device.kind, device.model


# -- headless


def test_a_headless_machine_has_neither_graphics_nor_video() -> None:
    headless = [console for console in EVERY if console.headless]
    assert {device.kind for console in headless for device in WHOLE[console]} & DISPLAY == set()


def test_a_headless_machine_has_nothing_that_rides_on_spice() -> None:
    headless = [console for console in EVERY if console.headless]
    assert not any("spice" in f"{device.model} {device.params}" for console in headless for device in WHOLE[console])


def test_a_headless_machine_without_usb_has_nothing_of_a_screen_at_all() -> None:
    headless = [console for console in EVERY if console.headless and not console.usb]
    assert {device.kind for console in headless for device in WHOLE[console]} & WITH_A_SCREEN == set()


def test_of_the_devices_of_a_screen_a_headless_machine_keeps_the_usb_controller_alone() -> None:
    headless = [console for console in EVERY if console.headless and console.usb]
    kinds = {device.kind for console in headless for device in WHOLE[console]}
    assert kinds & WITH_A_SCREEN == {DeviceKind.CONTROLLER}


def test_nothing_rides_on_spice_where_there_is_none() -> None:
    without = [console for console in EVERY if Protocol.SPICE not in console.graphics]
    carried = [
        device for console in without for device in WHOLE[console] if "spice" in f"{device.model}{device.params}"
    ]
    assert carried == []


# -- each kind


@pytest.mark.parametrize(
    ("graphics", "expected"),
    [(HEADLESS, []), (VNC, ["vnc"]), (SPICE, ["spice"]), (SPICE_AND_VNC, ["vnc", "spice"])],
)
def test_each_protocol_is_a_device_and_spice_comes_last(graphics: Graphics, expected: list[str]) -> None:
    assert all(models(c, DeviceKind.GRAPHICS) == expected for c in EVERY if c.graphics == graphics)


def test_the_keyboard_layout_goes_to_vnc_alone() -> None:
    for console in EVERY:
        params = {device.model: device.params for device in of(console, DeviceKind.GRAPHICS)}
        layouts = {"vnc": {"keyboard": "de"} if console.keyboard else {}, "spice": {}}
        assert params == {model: layouts[model] for model in params}


def test_there_is_one_card_and_it_is_the_chosen_one() -> None:
    for console in EVERY:
        assert models(console, DeviceKind.VIDEO) == ([console.video.value] if console.video else [])


@pytest.mark.parametrize("video", [Video.VGA, Video.CIRRUS, Video.BOCHS])
def test_a_plain_card_has_one_head_and_16_mib(video: Video) -> None:
    cards = [of(console, DeviceKind.VIDEO)[0].params for console in EVERY if console.video is video]
    assert all(card == {"heads": 1, "vram": 16384} for card in cards)


@pytest.mark.parametrize("monitors", MONITORS)
def test_a_qxl_card_carries_all_heads_and_memory_for_each(monitors: int) -> None:
    card = of(Console(graphics=SPICE, video=Video.QXL, monitors=monitors), DeviceKind.VIDEO)[0]
    memory = {"vram": 32768 * monitors, "ram": 65536 * monitors, "vgamem": 16384 * monitors}
    assert card.params == {"heads": monitors} | memory


def test_the_serial_line_is_there_when_it_is_wanted_whatever_is_shown() -> None:
    assert all(models(console, DeviceKind.CONSOLE) == ["serial"] * console.serial for console in EVERY)


def test_a_screen_or_usb_brings_one_controller() -> None:
    for console in EVERY:
        wanted = bool(console.graphics) or console.usb
        assert models(console, DeviceKind.CONTROLLER) == ["usb"] * wanted


def test_a_vnc_viewer_gets_a_tablet_and_the_controller_that_it_needs() -> None:
    for console in EVERY:
        assert models(console, DeviceKind.INPUT) == ["tablet"] * (Protocol.VNC in console.graphics)
        assert not of(console, DeviceKind.INPUT) or of(console, DeviceKind.CONTROLLER)


def test_usb_on_spice_has_four_redirections() -> None:
    for console in EVERY:
        redirected = console.wants_usb and Protocol.SPICE in console.graphics
        assert models(console, DeviceKind.REDIR) == ["spicevmc"] * 4 * redirected


def test_a_smartcard_reader_is_there_when_it_is_wanted_on_spice() -> None:
    for console in EVERY:
        wanted = console.wants_smartcard and Protocol.SPICE in console.graphics
        assert models(console, DeviceKind.SMARTCARD) == ["smartcard"] * wanted


def test_a_sound_card_is_there_when_it_is_wanted_on_a_screen() -> None:
    for console in EVERY:
        assert models(console, DeviceKind.SOUND) == ["ich9"] * (console.wants_sound and bool(console.graphics))


def test_the_agents_channel_is_always_there_and_spices_where_spice_is() -> None:
    for console in EVERY:
        names = [device.params["name"] for device in of(console, DeviceKind.CHANNEL)]
        assert names == [
            "org.qemu.guest_agent.0",
            *["ovirt-guest-agent.0"] * (not console.headless),
            *["com.redhat.spice.0"] * (Protocol.SPICE in console.graphics),
        ]


def test_what_is_asked_for_is_there_and_nothing_else() -> None:
    asked: dict[DeviceKind, dict[str, Any]] = {
        DeviceKind.BALLOON: {"ballooning": False},
        DeviceKind.RNG: {"rng": None},
    }
    for kind, without in asked.items():
        assert [each.kind for each in devices(SPEC)].count(kind) == 1
        assert kind not in {each.kind for each in devices(replace(SPEC, **without))}
    assert DeviceKind.WATCHDOG not in {each.kind for each in devices(SPEC)}
    watched = replace(SPEC, watchdog=Watchdog(action=WatchdogAction.PAUSE))
    assert [each.params for each in devices(watched) if each.kind == DeviceKind.WATCHDOG] == [{"action": "pause"}]


def test_a_drive_is_always_there_with_or_without_a_cd() -> None:
    empty, full = SPEC, replace(SPEC, boot=Boot(cd="rescue.iso"))
    drives = [[each for each in devices(spec) if each.kind == DeviceKind.DISK] for spec in (empty, full)]
    assert [[(each.model, each.params) for each in there] for there in drives] == [
        [("cdrom", {})],
        [("cdrom", {"file": "rescue.iso"})],
    ]
    assert drives[0][0].id == drives[1][0].id


def test_the_network_cards_and_the_balloon_do_not_depend_on_the_console() -> None:
    steady = {DeviceKind.INTERFACE, DeviceKind.BALLOON}
    shown = {tuple(device.id for device in whole if device.kind in steady) for whole in WHOLE.values()}
    assert [len(ids) for ids in shown] == [3]


def test_each_network_card_keeps_its_mac_address() -> None:
    assert [device.params["mac"] for device in of(EVERY[0], DeviceKind.INTERFACE)] == [nic.mac for nic in SPEC.nics]


# -- names that stay

# The addresses that the first start chose are stored under these names: another formula would orphan them all.
NAMES = {
    ("graphics", "vnc"): "0e2610e7",
    ("video", "vga"): "cd0f719c",
    ("console", "serial"): "74ba4998",
    ("controller", "usb"): "ba764aac",
    ("interface", "virtio"): "234a1993",
    ("balloon", "memballoon"): "2326719e",
}


def test_a_device_is_named_for_ever() -> None:
    first = {(device.kind.value, device.model): device.id.hex[:8] for device in reversed(WHOLE[Console(serial=True)])}
    assert {key: first[key] for key in NAMES} == NAMES


def test_the_same_machine_gives_the_same_devices() -> None:
    assert all(devices(replace(SPEC, console=console)) == whole for console, whole in WHOLE.items())


def test_no_two_devices_of_a_machine_share_a_name() -> None:
    assert all(max(Counter(device.id for device in whole).values()) == 1 for whole in WHOLE.values())


def test_a_name_means_the_same_device_under_every_console() -> None:
    named = {identified(device) for whole in WHOLE.values() for device in whole}
    assert len({identity for identity, _, _ in named}) == len(named)


def test_no_two_machines_share_a_device() -> None:
    other = devices(replace(SPEC, id=UUID(int=1)))
    assert {device.id for device in other} & {device.id for device in devices(SPEC)} == set()


def test_renaming_a_machine_renames_no_device() -> None:
    assert devices(replace(SPEC, name="web-2")) == devices(SPEC)


def test_the_alias_is_one_that_libvirt_keeps() -> None:
    assert all(device.alias == f"ua-{device.id}" for device in devices(SPEC))


def test_toggling_headless_keeps_the_names_and_the_order_of_all_other_devices() -> None:
    for console in EVERY:
        ids = [device.id for device in WHOLE[console] if device.kind not in WITH_A_SCREEN]
        without = devices(replace(SPEC, console=console.as_headless()))
        remaining = [device.id for device in without if device.kind not in WITH_A_SCREEN]
        screens = {"com.redhat.spice.0", "ovirt-guest-agent.0"}
        agents = [device.id for device in WHOLE[console] if device.params.get("name") in screens]
        assert remaining == [identity for identity in ids if identity not in agents]


def test_a_headless_machine_has_no_device_that_it_did_not_have_with_a_screen() -> None:
    for console in EVERY:
        without = devices(replace(SPEC, console=console.as_headless()))
        assert {identified(device) for device in without} <= {identified(device) for device in WHOLE[console]}
