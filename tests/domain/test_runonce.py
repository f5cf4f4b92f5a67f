"""Run Once: what one run shows otherwise, and that nothing of it stays."""

from copy import deepcopy
from dataclasses import replace
from itertools import product
from uuid import UUID

import pytest

from vms.domain.console import (
    HEADLESS,
    SPICE,
    SPICE_AND_VNC,
    VNC,
    Choice,
    Console,
    Graphics,
    Level,
    Offer,
    Protocol,
    Video,
)
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, Run, RunOnce

SPEC = MachineSpec(id=UUID(int=5), name="web-1")
GRAPHICS = (HEADLESS, VNC, SPICE, SPICE_AND_VNC)
DISPLAYS: list[tuple[Graphics, Video | None]] = [(HEADLESS, None), *product(GRAPHICS[1:], Video)]
BIOS = Offer(level=Level.V4_8)
UEFI_SERVER = Offer(level=Level.V4_8, firmware=Firmware.UEFI)
OLDEST = Offer(level=Level.V4_2)


def showing(graphics: Graphics, video: Video | None, **choices: object) -> MachineSpec:
    return replace(SPEC, console=Console(graphics=graphics, video=video, **choices))  # type: ignore[arg-type]


def run_with(choice: ConsoleChoice, spec: MachineSpec, offer: Offer = BIOS, **options: object) -> MachineSpec:
    once = RunOnce.choose(choice, spec, offer, **options)
    return Run(base=spec, once=once).spec


MACHINES = [showing(graphics, video) for graphics, video in DISPLAYS]
AS_IS, NONE, WITH_VNC, WITH_SPICE, WITH_BOTH = ConsoleChoice

# What is stored × what is chosen → what the run shows (engine-behaviour 3.2 and 3.3). Where oVirt's engine starts
# something useless ours differs: a card that SPICE does not accept is replaced by qxl, a headless UEFI server gets
# the card that its level recommends, and both protocols may be chosen together.
STORED = {
    "headless": (HEADLESS, None),
    "vnc": (VNC, Video.VGA),
    "vnc qxl": (VNC, Video.QXL),
    "spice": (SPICE, Video.QXL),
    "both": (SPICE_AND_VNC, Video.QXL),
}
MATRIX: list[tuple[str, ConsoleChoice, Graphics, Video | None]] = [
    ("headless", AS_IS, HEADLESS, None),
    ("headless", NONE, HEADLESS, None),
    ("headless", WITH_VNC, VNC, Video.VGA),
    ("headless", WITH_SPICE, SPICE, Video.QXL),
    ("headless", WITH_BOTH, SPICE_AND_VNC, Video.QXL),
    ("vnc", AS_IS, VNC, Video.VGA),
    ("vnc", NONE, HEADLESS, None),
    ("vnc", WITH_VNC, VNC, Video.VGA),
    ("vnc", WITH_SPICE, SPICE, Video.QXL),
    ("vnc", WITH_BOTH, SPICE_AND_VNC, Video.QXL),
    ("vnc qxl", AS_IS, VNC, Video.QXL),
    ("vnc qxl", NONE, HEADLESS, None),
    ("vnc qxl", WITH_VNC, VNC, Video.QXL),
    ("vnc qxl", WITH_SPICE, SPICE, Video.QXL),
    ("vnc qxl", WITH_BOTH, SPICE_AND_VNC, Video.QXL),
    ("spice", AS_IS, SPICE, Video.QXL),
    ("spice", NONE, HEADLESS, None),
    ("spice", WITH_VNC, VNC, Video.QXL),
    ("spice", WITH_SPICE, SPICE, Video.QXL),
    ("spice", WITH_BOTH, SPICE_AND_VNC, Video.QXL),
    ("both", AS_IS, SPICE_AND_VNC, Video.QXL),
    ("both", NONE, HEADLESS, None),
    ("both", WITH_VNC, VNC, Video.QXL),
    ("both", WITH_SPICE, SPICE, Video.QXL),
    ("both", WITH_BOTH, SPICE_AND_VNC, Video.QXL),
]


