"""Which fields of a console are greyed out, for which reason, and that what is greyed out changes nothing."""

from dataclasses import replace
from typing import Any

import pytest

from tests.domain.consoles import DISPLAYS, EVERY, FLAGS, PLAIN
from vms.domain.console import (
    HEADLESS,
    SPICE,
    SPICE_AND_VNC,
    VNC,
    Console,
    DisconnectAction,
    Frozen,
    Graphics,
    Protocol,
    Recording,
    SingleSignOn,
    Video,
)
from vms.domain.errors import Refusal

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
