"""A person at a VNC screen: just enough of the RFB protocol to get in (RFC 6143)."""

import socket

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

VNC_AUTHENTICATION = 2


def enter(address: str, port: int, password: str) -> socket.socket:
    """Open the screen with a password; raises PermissionError when that is refused."""
    screen = socket.create_connection((address, port), timeout=10)
    screen.recv(12)
    screen.sendall(b"RFB 003.008\n")
    assert VNC_AUTHENTICATION in screen.recv(screen.recv(1)[0])
    screen.sendall(bytes([VNC_AUTHENTICATION]))
    screen.sendall(_answer(screen.recv(16), password))
    if screen.recv(4) != bytes(4):
        screen.close()
        raise PermissionError("the screen refuses the password")
    screen.sendall(b"\x01")  # others may look on
    screen.recv(24)
    return screen


def _answer(challenge: bytes, password: str) -> bytes:
    # The protocol takes each byte of the key mirrored.
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode().ljust(8, b"\0")[:8])
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305 — the protocol's, not ours
    return encryptor.update(challenge)
