"""As much of a VNC client as a test needs: whether a server lets somebody in with a password (RFC 6143, 7.1, 7.2)."""

import socket
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB

_VERSION: Final = b"RFB 003.008\n"
_VNC_AUTHENTICATION: Final = 2


def lets_in(address: str, port: int, password: str) -> bool:
    """Whether the server takes the password."""
    with socket.create_connection((address, port), timeout=10) as line:
        assert _read(line, 12) == _VERSION
        line.sendall(_VERSION)
        kinds = _read(line, _read(line, 1)[0])
        assert _VNC_AUTHENTICATION in kinds, "the server asks for no password"
        line.sendall(bytes((_VNC_AUTHENTICATION,)))
        line.sendall(_answer(_read(line, 16), password))
        return _read(line, 4) == bytes(4)


def _answer(challenge: bytes, password: str) -> bytes:
    """The challenge, encrypted by DES with the password, whose bytes VNC reads from the other end."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    encrypt = Cipher(TripleDES(key * 3), ECB()).encryptor()  # noqa: S305  (the protocol's own)
    return encrypt.update(challenge) + encrypt.finalize()


def _read(line: socket.socket, length: int) -> bytes:
    got = b""
    while len(got) < length:
        part = line.recv(length - len(got))
        assert part, "the server hung up"
        got += part
    return got
