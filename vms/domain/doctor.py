"""What a booting guest is at, read from its serial line and from what it uses; and what would help it on.

A guest says the same to a person who watches the line. What tells a boot that hangs from one that is slow, or busy
somewhere else, is what it uses meanwhile: the hang of GRUB in graphics mode without a video card (the feature page's
limitation) takes a whole processor, reads nothing and says nothing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .guest import text as printable

__all__ = ["HEARD", "PAUSE", "Cure", "Diagnosis", "Finding", "Signs", "diagnose"]


class Finding(StrEnum):
    """What a boot has come to."""

    BOOTING = "booting"
    LOG_IN = "log_in"  # a prompt stands on the line
    ANSWERS = "answers"  # it runs, and says nothing on the line
    NOTHING_HEARD = "nothing_heard"
    NO_BOOT_DEVICE = "no_boot_device"
    FIRMWARE_SHELL = "firmware_shell"
    MENU_WAITS = "menu_waits"
    ON_SCREEN = "on_screen"  # the boot loader went on where only somebody at the screen can see it
    GRUB_SILENT = "grub_silent"  # not long enough yet to call it a hang
    GRUB_HANGS = "grub_hangs"
    GRUB_SHELL = "grub_shell"
    KERNEL_SILENT = "kernel_silent"
    PANIC = "panic"
    NO_ROOT = "no_root"
    EMERGENCY = "emergency"
    BOOT_LOOP = "boot_loop"
    STANDS_STILL = "stands_still"

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected: who looks for the next thing may look less often."""
        return self in _SETTLED

    @property
    def needs_attention(self) -> bool:
        """Whether a person should look, now or when the guest is wanted."""
        return self not in {Finding.BOOTING, Finding.LOG_IN, Finding.ANSWERS, Finding.ON_SCREEN}

    @property
    def alarming(self) -> bool:
        """Whether the guest will not come up by itself: people are told who do not look."""
        return self in _ALARMING


class Cure(StrEnum):
    """What a person may do about it, each a button."""

    PREPARE = "prepare"  # the wizard that sets GRUB and kernel to the serial line
    RUN_ONCE_WITH_VNC = "run_once_with_vnc"
    OPEN_SERIAL = "open_serial"
    OPEN_SCREEN = "open_screen"
    BOOT_OPTIONS = "boot_options"
    READ_LOG = "read_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What can be seen of a running machine from outside.

    `age`: seconds since its start. `quiet`: seconds since the line last said something (or since the start). `still`:
    seconds without anything read from a disk, as long as somebody has looked. `read`: a disk was read after the line
    went quiet. `busy`: processors used since nothing is read, 1.0 is a whole one; None where nobody has measured.
    `answers`: its agent is connected or an address of it is known, for `answering` seconds. `screen`: it has one.
    """

    age: float
    quiet: float
    still: float = 0.0
    read: bool = False
    busy: float | None = None
    answers: bool = False
    answering: float = 0.0
    screen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a boot has come to, with the guest's own words where it gave a reason; `after` seconds since the start."""

    finding: Finding
    after: int = 0
    words: str = ""

    @property
    def cures(self) -> tuple[Cure, ...]:
        """What would help, the likeliest first."""
        return CURES.get(self.finding, ())


CURES: Final[dict[Finding, tuple[Cure, ...]]] = {
    Finding.ANSWERS: (Cure.PREPARE,),
    Finding.NOTHING_HEARD: (Cure.RUN_ONCE_WITH_VNC,),
    Finding.NO_BOOT_DEVICE: (Cure.BOOT_OPTIONS,),
    Finding.FIRMWARE_SHELL: (Cure.OPEN_SERIAL, Cure.BOOT_OPTIONS),
    Finding.MENU_WAITS: (Cure.OPEN_SERIAL,),
    Finding.ON_SCREEN: (Cure.OPEN_SCREEN,),
    Finding.GRUB_SILENT: (Cure.OPEN_SERIAL, Cure.RUN_ONCE_WITH_VNC),
    Finding.GRUB_HANGS: (Cure.PREPARE, Cure.RUN_ONCE_WITH_VNC),
    Finding.GRUB_SHELL: (Cure.OPEN_SERIAL, Cure.BOOT_OPTIONS),
    Finding.KERNEL_SILENT: (Cure.PREPARE, Cure.RUN_ONCE_WITH_VNC),
    Finding.PANIC: (Cure.READ_LOG, Cure.RUN_ONCE_WITH_VNC),
    Finding.NO_ROOT: (Cure.OPEN_SERIAL, Cure.BOOT_OPTIONS),
    Finding.EMERGENCY: (Cure.OPEN_SERIAL, Cure.READ_LOG),
    Finding.BOOT_LOOP: (Cure.READ_LOG, Cure.RUN_ONCE_WITH_VNC),
    Finding.STANDS_STILL: (Cure.READ_LOG, Cure.RUN_ONCE_WITH_VNC),
}

