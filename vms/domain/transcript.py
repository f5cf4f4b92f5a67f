"""What a serial line said, as plain lines: whatever a terminal would obey is taken out of it."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

LONGEST: Final = 2000  # signs of a line that are shown
# Of a run that says more than is kept: between its beginning and its end.
GAP: Final = "[… the log is too long: a part is left out here …]"

_COMMANDS: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, the cursor
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles, links, the clipboard; without an end, as far as their line
    r"|\x1b[ -/]*[0-~]?"
)
# Controls, and what turns the direction of writing round; tabs and ends of lines stay.
_HIDDEN: Final = re.compile("[\x00-\x07\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_FIRMWARE: Final = ("SeaBIOS (version", "BdsDxe: loading")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much is kept: so many runs of a machine, none that began longer ago than so many days, and of each run its
    beginning whole and at least so much of its end (bytes)."""

    runs: int = 10
    days: int = 30
    head: int = 1024 * 1024
    tail: int = 1024 * 1024


class Transcript:
    """The lines of one run, numbered from 1."""

    def __init__(self, said: str) -> None:
        self.lines = list(_lines(_COMMANDS.sub("", said)))

    @cached_property
    def boots(self) -> list[int]:
        """The lines with which a firmware begins: the guest was switched on there, or has rebooted."""
        return [number for number, line in enumerate(self.lines, 1) if line.startswith(_FIRMWARE)]

    def boot_before(self, number: int) -> int:
        """Where the boot began that a line belongs to."""
        place = bisect_right(self.boots, number)
        return self.boots[place - 1] if place else 1

    def window(self, first: int, count: int) -> list[tuple[int, str]]:
        """So many lines from one on, with their numbers."""
        return list(enumerate(self.lines[first - 1 : first - 1 + count], first))

    def find(self, words: str, most: int) -> tuple[list[tuple[int, str]], int]:
        """The last lines that hold the words, in any case, and how many there are in all."""
        wanted = words.casefold()
        found = [(number, line) for number, line in enumerate(self.lines, 1) if wanted in line.casefold()]
        return found[-most:], len(found)


def plain(said: str) -> str:
    """The text without anything that a terminal obeys."""
    return "\n".join(Transcript(said).lines) + "\n"


def _lines(said: str) -> Iterator[str]:
    """What overwrites its line is a line of its own: nothing that was said is lost."""
    for whole in said.split("\n"):
        for part in whole.rstrip("\r").split("\r"):
            line = _HIDDEN.sub("", _typed(part[: 2 * LONGEST]) if "\b" in part else part)
            yield f"{line[:LONGEST]}…" if len(line) > LONGEST else line


def _typed(line: str) -> str:
    """What is left of a line after its backspaces."""
    kept: list[str] = []
    for sign in line:
        if sign != "\b":
            kept.append(sign)
        elif kept:
            kept.pop()
    return "".join(kept)
