"""The headless rule: which consoles exist, how one becomes another, and what each of them gives the guest."""

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.domain.console import (
    HEADLESS,
    KEYBOARD_LAYOUTS,
    MONITORS,
    SPICE,
    SPICE_AND_VNC,
    VNC,
    Choice,
    Console,
    ConsoleState,
    DisconnectAction,
    Firmware,
    Frozen,
    GraphicalAccess,
    Graphics,
    Level,
    NoConsole,
    Offer,
    Protocol,
    Recording,
    SingleSignOn,
    Video,
    graphical_access,
)
from vms.domain.errors import Kind, Refusal

GRAPHICS = (HEADLESS, VNC, SPICE, SPICE_AND_VNC)
DISPLAYS: list[tuple[Graphics, Video | None]] = [(HEADLESS, None), *product(GRAPHICS[1:], Video)]
OFFERS = [
    Offer(level=level, firmware=firmware, protocols=protocols)
    for level, firmware, protocols in product((None, *Level), Firmware, GRAPHICS[1:])
]
MODERN = Offer(level=Level.V4_8)
NOTHING = Offer(level=Level.V4_8, protocols=HEADLESS)
FLAGS = (False, True)


def consoles() -> Iterator[Console]:
    for (graphics, video), serial, usb, smartcard, sound, extras, monitors in product(
        DISPLAYS, FLAGS, FLAGS, FLAGS, FLAGS, FLAGS, MONITORS
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
            wants_file_transfer=extras,
            wants_copy_paste=not extras,
        )


EVERY = tuple(consoles())
GRAPHICAL = tuple(console for console in EVERY if not console.headless)
PLAIN = tuple(Console(graphics=graphics, video=video) for graphics, video in DISPLAYS)


def choices_of(console: Console) -> dict[str, object]:
    """Everything that neither the box nor a protocol may change."""
    return {
        entry.name: getattr(console, entry.name)
        for entry in fields(console)
        if entry.name not in {"graphics", "video", "monitors", "before"}
    }


def accepted(console: Console, offer: Offer) -> bool:
    return (
        console.video is not None
        and console.graphics <= offer.protocols
        and offer.accepts(console.graphics, console.video)
    )


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


# -- what is greyed out

_H, _V, _S, _Q = Frozen.HEADLESS, Frozen.NEEDS_VNC, Frozen.NEEDS_SPICE, Frozen.NEEDS_SPICE_AND_QXL

# One column a field, one row a display; None is a field that works.
FROZEN_FIELDS = ("video_type", "protocol", "keyboard", "monitors", "usb", "smartcard", "sound", "file_transfer")
FROZEN: dict[tuple[Graphics, Video | None], tuple[Frozen | None, ...]] = {
    (HEADLESS, None): (_H, _H, _H, _H, _H, _H, _H, _H),
    (VNC, Video.QXL): (None, None, None, _Q, _S, _S, None, _S),
    (VNC, Video.VGA): (None, None, None, _Q, _S, _S, None, _S),
    (VNC, Video.CIRRUS): (None, None, None, _Q, _S, _S, None, _S),
    (VNC, Video.BOCHS): (None, None, None, _Q, _S, _S, None, _S),
    (SPICE, Video.QXL): (None, None, _V, None, None, None, None, None),
    (SPICE, Video.VGA): (None, None, _V, _Q, None, None, None, None),
    (SPICE, Video.CIRRUS): (None, None, _V, _Q, None, None, None, None),
    (SPICE, Video.BOCHS): (None, None, _V, _Q, None, None, None, None),
    (SPICE_AND_VNC, Video.QXL): (None, None, None, _Q, None, None, None, None),
    (SPICE_AND_VNC, Video.VGA): (None, None, None, _Q, None, None, None, None),
    (SPICE_AND_VNC, Video.CIRRUS): (None, None, None, _Q, None, None, None, None),
    (SPICE_AND_VNC, Video.BOCHS): (None, None, None, _Q, None, None, None, None),
}