_SETTLED: Final = frozenset(
    {Finding.LOG_IN, Finding.ANSWERS, Finding.PANIC, Finding.NO_BOOT_DEVICE, Finding.GRUB_HANGS, Finding.KERNEL_SILENT}
)
_ALARMING: Final = frozenset(
    {
        *(Finding.NO_BOOT_DEVICE, Finding.FIRMWARE_SHELL, Finding.GRUB_HANGS, Finding.GRUB_SHELL, Finding.PANIC),
        *(Finding.NO_ROOT, Finding.EMERGENCY, Finding.BOOT_LOOP),
    }
)

# Seconds, measured with Debian 12 on emulated processors; with KVM everything is quicker.
PAUSE: Final = 8.0  # a prompt or a menu that says nothing for so long waits for somebody
SILENCE: Final = 12.0  # GRUB's own countdown draws every second; this is no pause any more
HANG: Final = 35.0  # longer than the hidden countdowns that distributions set (0 to 30 s)
LONG: Final = 90.0  # a kernel that boots quietly says something sooner: 33 s on two emulated processors
SETTLES: Final = 30.0  # an agent answers before the log-in is there: 11 s on two emulated processors
RESTS: Final = 0.3  # of one processor: less is used by a system that has come up, more by one that is still at it
BUSY: Final = 0.08  # of one processor: GRUB that hangs takes all that the host gives it, one that rests 0.02 at most
FOR_EVER: Final = 300.0  # whatever it is at by then: somebody should look
LOOPS: Final = 4  # beginnings of the firmware within one run, none of which came to a log-in


class _Mile(StrEnum):
    """What the line has said last that tells how far the boot has come."""

    NOTHING = "nothing"
    FIRMWARE = "firmware"
    NO_DEVICE = "no_device"
    SHELL = "shell"
    LOADER = "loader"
    MENU = "menu"
    GRUB_SHELL = "grub_shell"
    KERNEL = "kernel"
    PANIC = "panic"
    REBOOTS = "reboots"  # after a panic, by itself
    NO_ROOT = "no_root"
    EMERGENCY = "emergency"
    LOG_IN = "log_in"


_PANIC: Final = re.compile(r"(?<!end )Kernel panic - not syncing: (?P<words>[^\n]*)")
_PROMPT: Final = re.compile(r"^[\w.-]+ login: ", re.MULTILINE)
# A shell's prompt with a place in it counts wherever it stands: kernels write over it.
_SHELL: Final = r"^(?:[\w.-]+@)?[\w.-]+:[~/][\w./~-]{0,60} ?[#$] |^[~/][\w./-]{0,60} [#$] "
_MILES: Final[tuple[tuple[_Mile, re.Pattern[str]], ...]] = tuple(
    (mile, re.compile(pattern, re.MULTILINE))
    for mile, pattern in {
        _Mile.FIRMWARE: r"SeaBIOS \(version|^UEFI firmware|BdsDxe: (?:loading|starting)|Booting from ",
        _Mile.NO_DEVICE: r"No bootable device|BdsDxe: No bootable option|No mapping found|Boot failed: not a bootable",
        _Mile.SHELL: r"UEFI Interactive Shell|^Shell> ",
        _Mile.LOADER: r"Welcome to GRUB!|GRUB [Ll]oading|error: no suitable video mode found",
        _Mile.MENU: r"GNU GRUB +version|Press any key to enter the menu",
        _Mile.GRUB_SHELL: r"^grub(?: rescue)?> ",
        _Mile.KERNEL: r"Loading Linux |Loading initial ramdisk|Booting a command list|\[ +0\.0000\d\d\] |EFI stub: ",
        _Mile.PANIC: _PANIC.pattern,
        _Mile.REBOOTS: r"^(?:\[ *[\d.]+\] )?Rebooting in \d+ seconds",
        _Mile.NO_ROOT: r"^\(initramfs\) |^dracut:/# |(?P<words>ALERT! +\S+ does not exist[^\n]*)",
        _Mile.EMERGENCY: r"You are in (?:emergency|rescue) mode|^(?:Give root password|Press Enter) for maintenance",
        _Mile.LOG_IN: _PROMPT.pattern + "|" + _SHELL + r"|^[^\n]{0,80}[~/\w] ?[#$] ?\Z",
    }.items()
)
_FIRST_WORDS: Final = re.compile(r"SeaBIOS \(version|^UEFI firmware \(version", re.MULTILINE)
# Sequences that move the cursor or colour the text: a screen's matter. A line that is drawn over begins anew.
_ESCAPES: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_=>c78])|[\x00\x07\x0e\x0f]"
)
_LINE_ENDS: Final = re.compile(r"\r+\n?|\x0b|\x0c")
HEARD: Final = 64 * 1024  # characters of the line's end that are looked at


def diagnose(said: str, signs: Signs) -> Diagnosis:
    """What the boot has come to, after what its serial line has said since the start."""
    lines = _LINE_ENDS.sub("\n", _ESCAPES.sub("", said[-HEARD:]))
    begun = [found.start() for found in _FIRST_WORDS.finditer(lines)]
    mile, words = _last_mile(lines[begun[-1] :] if begun else lines)
    finding = _MEANS[mile](signs)
    if finding in {Finding.BOOTING, Finding.PANIC} and _loops(lines, begun):
        finding, words = Finding.BOOT_LOOP, _last_panic(lines)
    return Diagnosis(finding=finding, after=int(signs.age), words=printable(words, 160))


