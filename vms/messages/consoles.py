"""What a console in a browser says of itself: where it stands, and why it was closed."""

from typing import Final

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from vms.actions.passes import ENDED, GONE, KEY_REMOVED, LOGGED_OUT, RIGHT_LOST, TAKEN_OVER

from . import Text

STATES: Final[dict[str, Text]] = {
    "connecting": _("Connecting …"),
    "connected": _("Connected"),
    "waiting": _("Not connected; trying again …"),
    "left": _("Disconnected"),
    "silent": _("The console says nothing; still waiting …"),
    "garbled": _("The console said what no browser understands; trying again …"),
}

# Why the server closed it → sentence; with these, trying again by itself would be of no use.
CLOSED: Final[dict[str, Text]] = {
    RIGHT_LOST: _("Closed: your roles do not allow you to use this console any more."),
    LOGGED_OUT: _("Closed: you have logged out, or your session has ended."),
    KEY_REMOVED: _("Closed: the key that opened this console was removed."),
    TAKEN_OVER: _("Closed: somebody else has taken this console over."),
}

# The same for programs, which do not try again by themselves.
OVER: Final[dict[str, Text]] = {**CLOSED, ENDED: _("Closed by the server."), GONE: _("Closed: the line has ended.")}

# What the server refuses for now: then it is tried again by itself, with this on the screen.
WAITING: Final = (
    *("CONSOLE_OUT_OF_REACH", "HOST_NOT_RESPONDING", "ENGINE_NOT_RUNNING", "HYPERVISOR_REFUSED", "ENGINE_FAILED"),
    *("GRAPHICS_CONSOLE_NOT_FOUND", "TOO_MANY_CONSOLES", "CONSOLE_PASS_INVALID", "NO_SERIAL_CONSOLE"),
)

# For one who reads more slowly than the line speaks.
SKIPPED: Final = _("[… %(count)s bytes were left out: they came faster than they were read …]")

# Keys that a browser or a desktop keeps for itself: how they are called, and their X11 codes, pressed in this order.
_CONTROL, _ALT, _F1 = 0xFFE3, 0xFFE9, 0xFFBE
KEYS: Final[tuple[tuple[Text, tuple[int, ...]], ...]] = (
    (_("Ctrl+Alt+Backspace"), (_CONTROL, _ALT, 0xFF08)),
    *((format_lazy("{}{}", _("Ctrl+Alt+F"), number), (_CONTROL, _ALT, _F1 + number - 1)) for number in range(1, 8)),
    (_("Alt+Tab"), (_ALT, 0xFF09)),
    (_("Alt+F4"), (_ALT, _F1 + 3)),
    (_("Super"), (0xFFEB,)),
    (_("Print Screen"), (0xFF61,)),
    (_("Esc"), (0xFF1B,)),
)
