"""Which bytes a request is about, by its headers."""

import re
from dataclasses import dataclass
from typing import Final

_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{0,18})(?:/(?:\*|[0-9]{1,18}))?")


class Wrong(Exception):
    """What a client asked for cannot be: an HTTP status, and why in words."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(status, why)
        self.status, self.why = status, why


@dataclass(frozen=True, slots=True)
class Span:
    """So many bytes from a place on."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length

    def within(self, size: int) -> "Span":
        """Itself, where the image has these bytes."""
        if self.start < 0 or self.end > size:
            raise Wrong(416, f"Requested range [{self.start}-{self.end}) is not within [0-{size})")
        return self


def wanted(header: str, size: int) -> Span | None:
    """What a GET is to send (`Range`); None for all of it, as where several ranges are asked for."""
    if not header:
        return None
    found = _RANGE.fullmatch(header.strip().lower())
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:  # the last ones
        length = min(int(found[2]), size)
        if not length:
            raise Wrong(416, f"Invalid range {header}")
        return Span(size - length, length)
    start = int(found[1])
    if start >= size:
        raise Wrong(416, f"Requested range starts at {start}, the image has {size} bytes")
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if last < start:
        raise Wrong(416, f"Invalid range {header}")
    return Span(start, last - start + 1)


def sent(length: str, content_range: str) -> Span:
    """What a PUT brings (`Content-Length`, `Content-Range`)."""
    if not _LENGTH.fullmatch(length):
        raise Wrong(400, "Content-Length header is required")
    count = int(length)
    if not content_range:
        return Span(0, count)
    found = _CONTENT_RANGE.fullmatch(content_range.strip().lower())
    if found is None:
        raise Wrong(400, f"Invalid Content-Range {content_range!r}")
    start = int(found[1])
    if found[2] and int(found[2]) - start + 1 != count:
        raise Wrong(400, f"Content-Range {content_range!r} is not of {count} bytes")
    return Span(start, count)