def _loops(lines: str, begun: list[int]) -> bool:
    """Whether it has begun again and again since it last came to a log-in."""
    came_up = max((found.start() for found in _PROMPT.finditer(lines)), default=-1)
    return sum(at > came_up for at in begun) >= LOOPS


def _last_panic(lines: str) -> str:
    """Why it begins again, where it has said so."""
    return max(_PANIC.finditer(lines), key=lambda found: found.start())["words"] if _PANIC.search(lines) else ""


def _last_mile(lines: str) -> tuple[_Mile, str]:
    """The mile that was passed last; of a reason given with it, the words."""
    last, words, at = _Mile.NOTHING, "", -1
    for mile, pattern in _MILES:
        for found in pattern.finditer(lines):
            if found.start() >= at:
                last, at = mile, found.start()
                words = found.groupdict().get("words") or ""
    if last is _Mile.NOTHING and lines.strip():
        last = _Mile.FIRMWARE
    return last, words


def _nothing(signs: Signs) -> Finding:
    """Firmware for UEFI takes a minute on a busy host before it says a word, with hardly a processor to itself."""
    if signs.quiet < SILENCE:
        return Finding.BOOTING
    if signs.answers:
        return Finding.ANSWERS
    if signs.screen:
        return Finding.ON_SCREEN
    return Finding.NOTHING_HEARD if signs.quiet >= LONG else Finding.BOOTING


def _firmware(signs: Signs) -> Finding:
    """A loader that is not GRUB says nothing on the line, and neither does the system behind it."""
    if signs.quiet < SILENCE:
        return Finding.BOOTING
    if signs.answers:
        return Finding.ANSWERS
    idle = signs.busy is not None and signs.busy < BUSY and signs.still >= SILENCE
    if not idle and signs.quiet < LONG:
        return Finding.BOOTING
    return Finding.ON_SCREEN if signs.screen else Finding.STANDS_STILL


def _loader(signs: Signs) -> Finding:
    """GRUB has said its welcome, and went on where the line does not show it, or not at all."""
    if signs.quiet < SILENCE:
        return Finding.BOOTING
    if signs.answers:
        return Finding.ANSWERS
    if signs.read:
        return _kernel(signs)
    if signs.busy is None or signs.still < SILENCE:
        return Finding.BOOTING if signs.quiet < LONG else Finding.STANDS_STILL
    if signs.screen:
        return Finding.ON_SCREEN
    hangs = signs.busy >= BUSY and min(signs.quiet, signs.still) >= HANG
    return Finding.GRUB_HANGS if hangs else Finding.GRUB_SILENT


def _menu(signs: Signs) -> Finding:
    """A countdown is drawn anew every second."""
    if signs.quiet < PAUSE or signs.still < PAUSE:
        return Finding.BOOTING
    return Finding.ANSWERS if signs.answers else Finding.MENU_WAITS


def _kernel(signs: Signs) -> Finding:
    """A kernel that comes up without a word was told of no serial console; one that is still at it is only slow."""
    if signs.quiet < SILENCE:
        return Finding.BOOTING
    if signs.answers:
        return Finding.KERNEL_SILENT if signs.answering >= SETTLES else Finding.BOOTING
    rests = signs.still >= SILENCE and signs.busy is not None and signs.busy < RESTS
    if signs.quiet < LONG or (signs.read and not rests and signs.quiet < FOR_EVER):
        return Finding.BOOTING
    return Finding.KERNEL_SILENT if signs.read else Finding.STANDS_STILL


def _at_once(finding: Finding) -> Callable[[Signs], Finding]:
    return lambda _signs: finding


def _after_a_pause(finding: Finding) -> Callable[[Signs], Finding]:
    return lambda signs: finding if signs.quiet >= PAUSE else Finding.BOOTING


_MEANS: Final[dict[_Mile, Callable[[Signs], Finding]]] = {
    _Mile.NOTHING: _nothing,
    _Mile.FIRMWARE: _firmware,
    _Mile.NO_DEVICE: _after_a_pause(Finding.NO_BOOT_DEVICE),
    _Mile.SHELL: _after_a_pause(Finding.FIRMWARE_SHELL),
    _Mile.LOADER: _loader,
    _Mile.MENU: _menu,
    _Mile.GRUB_SHELL: _after_a_pause(Finding.GRUB_SHELL),
    _Mile.KERNEL: _kernel,
    _Mile.PANIC: _at_once(Finding.PANIC),
    _Mile.REBOOTS: _at_once(Finding.BOOTING),  # a few times of that are a loop
    _Mile.NO_ROOT: _after_a_pause(Finding.NO_ROOT),
    _Mile.EMERGENCY: _after_a_pause(Finding.EMERGENCY),
    _Mile.LOG_IN: _at_once(Finding.LOG_IN),
}
