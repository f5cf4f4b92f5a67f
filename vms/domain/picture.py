"""What a screen shows, as a PNG: hypervisors draw in formats that browsers do not know."""

import re
import struct
import zlib
from typing import Final

PNG: Final = b"\x89PNG\r\n\x1a\n"
LARGEST: Final = 16384  # pixels each way, as much as any card that we give a guest can show
# A portable pixmap of three bytes a pixel: width, height, the largest value, then the pixels row by row.
_PIXMAP: Final = re.compile(rb"P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s")
_HEADER: Final = struct.Struct("!IIBBBBB")
_TRUECOLOUR: Final = (8, 2, 0, 0, 0)


def as_png(image: bytes) -> bytes:
    """The picture as a PNG; `ValueError` for what is neither one nor a portable pixmap."""
    if image.startswith(PNG):
        return image
    found = _PIXMAP.match(image)
    if found is None:
        raise ValueError("no picture")
    return png(int(found[1]), int(found[2]), image[found.end() :])


def png(width: int, height: int, pixels: bytes) -> bytes:
    """The PNG of so many rows of pixels, three bytes each."""
    if not (0 < width <= LARGEST and 0 < height <= LARGEST and len(pixels) == 3 * width * height):
        raise ValueError("no picture of this size")
    row = 3 * width
    # Each row says first that it is stored as it is.
    rows = b"".join(b"\0" + pixels[at : at + row] for at in range(0, len(pixels), row))
    parts = ((b"IHDR", _HEADER.pack(width, height, *_TRUECOLOUR)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return PNG + b"".join(_chunk(kind, body) for kind, body in parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body))