@pytest.mark.parametrize(("graphics", "video"), DISPLAYS)
def test_a_field_is_greyed_out_with_the_reason_that_holds(graphics: Graphics, video: Video | None) -> None:
    reasons = dict(zip(FROZEN_FIELDS, FROZEN[graphics, video], strict=True))
    reasons["copy_paste"] = reasons["spice_proxy"] = reasons["file_transfer"]
    reasons |= dict.fromkeys(("disconnect_action", "sso", "allow_reconnect"), None if graphics else Frozen.HEADLESS)
    reasons["disconnect_delay"] = Frozen.NEEDS_SHUTDOWN if graphics else Frozen.HEADLESS
    expected = {name: reason for name, reason in reasons.items() if reason}
    assert Console(graphics=graphics, video=video).frozen_fields() == expected


def test_a_line_is_written_down_where_there_is_one_as_it_was_chosen() -> None:
    rule = {
        (Recording.HEADLESS, True): True,
        (Recording.HEADLESS, False): False,
        (Recording.ALWAYS, True): True,
        (Recording.ALWAYS, False): True,
        (Recording.NEVER, True): False,
        (Recording.NEVER, False): False,
    }
    for (recording, headless), recorded in rule.items():
        for serial in (True, False):
            console = Console(serial=serial, recording=recording)
            console = console.as_headless() if headless else console
            assert console.recorded == (recorded and serial), console


def test_the_delay_counts_for_a_shutdown_alone() -> None:
    for action in DisconnectAction:
        frozen = Console(disconnect_action=action).frozen_fields()
        assert ("disconnect_delay" in frozen) == (action != DisconnectAction.SHUTDOWN)


def test_a_guest_logs_people_in_by_its_agent_where_there_is_a_screen() -> None:
    for method in SingleSignOn:
        console = Console(sso=method)
        assert (console.signs_on, console.as_headless().signs_on) == (method == SingleSignOn.GUEST_AGENT, False)


def test_a_delay_and_a_proxy_that_cannot_be_are_refused() -> None:
    wrong: list[dict[str, Any]] = [
        *({"disconnect_delay": delay} for delay in (-1, 1441)),
        *(
            {"spice_proxy": proxy}
            for proxy in ("x", "ftp://a:1", "http://a b:1", "http://a:1/x", "http://" + "a" * 300)
        ),
    ]
    for values in wrong:
        with pytest.raises(Refusal) as refusal:
            Console(**values)
        assert (refusal.value.code, refusal.value.field) == ("ILLEGAL_VALUE", *values)
    for proxy in ("http://proxy:3128", "https://proxy.example.org", "http://[::1]:3128/"):
        assert Console(spice_proxy=proxy).spice_proxy == proxy


def test_what_is_greyed_out_depends_on_the_display_alone() -> None:
    shown = {(console.graphics, console.video): console.frozen_fields() for console in PLAIN}
    assert all(console.frozen_fields() == shown[console.graphics, console.video] for console in EVERY)


def test_the_serial_console_is_never_greyed_out() -> None:
    assert not any("serial" in console.frozen_fields() for console in EVERY)


def _effects(console: Console) -> tuple[object, ...]:
    on_spice = console.redirection, console.smartcard, console.file_transfer, console.copy_paste
    keyboard = console.keyboard if Protocol.VNC in console.graphics else None
    return on_spice, keyboard, console.heads, console.sound, console.serial


@pytest.mark.parametrize(
    ("name", "column", "values"),
    [
        ("usb", "wants_usb", FLAGS),
        ("smartcard", "wants_smartcard", FLAGS),
        ("sound", "wants_sound", FLAGS),
        ("file_transfer", "wants_file_transfer", FLAGS),
        ("copy_paste", "wants_copy_paste", FLAGS),
        ("keyboard", "keyboard", ("", "de", "fr")),
        ("monitors", "monitors", (1, 2, 4)),
    ],
)
def test_a_greyed_out_choice_changes_nothing_that_the_guest_shows(
    name: str, column: str, values: tuple[object, ...]
) -> None:
    moved = [
        (console, value)
        for console in EVERY
        if name in console.frozen_fields()
        for value in values
        if not (column == "monitors" and Protocol.VNC in console.graphics)
        and _effects(replace(console, **{column: value})) != _effects(console)  # type: ignore[arg-type]
    ]
    assert moved == []


