"""Frames: four bytes of length, then JSON, perhaps with an open descriptor; and the address of the engine's socket,
however long its path is."""

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


def send(connection: socket.socket, message: dict[str, Any], descriptor: int | None = None) -> None:
    """Send a message, and with it what the descriptor is open on: the other side gets one of its own."""
    frame = framed(message)
    if descriptor is not None:
        sent = socket.send_fds(connection, [frame], [descriptor])
        frame = frame[sent:]
    connection.sendall(frame)


def framed(message: dict[str, Any]) -> bytes:
    """The message as it goes over the line."""
    body = json.dumps(message).encode()
    if len(body) > LIMIT:
        raise WireError(f"a message of {len(body)} bytes is over the limit of {LIMIT}")
    return _LENGTH.pack(len(body)) + body


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """The next message; None when the other side has hung up between two."""
    head = _read(connection, _LENGTH.size, may_end=True)
    return parsed(_read(connection, length_of(head))) if head else None


def receive_handed(connection: socket.socket) -> tuple[dict[str, Any] | None, int | None]:
    """The next message with the descriptor that came along, if one did; it is the caller's to close."""
    head, descriptors, _flags, _address = socket.recv_fds(connection, _LENGTH.size, 1)
    descriptor = descriptors[0] if descriptors else None
    try:
        if not head:
            return None, None
        head += _read(connection, _LENGTH.size - len(head))
        return parsed(_read(connection, length_of(head))), descriptor
    except BaseException:
        if descriptor is not None:
            os.close(descriptor)
        raise


def length_of(head: bytes) -> int:
    """How long the message is that these four bytes announce."""
    length: int = _LENGTH.unpack(head)[0]
    if length > LIMIT:
        raise WireError(f"a frame of {length} bytes is over the limit of {LIMIT}")
    return length


def parsed(body: bytes) -> dict[str, Any]:
    """The message in a frame."""
    try:
        message = json.loads(body)
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
