"""Pictures of screens become PNGs, whatever a hypervisor draws."""

import struct
import zlib

import pytest

from vms.domain.picture import PNG, as_png, png

PIXELS = bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 2, 3, 4, 5, 6, 7, 8, 9))


def test_a_pixmap_becomes_a_png_with_the_same_pixels() -> None:
    made = as_png(b"P6\n3 2\n255\n" + PIXELS)
    assert made.startswith(PNG)
    assert struct.unpack_from("!II", made, 16) == (3, 2)
    length = struct.unpack_from("!I", made, 33)[0]
    rows = zlib.decompress(made[41 : 41 + length])
    assert rows == b"\0" + PIXELS[:9] + b"\0" + PIXELS[9:]
    assert as_png(made) == made


def test_what_is_no_picture_is_not_taken_for_one() -> None:
    wrong = (b"", b"P6", b"P5\n3 2\n255\n" + PIXELS, b"P6\n3 2\n65535\n" + PIXELS, b"P6\n3 3\n255\n" + PIXELS)
    for image in (*wrong, b"P6\n0 2\n255\n", b"P6\n99999 99999\n255\n", b"<html>"):
        with pytest.raises(ValueError, match="no picture"):
            as_png(image)
    with pytest.raises(ValueError, match="size"):
        png(1, 1, b"\0\0")