# -- the box: headless and back


def test_ticking_the_box_takes_graphics_and_video_together() -> None:
    assert {(console.as_headless().graphics, console.as_headless().video) for console in EVERY} == {(HEADLESS, None)}


def test_ticking_the_box_keeps_every_other_choice() -> None:
    def kept(console: Console) -> tuple[object, ...]:
        return console.monitors, choices_of(console)

    assert [kept(console.as_headless()) for console in EVERY] == [kept(console) for console in EVERY]


def test_ticking_the_box_twice_remembers_what_the_first_time_did() -> None:
    assert all(console.as_headless().as_headless().before == console.as_headless().before for console in EVERY)


@pytest.mark.parametrize("console", PLAIN[1:])
def test_ticking_the_box_remembers_what_was_shown(console: Console) -> None:
    assert console.video
    assert console.as_headless().before == Choice(console.graphics, console.video)


@pytest.mark.parametrize("offer", OFFERS)
def test_unticking_brings_back_what_was_shown_where_it_is_still_offered(offer: Offer) -> None:
    offered = [console for console in GRAPHICAL if accepted(console, offer)]
    assert offered
    assert [console.as_headless().as_graphical(offer) for console in offered] == offered


@pytest.mark.parametrize("offer", OFFERS)
def test_unticking_keeps_the_protocols_when_only_the_card_is_gone(offer: Offer) -> None:
    for console in PLAIN[1:]:
        if console.graphics <= offer.protocols and not accepted(console, offer):
            back = console.as_headless().as_graphical(offer)
            assert (back.graphics, back.video) == (console.graphics, offer.recommend(console.graphics))


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if offer.protocols == VNC])
def test_unticking_falls_back_to_vnc_and_its_card_where_spice_is_gone(offer: Offer) -> None:
    for console in PLAIN[1:]:
        if Protocol.SPICE in console.graphics:
            back = console.as_headless().as_graphical(offer)
            assert (back.graphics, back.video) == (VNC, offer.recommend(VNC))


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if offer.protocols == SPICE])
def test_unticking_falls_back_to_spice_and_qxl_where_only_spice_is_offered(offer: Offer) -> None:
    for console in PLAIN:
        if console.graphics != SPICE:
            back = console.as_headless().as_graphical(offer)
            assert (back.graphics, back.video) == (SPICE, Video.QXL)


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if Protocol.VNC in offer.protocols])
def test_unticking_with_nothing_remembered_gives_vnc_and_its_card(offer: Offer) -> None:
    back = Console(graphics=HEADLESS, video=None).as_graphical(offer)
    assert (back.graphics, back.video) == (VNC, offer.recommend(VNC))


def test_unticking_with_nothing_remembered_on_a_modern_bios_machine_gives_vga() -> None:
    assert Console(graphics=HEADLESS, video=None).as_graphical(MODERN) == Console()


@pytest.mark.parametrize("console", PLAIN)
def test_unticking_is_refused_with_the_reason_where_no_host_offers_graphics(console: Console) -> None:
    with pytest.raises(Refusal) as refusal:
        console.as_headless().as_graphical(NOTHING)
    assert (refusal.value.code, refusal.value.field) == ("NO_HOST_OFFERS_GRAPHICS", "protocol")


def test_unticking_a_console_with_a_display_leaves_it_alone_even_where_nothing_is_offered() -> None:
    assert all(console.as_graphical(NOTHING) is console for console in GRAPHICAL)


def test_unticking_keeps_every_other_choice() -> None:
    assert all(choices_of(console.as_headless().as_graphical(MODERN)) == choices_of(console) for console in EVERY)