@pytest.mark.parametrize(("stored", "choice", "graphics", "video"), MATRIX)
def test_a_run_shows_what_was_chosen_for_it(
    stored: str, choice: ConsoleChoice, graphics: Graphics, video: Video | None
) -> None:
    console = run_with(choice, showing(*STORED[stored])).console
    assert (console.graphics, console.video) == (graphics, video)


def test_the_matrix_is_whole() -> None:
    assert [(stored, choice) for stored, choice, _, _ in MATRIX] == list(product(STORED, ConsoleChoice))


def test_a_headless_uefi_server_run_once_with_vnc_gets_the_recommended_card() -> None:
    assert run_with(WITH_VNC, MACHINES[0], UEFI_SERVER).console.video is Video.BOCHS


def test_a_card_that_only_old_levels_have_is_kept_there_and_replaced_elsewhere() -> None:
    spec = showing(VNC, Video.CIRRUS)
    cards = [run_with(WITH_VNC, spec, offer).console.video for offer in (OLDEST, BIOS)]
    assert cards == [Video.CIRRUS, Video.VGA]


def test_a_run_with_vnc_does_not_bring_back_what_the_machine_showed_before() -> None:
    spec = replace(SPEC, console=Console(graphics=SPICE, video=Video.QXL).as_headless())
    console = run_with(WITH_VNC, spec).console
    assert (console.graphics, console.video) == (VNC, Video.VGA)


@pytest.mark.parametrize("protocols", GRAPHICS[1:])
@pytest.mark.parametrize("firmware", Firmware)
@pytest.mark.parametrize("level", [None, *Level])
def test_whatever_is_chosen_can_be_shown_or_is_refused(
    level: Level | None, firmware: Firmware, protocols: Graphics
) -> None:
    offer = Offer(level=level, firmware=firmware, protocols=protocols)
    for spec, choice in product(MACHINES, ConsoleChoice):
        wanted = spec.console.graphics if choice.graphics is None else choice.graphics
        if not wanted <= protocols:
            with pytest.raises(Refusal, match="NO_HOST_OFFERS_PROTOCOL"):
                run_with(choice, spec, offer)
            continue
        console = run_with(choice, spec, offer).console
        assert console.graphics == wanted
        if choice.graphics is not None:
            offer.check(console)


@pytest.mark.parametrize("choice", [AS_IS, WITH_VNC, WITH_SPICE, WITH_BOTH])
def test_a_screen_is_refused_with_the_reason_where_no_host_offers_one(choice: ConsoleChoice) -> None:
    with pytest.raises(Refusal) as refusal:
        RunOnce.choose(choice, MACHINES[1], replace(BIOS, protocols=HEADLESS))
    assert (refusal.value.code, refusal.value.field) == ("NO_HOST_OFFERS_GRAPHICS", "protocol")


@pytest.mark.parametrize("choice", [AS_IS, NONE])
def test_a_headless_run_needs_no_host_that_offers_graphics(choice: ConsoleChoice) -> None:
    assert run_with(choice, MACHINES[0], replace(BIOS, protocols=HEADLESS)).console.headless


def test_a_graphical_machine_can_run_headless_where_no_host_offers_graphics() -> None:
    assert run_with(NONE, MACHINES[1], replace(BIOS, protocols=HEADLESS)).console.headless


# -- what else one run does otherwise

ODD = showing(VNC, Video.VGA, keyboard="de", serial=True)


def test_an_overlay_of_nothing_is_the_machine_itself() -> None:
    assert RunOnce().overlay(ODD) == ODD


def test_as_configured_is_the_machine_itself() -> None:
    assert [run_with(AS_IS, spec) for spec in MACHINES] == MACHINES


@pytest.mark.parametrize(("chosen", "used"), [(None, "de"), ("fr", "fr"), ("", "")])
def test_a_run_has_the_keyboard_layout_that_was_chosen_or_the_stored_one(chosen: str | None, used: str) -> None:
    assert run_with(AS_IS, ODD, keyboard=chosen).console.keyboard == used


@pytest.mark.parametrize(("stored", "chosen"), [*product((False, True), (None, False, True))])
def test_a_run_has_the_serial_line_that_was_chosen_or_the_stored_one(stored: bool, chosen: bool | None) -> None:
    console = run_with(AS_IS, showing(HEADLESS, None, serial=stored), serial=chosen).console
    assert console.serial == (stored if chosen is None else chosen)


