"""The last lines that a serial console said, for whoever joins later."""

from collections import deque
from time import time
from typing import Final

LINES: Final = 10_000
BYTES: Final = 2 * 1024 * 1024


class Scrollback:
    """Keeps the last lines of a stream, within bounds of lines and of bytes; `began` is when the first of them came
    (seconds of the epoch, 0 for never)."""

    def __init__(self, lines: int = LINES, size: int = BYTES) -> None:
        self._most, self._size_limit = lines, size
        self._pieces: deque[bytes] = deque()
        self._lines = self._size = 0
        self.began = 0.0

    def add(self, piece: bytes) -> None:
        """What was just said; of a piece larger than all that is kept, its end."""
        self.began = self.began or time()
        piece = piece[-self._size_limit :]
        self._pieces.append(piece)
        self._lines += piece.count(b"\n")
        self._size += len(piece)
        while self._pieces and (self._lines > self._most or self._size > self._size_limit):
            gone = self._pieces.popleft()
            self._lines -= gone.count(b"\n")
            self._size -= len(gone)

    def clear(self) -> None:
        self._pieces.clear()
        self._lines = self._size = 0
        self.began = 0.0

    @property
    def text(self) -> bytes:
        return b"".join(self._pieces)
