"""As much of a SPICE client as a test needs: whether a server lets somebody in with a password (spice-protocol)."""

import socket
import struct
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_der_public_key

_HEADER: Final = struct.Struct("<4sIII")
_LINK: Final = struct.Struct("<IBBIII")
_MAIN: Final = 1
_KEY: Final = 162


def lets_in(line: socket.socket, password: str) -> bool:
    """Whether the server at the other end takes the password for its main channel."""
    line.settimeout(10)
    body = _LINK.pack(0, _MAIN, 0, 0, 0, _LINK.size)
    line.sendall(_HEADER.pack(b"REDQ", 2, 2, len(body)) + body)
    magic, _major, _minor, size = _HEADER.unpack(_read(line, _HEADER.size))
    assert magic == b"REDQ", "that is no SPICE"
    reply = _read(line, size)
    assert reply[:4] == bytes(4), "the server links to nobody"
    key = load_der_public_key(reply[4 : 4 + _KEY])
    assert isinstance(key, RSAPublicKey)
    line.sendall(key.encrypt(password.encode() + b"\0", OAEP(MGF1(SHA1()), SHA1(), None)))  # noqa: S303
    return _read(line, 4) == bytes(4)


def _read(line: socket.socket, length: int) -> bytes:
    got = b""
    while len(got) < length:
        part = line.recv(length - len(got))
        assert part, "the server hung up"
        got += part
    return got
