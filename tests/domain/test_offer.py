"""What a cluster level and a firmware make possible: the pairs of protocol and card."""

from dataclasses import replace
from itertools import product

import pytest

from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Console, Graphics, Level, Offer, Protocol, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware

GRAPHICS = (VNC, SPICE, SPICE_AND_VNC)
OFFERS = [
    Offer(level=level, firmware=firmware, server=server)
    for level, firmware, server in product((None, *Level), Firmware, (True, False))
]

_OLD = "spice/qxl vnc/vga vnc/qxl vnc/cirrus"
_MIDDLE = "spice/qxl vnc/vga vnc/qxl"
_NEW = "spice/qxl vnc/vga vnc/qxl vnc/bochs"

# osinfo-defaults.properties, x86 (engine-behaviour 1.4); Bochs besides needs UEFI (1.1).
PAIRS = {
    ("4.2", "bios"): _OLD,
    ("4.2", "uefi"): _OLD,
    ("4.3", "bios"): _MIDDLE,
    ("4.3", "uefi"): _MIDDLE,
    ("4.4", "bios"): _MIDDLE,
    ("4.4", "uefi"): _MIDDLE,
    ("4.5", "bios"): _MIDDLE,
    ("4.5", "uefi"): _NEW,
    ("4.6", "bios"): _MIDDLE,
    ("4.6", "uefi"): _NEW,
    ("4.7", "bios"): _MIDDLE,
    ("4.7", "uefi"): _NEW,
    ("4.8", "bios"): _MIDDLE,
    ("4.8", "uefi"): _NEW,
}


def pairs_of(offer: Offer) -> set[str]:
    return {
        f"{protocol}/{video}"
        for protocol, video in product(Protocol, Video)
        if offer.accepts(frozenset({protocol}), video)
    }


def test_the_levels_are_those_of_the_engine() -> None:
    assert [level.value for level in Level] == ["4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8"]


def test_the_levels_order_by_age() -> None:
    assert sorted(Level) == list(Level)


@pytest.mark.parametrize("server", [True, False])
@pytest.mark.parametrize(("level", "firmware"), PAIRS)
def test_the_pairs_are_those_of_osinfo(level: str, firmware: str, server: bool) -> None:
    offer = Offer(level=Level(level), firmware=Firmware(firmware), server=server)
    assert pairs_of(offer) == set(PAIRS[level, firmware].split())


@pytest.mark.parametrize("firmware", Firmware)
def test_without_a_level_everything_goes_that_some_level_offers(firmware: Firmware) -> None:
    anywhere = {pair for pairs in PAIRS.values() for pair in pairs.split()}
    assert pairs_of(Offer(level=None, firmware=firmware)) == anywhere


@pytest.mark.parametrize("offer", OFFERS)
def test_a_card_fits_two_protocols_when_it_fits_both(offer: Offer) -> None:
    both = {video: offer.accepts(SPICE_AND_VNC, video) for video in Video}
    assert both == {video: offer.accepts(SPICE, video) and offer.accepts(VNC, video) for video in Video}


# -- the card that is chosen


def test_spice_gets_qxl() -> None:
    cards = {offer.recommend(graphics) for offer, graphics in product(OFFERS, (SPICE, SPICE_AND_VNC))}
    assert cards == {Video.QXL}


@pytest.mark.parametrize("offer", OFFERS)
def test_vnc_gets_vga_but_bochs_on_a_uefi_server_from_4_5_on(offer: Offer) -> None:
    bochs = (
        offer.server
        and offer.firmware in {Firmware.UEFI, Firmware.SECURE}
        and offer.level in {"4.5", "4.6", "4.7", "4.8"}
    )
    assert offer.recommend(VNC) is (Video.BOCHS if bochs else Video.VGA)


@pytest.mark.parametrize("offer", OFFERS)
def test_the_card_that_is_chosen_fits(offer: Offer) -> None:
    assert all(offer.accepts(graphics, offer.recommend(graphics)) for graphics in GRAPHICS)


@pytest.mark.parametrize("offer", OFFERS)
def test_the_list_of_cards_holds_each_that_fits_once(offer: Offer) -> None:
    for graphics in GRAPHICS:
        assert sorted(offer.videos(graphics)) == sorted(video for video in Video if offer.accepts(graphics, video))


@pytest.mark.parametrize("offer", OFFERS)
def test_the_list_of_cards_begins_with_the_recommended_one(offer: Offer) -> None:
    assert all(offer.videos(graphics)[0] is offer.recommend(graphics) for graphics in GRAPHICS)


def test_no_protocol_has_no_cards() -> None:
    assert {offer.videos(HEADLESS) for offer in OFFERS} == {()}


# -- what is refused