def test_unticking_to_vnc_shows_one_monitor() -> None:
    assert Console(graphics=HEADLESS, video=None, monitors=4).as_graphical(MODERN).monitors == 1


def test_unticking_to_spice_brings_the_monitors_back() -> None:
    console = Console(graphics=SPICE, video=Video.QXL, monitors=4)
    assert console.as_headless().as_graphical(MODERN).monitors == 4


# -- one console more, one console less


@pytest.mark.parametrize("graphics", GRAPHICS[1:])
def test_removing_the_last_console_makes_it_headless(graphics: Graphics) -> None:
    console = Console(graphics=graphics, video=Video.QXL)
    for protocol in graphics:
        console = console.without_graphics(protocol)
    assert (console.headless, console.video) == (True, None)


def test_removing_the_last_console_equals_ticking_the_box() -> None:
    lonely = [console for console in EVERY if len(console.graphics) == 1]
    removed = [console.without_graphics(*console.graphics) for console in lonely]
    boxed = [console.as_headless() for console in lonely]
    assert [(console, console.before) for console in removed] == [(console, console.before) for console in boxed]


@pytest.mark.parametrize("protocol", Protocol)
def test_removing_one_of_two_consoles_leaves_the_other_and_the_card(protocol: Protocol) -> None:
    both = [console for console in EVERY if console.graphics == SPICE_AND_VNC]
    expected = [replace(console, graphics=SPICE_AND_VNC - {protocol}) for console in both]
    assert [console.without_graphics(protocol) for console in both] == expected


@pytest.mark.parametrize("protocol", Protocol)
def test_removing_a_console_that_is_not_there_finds_nothing(protocol: Protocol) -> None:
    for console in PLAIN:
        if protocol not in console.graphics:
            with pytest.raises(Refusal) as refusal:
                console.without_graphics(protocol)
            assert (refusal.value.code, refusal.value.kind) == ("GRAPHICS_CONSOLE_NOT_FOUND", Kind.MISSING)


@pytest.mark.parametrize("protocol", Protocol)
def test_a_second_console_of_the_same_protocol_is_refused(protocol: Protocol) -> None:
    for console in PLAIN:
        if protocol in console.graphics:
            with pytest.raises(Refusal) as refusal:
                console.with_graphics(protocol, MODERN)
            assert (refusal.value.code, refusal.value.params["protocol"]) == (
                "ACTION_TYPE_FAILED_ONLY_ONE_DEVICE_WITH_THIS_GRAPHICS_ALLOWED",
                protocol.name,
            )


@pytest.mark.parametrize(
    ("protocol", "offered", "code"),
    [
        (Protocol.SPICE, VNC, "NO_HOST_OFFERS_PROTOCOL"),
        (Protocol.VNC, SPICE, "NO_HOST_OFFERS_PROTOCOL"),
        (Protocol.SPICE, HEADLESS, "NO_HOST_OFFERS_GRAPHICS"),
        (Protocol.VNC, HEADLESS, "NO_HOST_OFFERS_GRAPHICS"),
    ],
)
def test_a_console_that_no_host_offers_is_refused(protocol: Protocol, offered: Graphics, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        PLAIN[0].with_graphics(protocol, replace(MODERN, protocols=offered))
    assert refusal.value.code == code


@pytest.mark.parametrize(("protocol", "video"), [(Protocol.VNC, Video.VGA), (Protocol.SPICE, Video.QXL)])
def test_the_first_console_brings_a_card_that_it_accepts(protocol: Protocol, video: Video) -> None:
    console = PLAIN[0].with_graphics(protocol, MODERN)
    assert (console.graphics, console.video) == (frozenset({protocol}), video)


@pytest.mark.parametrize("offer", OFFERS)
def test_a_console_added_at_any_level_can_be_started_there(offer: Offer) -> None:
    for console, protocol in product(PLAIN, offer.protocols):
        if protocol not in console.graphics and console.graphics <= offer.protocols:
            offer.check(console.with_graphics(protocol, offer))


def test_spice_beside_vnc_replaces_a_card_that_only_vnc_accepts() -> None:
    assert Console().with_graphics(Protocol.SPICE, MODERN) == Console(graphics=SPICE_AND_VNC, video=Video.QXL)


def test_vnc_beside_spice_keeps_the_card() -> None:
    console = Console(graphics=SPICE, video=Video.QXL)
    assert console.with_graphics(Protocol.VNC, MODERN) == Console(graphics=SPICE_AND_VNC, video=Video.QXL)


def test_vnc_beside_spice_leaves_one_monitor() -> None:
    console = Console(graphics=SPICE, video=Video.QXL, monitors=4)
    assert console.with_graphics(Protocol.VNC, MODERN).monitors == 1


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if offer.protocols == SPICE_AND_VNC])
def test_removing_what_was_added_ends_with_the_same_protocols(offer: Offer) -> None:
    for console, protocol in product(PLAIN, Protocol):
        if protocol not in console.graphics:
            assert console.with_graphics(protocol, offer).without_graphics(protocol).graphics == console.graphics


