"""The headless rule: which consoles exist, what each of them gives the guest, and when one can be opened."""

from dataclasses import replace
from itertools import product

import pytest

from tests.domain.consoles import EVERY, FLAGS, GRAPHICS, PLAIN, consoles
from vms.domain.console import HEADLESS, KEYBOARD_LAYOUTS, SPICE, SPICE_AND_VNC, VNC, Choice, Console, Graphics, Video
from vms.domain.errors import Refusal
from vms.domain.graphicalaccess import ConsoleState, GraphicalAccess, NoConsole, graphical_access

# -- which consoles exist


@pytest.mark.parametrize("graphics", GRAPHICS)
@pytest.mark.parametrize("video", Video)
def test_graphics_and_video_exist_together_or_not_at_all(graphics: Graphics, video: Video) -> None:
    with_card, without_card = bool(graphics), not graphics
    assert (_refused(graphics, video), _refused(graphics, None)) == (not with_card, not without_card)


def _refused(graphics: Graphics, video: Video | None) -> bool:
    try:
        Console(graphics=graphics, video=video)
    except Refusal:
        return True
    return False


@pytest.mark.parametrize(("graphics", "video"), [*product([HEADLESS], Video), *product(GRAPHICS[1:], [None])])
def test_half_a_display_is_refused_with_the_code_that_clients_know(graphics: Graphics, video: Video | None) -> None:
    with pytest.raises(Refusal) as refusal:
        Console(graphics=graphics, video=video)
    assert (refusal.value.code, refusal.value.field) == (
        "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_OS",
        "video_type",
    )


@pytest.mark.parametrize("graphics", GRAPHICS)
@pytest.mark.parametrize("monitors", [-1, 0, 1, 2, 3, 4, 5, 8])
def test_vnc_shows_one_monitor_and_everything_else_as_many_as_ovirt_allows(graphics: Graphics, monitors: int) -> None:
    legal = {VNC: {1}, SPICE_AND_VNC: {1}, SPICE: {1, 2, 4}, HEADLESS: {1, 2, 4}}
    video = Video.QXL if graphics else None
    try:
        Console(graphics=graphics, video=video, monitors=monitors)
        built = True
    except Refusal as refusal:
        built = (refusal.code, refusal.field) != ("ACTION_TYPE_FAILED_ILLEGAL_NUM_OF_MONITORS", "monitors")
    assert built == (monitors in legal[graphics])


