"""How one console becomes another: headless and back, one protocol more or less, in any order."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.consoles import EVERY, GRAPHICAL, GRAPHICS, MODERN, NOTHING, OFFERS, PLAIN, accepted, choices_of
from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Choice, Console, Graphics, Offer, Protocol, Video
from vms.domain.errors import Kind, Refusal

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