@pytest.mark.parametrize("protocol", Protocol)
def test_adding_what_was_removed_ends_with_the_same_console(protocol: Protocol) -> None:
    both = [console for console in EVERY if accepted(console, MODERN) and console.graphics == SPICE_AND_VNC]
    assert [console.without_graphics(protocol).with_graphics(protocol, MODERN) for console in both] == both


def test_no_change_of_consoles_touches_the_serial_line_or_another_choice() -> None:
    for console, protocol in product(EVERY, Protocol):
        if protocol in console.graphics:
            changed = console.without_graphics(protocol)
        else:
            changed = console.with_graphics(protocol, MODERN)
        assert choices_of(changed) == choices_of(console)


@pytest.mark.parametrize("offer", [offer for offer in OFFERS if offer.protocols == SPICE_AND_VNC])
def test_showing_exactly_some_protocols_keeps_a_card_that_fits_and_replaces_one_that_does_not(offer: Offer) -> None:
    for console, graphics, video in product(PLAIN, GRAPHICS[1:], Video):
        shown = console.showing(graphics, video, offer)
        kept = video if offer.accepts(graphics, video) else offer.recommend(graphics)
        assert (shown.graphics, shown.video) == (graphics, kept)


def test_showing_no_protocol_is_ticking_the_box() -> None:
    for console, video in product(PLAIN, (None, *Video)):
        shown = console.showing(HEADLESS, video, MODERN)
        assert (shown, shown.before) == (console.as_headless(), console.as_headless().before)


# -- any sequence of changes

_CHANGES = st.one_of(
    st.just(("as_headless",)),
    st.tuples(st.just("as_graphical"), st.sampled_from(OFFERS)),
    st.tuples(st.just("with_graphics"), st.sampled_from(Protocol), st.sampled_from(OFFERS)),
    st.tuples(st.just("without_graphics"), st.sampled_from(Protocol)),
    st.tuples(
        st.just("showing"), st.sampled_from(GRAPHICS), st.sampled_from([None, *Video]), st.sampled_from(OFFERS)
    ),
    st.tuples(st.just("with_display"), st.sampled_from(GRAPHICS), st.sampled_from([None, *Video])),
)  # fmt: skip


@given(st.sampled_from(EVERY), st.lists(_CHANGES, max_size=12))
def test_no_sequence_of_changes_breaks_the_law(start: Console, changes: list[tuple[object, ...]]) -> None:
    console = start
    for name, *arguments in changes:
        try:
            console = getattr(console, str(name))(*arguments)
        except Refusal:
            continue
        assert bool(console.graphics) == (console.video is not None)
        assert console.before is None or console.headless
        assert Protocol.VNC not in console.graphics or console.monitors == 1
    assert choices_of(console) == choices_of(start)


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
