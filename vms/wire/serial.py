"""Between the serial broker and whoever watches a line: frames of a kind, a length and a body; who is at the other end
is known by uid, as at the engine's door."""

import asyncio
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .protocol import WireError, short_address

SOCKET_NAME: Final = "serial.sock"
DATA, CONTROL = b"d", b"c"
LIMIT: Final = 1024 * 1024
_HEAD: Final = struct.Struct("!cI")


def data(body: bytes) -> bytes:
    """What the line says, or what is typed, in as many frames as it takes."""
    if len(body) <= LIMIT:  # nearly always, and a keystroke should cost no more than it must
        return _HEAD.pack(DATA, len(body)) + body
    parts = (body[at : at + LIMIT] for at in range(0, len(body), LIMIT))
    return b"".join(_HEAD.pack(DATA, len(part)) + part for part in parts)


def control(**told: Any) -> bytes:
    """A frame about the line: who joins, who types, how it stands."""
    body = json.dumps(told).encode()
    return _HEAD.pack(CONTROL, len(body)) + body


class Frames:
    """Puts frames together again from the pieces in which they come; what came of the line at once stays together."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes | dict[str, Any]]:
        """Bytes of the line, or an object about it."""
        said: list[memoryview] = []
        for kind, body in self._whole(piece):
            if kind == DATA:
                said += [body] if body else []
                continue
            if said:
                yield b"".join(said)
                said = []
            yield _object(bytes(body))
        if said:
            yield b"".join(said)

    def _whole(self, piece: bytes) -> list[tuple[bytes, memoryview]]:
        """The frames that are there; their bodies are parts of what came, not copies of it."""
        came = self._rest + piece if self._rest else piece
        view, found, at = memoryview(came), [], 0
        while len(came) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(came, at)
            if length > LIMIT or kind not in {DATA, CONTROL}:
                raise WireError("no frame of the serial broker's")
            end = at + _HEAD.size + length
            if end > len(came):
                break
            found.append((kind, view[at + _HEAD.size : end]))
            at = end
        self._rest = came[at:]
        return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError("a frame that is no JSON") from error
    if not isinstance(told, dict):
        raise WireError("a frame that is no object")
    return told


async def connect(run_dir: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A line to the broker; `OSError` where none is."""
    with short_address(run_dir / SOCKET_NAME) as address:
        return await asyncio.open_unix_connection(address, limit=LIMIT)
