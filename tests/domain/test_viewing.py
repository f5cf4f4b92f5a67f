"""What opens a graphical console, and which of a person's options have an effect on it."""

from vms.domain.console import HEADLESS, SPICE, SPICE_AND_VNC, VNC, Console, Video
from vms.domain.viewing import NoEffect, Opener, Options, openers, without_effect


def test_the_browser_comes_first_where_it_can() -> None:
    assert openers(HEADLESS) == ()
    assert openers(VNC) == (Opener.BROWSER, Opener.VNC)
    assert openers(SPICE) == (Opener.SPICE,)
    assert openers(SPICE_AND_VNC) == tuple(Opener)


def test_what_was_chosen_opens_it_if_it_can() -> None:
    assert Options().opens(SPICE_AND_VNC) is Opener.BROWSER
    assert Options(opener=Opener.SPICE).opens(SPICE_AND_VNC) is Opener.SPICE
    assert Options(opener=Opener.SPICE).opens(VNC) is Opener.BROWSER
    assert Options(opener=Opener.BROWSER).opens(SPICE) is Opener.SPICE
    assert Options(opener=Opener.BROWSER).opens(HEADLESS) is None


def test_an_option_without_effect_says_why() -> None:
    spice = Console(graphics=SPICE, video=Video.QXL)
    assert set(without_effect(Console(), "windows_11").values()) == {NoEffect.NEEDS_SPICE}
    assert without_effect(spice, "debian_12") == {
        "share_usb": NoEffect.NO_USB,
        "use_proxy": NoEffect.NO_PROXY,
        "smartcard": NoEffect.NO_SMARTCARD,
        "slow_line": NoEffect.NOT_WINDOWS,
    }
    full = Console(graphics=SPICE, video=Video.QXL, wants_usb=True, wants_smartcard=True, spice_proxy="http://p:1")
    assert without_effect(full, "windows_11") == {}
