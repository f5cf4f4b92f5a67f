"""Frames: four bytes of length, then JSON; and the address of the engine's socket, however long its path is."""

import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

SOCKET_NAME: Final = "engine.sock"
LIMIT: Final = 64 * 1024
_LENGTH: Final = struct.Struct("!I")
_CREDENTIALS: Final = struct.Struct("3i")


class WireError(ConnectionError):
    """The other side sent no frame of this protocol, or went away in the middle of one."""


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    if len(body) > LIMIT:
        raise WireError(f"a message of {len(body)} bytes is over the limit of {LIMIT}")
    connection.sendall(_LENGTH.pack(len(body)) + body)


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """The next message; None when the other side has hung up between two."""
    head = _read(connection, _LENGTH.size, may_end=True)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > LIMIT:
        raise WireError(f"a frame of {length} bytes is over the limit of {LIMIT}")
    try:
        message = json.loads(_read(connection, length))
    except (ValueError, RecursionError) as error:
        raise WireError("a frame that is no JSON") from error
    if not isinstance(message, dict):
        raise WireError("a frame that is no object")
    return message


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel knows it."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(packed)
    return int(uid)


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for a socket whose path may be longer than the 107 bytes that the kernel takes."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _read(connection: socket.socket, length: int, *, may_end: bool = False) -> bytes:
    got = bytearray()
    while len(got) < length:
        part = connection.recv(length - len(got))
        if not part:
            if may_end and not got:
                return b""
            raise WireError("the connection ended inside a frame")
        got += part
    return bytes(got)