@pytest.mark.parametrize("offer", [*OFFERS, Offer(level=Level.V4_8, protocols=HEADLESS)])
def test_a_headless_console_fits_every_cluster(offer: Offer) -> None:
    offer.check(Console(graphics=HEADLESS, video=None))


@pytest.mark.parametrize("offer", OFFERS)
def test_the_check_accepts_exactly_the_pairs(offer: Offer) -> None:
    for graphics, video in product(GRAPHICS, Video):
        try:
            offer.check(Console(graphics=graphics, video=video))
            taken = True
        except Refusal:
            taken = False
        assert taken == offer.accepts(graphics, video)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("graphics", GRAPHICS)
@pytest.mark.parametrize("firmware", Firmware)
def test_the_firmware_is_blamed_only_where_another_firmware_would_help(
    level: Level, graphics: Graphics, firmware: Firmware
) -> None:
    reasons = {}
    for video in Video:
        try:
            Offer(level=level, firmware=firmware).check(Console(graphics=graphics, video=video))
        except Refusal as refusal:
            reasons[video] = refusal.code.rpartition("_")[2]
    helps = not firmware.uefi and graphics == VNC and level in {"4.5", "4.6", "4.7", "4.8"}
    blamed = {video for video, reason in reasons.items() if reason == "FIRMWARE"}
    assert blamed == ({Video.BOCHS} if helps else set())


def test_bochs_at_level_4_4_is_refused_by_the_systems_rule() -> None:
    with pytest.raises(Refusal) as refusal:
        Offer(level=Level.V4_4, firmware=Firmware.BIOS).check(Console(video=Video.BOCHS))
    assert refusal.value.code == "ACTION_TYPE_FAILED_ILLEGAL_VM_DISPLAY_TYPE_IS_NOT_SUPPORTED_BY_OS"


def test_the_refusal_of_a_card_names_the_field_the_pair_and_what_would_be_taken() -> None:
    with pytest.raises(Refusal) as refusal:
        Offer(level=Level.V4_2).check(Console(graphics=SPICE, video=Video.VGA))
    assert (refusal.value.field, refusal.value.params) == (
        "video_type",
        {"video": "VGA", "graphics": "SPICE", "offered": "QXL"},
    )


@pytest.mark.parametrize("offered", [VNC, SPICE])
def test_the_refusal_of_a_protocol_names_the_one_that_is_missing(offered: Graphics) -> None:
    with pytest.raises(Refusal) as refusal:
        Offer(level=Level.V4_8, protocols=offered).check(Console(graphics=SPICE_AND_VNC, video=Video.QXL))
    missing = "SPICE" if offered == VNC else "VNC"
    assert (refusal.value.code, refusal.value.field, refusal.value.params) == (
        "NO_HOST_OFFERS_PROTOCOL",
        "protocol",
        {"protocol": missing},
    )


@pytest.mark.parametrize("graphics", GRAPHICS)
def test_any_display_is_refused_where_no_host_offers_graphics(graphics: Graphics) -> None:
    with pytest.raises(Refusal) as refusal:
        Offer(level=Level.V4_8, protocols=HEADLESS).check(Console(graphics=graphics, video=Video.QXL))
    assert (refusal.value.code, refusal.value.field) == ("NO_HOST_OFFERS_GRAPHICS", "protocol")


@pytest.mark.parametrize("offered", [HEADLESS, *GRAPHICS])
@pytest.mark.parametrize("wanted", [HEADLESS, *GRAPHICS])
def test_protocols_are_required_of_the_hosts_as_a_set(wanted: Graphics, offered: Graphics) -> None:
    try:
        Offer(protocols=offered).require(wanted)
        refused = False
    except Refusal:
        refused = True
    assert refused == bool(set(wanted) - set(offered))


# -- coming back


@pytest.mark.parametrize("offer", OFFERS)
def test_what_a_console_comes_back_with_can_be_shown(offer: Offer) -> None:
    for protocols, graphics, video in product(GRAPHICS, (HEADLESS, *GRAPHICS), (None, *Video)):
        narrowed = replace(offer, protocols=protocols)
        back, card = narrowed.fit(graphics, video)
        narrowed.check(Console(graphics=back, video=card))


@pytest.mark.parametrize("offer", OFFERS)
def test_without_a_wish_a_console_comes_back_with_vnc_alone(offer: Offer) -> None:
    assert offer.fit(HEADLESS, None) == (VNC, offer.recommend(VNC))


@pytest.mark.parametrize("offer", OFFERS)
def test_a_wish_that_is_offered_is_granted(offer: Offer) -> None:
    wishes = [(graphics, video) for graphics in GRAPHICS for video in offer.videos(graphics)]
    assert [offer.fit(*wish) for wish in wishes] == wishes
