"""Words of Console Options: what opens a console, and why an option has no effect."""

from typing import Final

from django.utils.translation import gettext_lazy as _

from vms.domain.viewing import NoEffect, Opener

from .text import Text

OPENERS: Final[dict[Opener, Text]] = {
    Opener.BROWSER: _("This browser (noVNC)"),
    Opener.VNC: _("Native client (VNC)"),
    Opener.SPICE: _("Native client (SPICE)"),
}

NO_EFFECT: Final[dict[NoEffect, Text]] = {
    NoEffect.NEEDS_SPICE: _("Used with SPICE only."),
    NoEffect.NO_PROXY: _("No SPICE proxy is set for this virtual machine."),
    NoEffect.NO_USB: _("USB is not enabled for this virtual machine."),
    NoEffect.NO_SMARTCARD: _("Smartcards are not enabled for this virtual machine."),
    NoEffect.NOT_WINDOWS: _("Used with Windows only."),
}

# What somebody reads beside an opener that the machine has no protocol for.
NOT_SHOWN: Final[Text] = _("%(protocol)s is not available for this virtual machine; its graphics protocol says so.")