@pytest.mark.parametrize(("stored", "chosen"), [*product((False, True), (None, False, True))])
def test_a_run_starts_paused_when_that_was_chosen_or_stored(stored: bool, chosen: bool | None) -> None:
    spec = run_with(AS_IS, replace(SPEC, start_paused=stored), start_paused=chosen)
    assert spec.start_paused == (stored if chosen is None else chosen)


@pytest.mark.parametrize("wanted", [False, True])
def test_the_serial_line_of_the_run_decides_about_usb_without_a_screen(wanted: bool) -> None:
    console = run_with(NONE, showing(VNC, Video.VGA, wants_usb=True), serial=wanted).console
    assert console.usb == wanted


def test_a_run_with_vnc_shows_one_monitor_and_the_machine_keeps_four() -> None:
    spec = showing(SPICE, Video.QXL, monitors=4)
    assert (run_with(WITH_VNC, spec).console.monitors, spec.console.monitors) == (1, 4)


def test_every_other_choice_of_the_machine_holds_for_the_run() -> None:
    stored = Console(wants_usb=True, wants_smartcard=True, wants_sound=True, wants_copy_paste=False, serial=True)
    assert run_with(WITH_SPICE, replace(SPEC, console=stored)).console == replace(
        stored, graphics=SPICE, video=Video.QXL
    )


def test_an_unknown_keyboard_layout_is_refused_before_the_run() -> None:
    with pytest.raises(Refusal) as refusal:
        Run(base=SPEC, once=RunOnce(keyboard="xx"))
    assert refusal.value.code == "VALIDATION_VM_INVALID_KEYBOARD_LAYOUT"


@pytest.mark.parametrize("graphics", GRAPHICS[1:])
def test_a_run_with_a_screen_and_no_card_is_refused_before_it_starts(graphics: Graphics) -> None:
    with pytest.raises(Refusal) as refusal:
        Run(base=MACHINES[0], once=RunOnce(graphics=graphics))
    assert refusal.value.code == "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_OS"


# -- nothing of it stays


@pytest.mark.parametrize("choice", ConsoleChoice)
def test_the_machine_is_untouched_by_the_overlay(choice: ConsoleChoice) -> None:
    remembering = [replace(spec, console=spec.console.as_headless()) for spec in MACHINES]
    specs = [*MACHINES, *remembering]
    before = deepcopy(specs)
    for spec in specs:
        run_with(choice, spec, serial=True, keyboard="fr", start_paused=True)
    assert [(spec, spec.console.before) for spec in specs] == [(spec, spec.console.before) for spec in before]


@pytest.mark.parametrize("choice", ConsoleChoice)
def test_a_run_once_leaves_nothing_pending(choice: ConsoleChoice) -> None:
    for spec in MACHINES:
        run = Run(base=spec, once=RunOnce.choose(choice, spec, BIOS, serial=True))
        assert spec.differs_from(run.base) == ()


def test_a_machine_run_headless_once_still_remembers_nothing_in_its_configuration() -> None:
    run = Run(base=SPEC, once=RunOnce(graphics=HEADLESS))
    assert (run.spec.console.before, run.base.console.before) == (Choice(VNC, Video.VGA), None)


def test_a_plain_run_is_what_is_configured() -> None:
    assert Run(base=ODD).spec is ODD


@pytest.mark.parametrize(("once", "volatile"), [(None, False), (RunOnce(), False), (RunOnce(volatile=True), True)])
def test_a_run_ends_with_a_reboot_only_where_its_overlay_says_so(once: RunOnce | None, volatile: bool) -> None:
    assert Run(base=SPEC, once=once).volatile == volatile


def test_the_dialog_offers_ovirts_three_consoles_both_together_and_the_configured_one() -> None:
    assert {choice.value: choice.graphics for choice in ConsoleChoice} == {
        "as_configured": None,
        "headless": frozenset(),
        "vnc": {Protocol.VNC},
        "spice": {Protocol.SPICE},
        "spice_and_vnc": {Protocol.VNC, Protocol.SPICE},
    }