@pytest.mark.parametrize("layout", ["xx", "DE", "de\n", "en-us ", "../de"])
def test_an_unknown_keyboard_layout_is_refused_even_while_nothing_uses_it(layout: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Console(graphics=HEADLESS, video=None, keyboard=layout)
    assert (refusal.value.code, refusal.value.field) == ("VALIDATION_VM_INVALID_KEYBOARD_LAYOUT", "keyboard")


def test_every_layout_of_qemu_and_the_default_are_taken() -> None:
    layouts = ["", *KEYBOARD_LAYOUTS]
    assert [Console(keyboard=layout).keyboard for layout in layouts] == layouts


def test_a_new_console_is_vnc_with_vga_and_one_monitor() -> None:
    console = Console()
    assert (console.graphics, console.video, console.monitors, console.headless) == (VNC, Video.VGA, 1, False)


def test_a_console_cannot_be_changed_in_place() -> None:
    with pytest.raises(AttributeError):
        Console().video = None  # type: ignore[misc]


def test_equal_consoles_are_one_member_of_a_set() -> None:
    assert len({*EVERY, *consoles()}) == len(EVERY)


def test_a_choice_without_a_protocol_is_nothing_to_come_back_to() -> None:
    with pytest.raises(Refusal) as refusal:
        Choice(HEADLESS, Video.VGA)
    assert refusal.value.code == "ACTION_TYPE_FAILED_GRAPHIC_TYPE_MUST_BE_SPECIFIED"


def test_what_was_shown_before_does_not_make_two_consoles_different() -> None:
    assert PLAIN[0] == replace(PLAIN[0], before=Choice(SPICE, Video.QXL))


@pytest.mark.parametrize("console", PLAIN[1:])
def test_a_console_with_a_display_remembers_no_earlier_one(console: Console) -> None:
    assert replace(console, before=Choice(SPICE, Video.QXL)).before is None


# -- what a console is and gives


@pytest.mark.parametrize("console", PLAIN)
def test_headless_means_no_graphics(console: Console) -> None:
    assert console.headless == (console.graphics == frozenset())


@pytest.mark.parametrize(
    ("graphics", "label"), [(HEADLESS, "None"), (VNC, "VNC"), (SPICE, "SPICE"), (SPICE_AND_VNC, "SPICE + VNC")]
)
def test_the_graphics_column_uses_ovirts_words(graphics: Graphics, label: str) -> None:
    assert Console(graphics=graphics, video=Video.QXL if graphics else None).graphics_label == label


@pytest.mark.parametrize(
    ("video", "label"),
    [(None, "None"), (Video.QXL, "QXL"), (Video.VGA, "VGA"), (Video.CIRRUS, "CIRRUS"), (Video.BOCHS, "Bochs")],
)
def test_the_video_column_uses_ovirts_words(video: Video | None, label: str) -> None:
    assert Console(graphics=VNC if video else HEADLESS, video=video).video_label == label


# graphics, serial, wanted → USB, USB redirection (engine-behaviour 2.3, feature page "SPICE USB controller")
USB = {
    (HEADLESS, False, False): (False, False),
    (HEADLESS, False, True): (False, False),
    (HEADLESS, True, False): (False, False),
    (HEADLESS, True, True): (True, False),
    (VNC, False, False): (False, False),
    (VNC, False, True): (True, False),
    (VNC, True, False): (False, False),
    (VNC, True, True): (True, False),
    (SPICE, False, False): (False, False),
    (SPICE, False, True): (True, True),
    (SPICE, True, False): (False, False),
    (SPICE, True, True): (True, True),
    (SPICE_AND_VNC, False, False): (False, False),
    (SPICE_AND_VNC, False, True): (True, True),
    (SPICE_AND_VNC, True, False): (False, False),
    (SPICE_AND_VNC, True, True): (True, True),
}


def test_usb_ends_without_screen_and_serial_line_and_redirection_without_spice() -> None:
    assert {
        (console.graphics, console.serial, console.wants_usb): (console.usb, console.redirection) for console in EVERY
    } == USB


def test_a_smartcard_reader_rides_on_spice() -> None:
    given_to = {(console.graphics, console.wants_smartcard): console.smartcard for console in EVERY}
    assert {key for key, present in given_to.items() if present} == {(SPICE, True), (SPICE_AND_VNC, True)}


def test_file_transfer_rides_on_spice() -> None:
    given_to = {(console.graphics, console.wants_file_transfer): console.file_transfer for console in EVERY}
    assert {key for key, present in given_to.items() if present} == {(SPICE, True), (SPICE_AND_VNC, True)}


def test_copy_and_paste_rides_on_spice() -> None:
    given_to = {(console.graphics, console.wants_copy_paste): console.copy_paste for console in EVERY}
    assert {key for key, present in given_to.items() if present} == {(SPICE, True), (SPICE_AND_VNC, True)}


def test_sound_needs_a_display() -> None:
    given_to = {(console.graphics, console.wants_sound): console.sound for console in EVERY}
    assert {key for key, present in given_to.items() if present} == {(VNC, True), (SPICE, True), (SPICE_AND_VNC, True)}


def test_only_qxl_shows_more_than_one_head_and_a_headless_machine_none() -> None:
    def heads(console: Console) -> int:
        if not console.graphics:
            return 0
        return console.monitors if console.video is Video.QXL else 1

    assert [console.heads for console in EVERY] == [heads(console) for console in EVERY]


# -- the answer to "Console"

_MISSING = GraphicalAccess(ConsoleState.MISSING, reason=NoConsole.HEADLESS)
_INACTIVE = GraphicalAccess(ConsoleState.INACTIVE, reason=NoConsole.NOT_RUNNING)
_PENDING = GraphicalAccess(ConsoleState.PENDING, reason=NoConsole.RESTART_NEEDED)

# configured with a display?, what runs, reachable? → the answer; None: nothing runs
ACCESS: dict[tuple[bool, Graphics | None, bool], GraphicalAccess] = {
    (False, None, False): _MISSING,
    (False, None, True): _MISSING,
    (False, HEADLESS, False): _MISSING,
    (False, HEADLESS, True): _MISSING,
    (True, None, False): _INACTIVE,
    (True, None, True): _INACTIVE,
    (True, HEADLESS, False): _PENDING,
    (True, HEADLESS, True): _PENDING,
    **{(configured, running, False): _INACTIVE for configured in FLAGS for running in GRAPHICS[1:]},
    **{
        (configured, running, True): GraphicalAccess(ConsoleState.ACTIVE, running)
        for configured in FLAGS
        for running in GRAPHICS[1:]
    },
}


@pytest.mark.parametrize("running", [None, *GRAPHICS])
@pytest.mark.parametrize("reachable", FLAGS)
def test_the_console_button_tells_its_state_and_its_reason(running: Graphics | None, reachable: bool) -> None:
    shown = None if running is None else Console(graphics=running, video=Video.QXL if running else None)
    for configured in PLAIN:
        answer = graphical_access(configured, shown, reachable=reachable)
        assert answer == ACCESS[not configured.headless, running, reachable]


def test_there_is_a_reason_exactly_when_nothing_can_be_opened() -> None:
    answers = [
        graphical_access(configured, running, reachable=reachable)
        for configured, running, reachable in product(PLAIN, (None, *PLAIN), FLAGS)
    ]
    assert all((answer.reason is None) == bool(answer.protocols) for answer in answers)


def test_a_run_once_without_a_screen_is_not_blamed_on_a_change() -> None:
    answer = graphical_access(Console(), Console().as_headless(), reachable=True, once=True)
    assert answer.reason is NoConsole.HEADLESS_THIS_RUN
