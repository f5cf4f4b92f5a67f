"""A guest of a hundred bytes, up at once: it echoes its serial line and obeys two letters and the power button."""

import struct
from pathlib import Path
from typing import Final

NAME: Final = "obedient"
UP: Final = "UP"
# Letters that SeaBIOS does not print.
ANYTHING: Final = "#"
POWER_OFF: Final = "!"
REBOOT: Final = "*"

_LOAD: Final = 0x100000
_STATUS, _ENABLE, _CONTROL = 0x600, 0x602, 0x604  # ACPI's PM1 block, where SeaBIOS puts it on q35
_DATA, _LINE_STATUS = 0x3F8, 0x3FD  # COM1


def write_to(directory: Path) -> str:
    """Put it into a boot library; returns its name there."""
    (directory / NAME).write_bytes(_elf(_program()))
    return NAME


def _program() -> bytes:
    begin = b"".join(
        (
            b"\xfa",  # cli
            _out16(_ENABLE, 0x0100),  # tell us of the power button
            *(_out8(_DATA, letter) for letter in UP.encode()),
        )
    )
    power_off = _out16(_CONTROL, 0x2000) + b"\xf4"  # sleep state 5, and wait for it
    reset = _out8(0xCF9, 0x06) + b"\xf4"
    # The jumps to the two ends are long ones: 0F 8x and four bytes, from the end of the instruction.
    look = b"".join((_in16(_STATUS), b"\xf6\xc4\x01"))  # test ah, 1: the button was pressed
    hear = b"".join((_in8(_LINE_STATUS), b"\xa8\x01"))  # test al, 1: a letter has come
    read = b"".join((_in8(_DATA), b"\xee"))  # and echo it: dx is still the port
    sizes = [len(look), 6, len(hear), 6, len(read), 2, 6, 2, 6, 5]
    starts = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    to_power_off, to_reset = starts[10], starts[10] + len(power_off)
    loop = b"".join(
        (
            look,
            b"\x0f\x85" + _relative(to_power_off, starts[2]),  # jnz power_off
            hear,
            b"\x0f\x84" + _relative(0, starts[4]),  # jz look
            read,
            b"\x3c" + POWER_OFF.encode(),
            b"\x0f\x84" + _relative(to_power_off, starts[7]),  # je power_off
            b"\x3c" + REBOOT.encode(),
            b"\x0f\x84" + _relative(to_reset, starts[9]),  # je reset
            b"\xe9" + _relative(0, starts[10]),  # jmp look
        )
    )
    return begin + loop + power_off + reset


def _relative(target: int, after: int) -> bytes:
    return struct.pack("<i", target - after)


def _port(number: int) -> bytes:
    return b"\x66\xba" + struct.pack("<H", number)  # mov dx, number


def _out8(port: int, value: int) -> bytes:
    return _port(port) + b"\xb0" + bytes([value]) + b"\xee"


def _out16(port: int, value: int) -> bytes:
    return _port(port) + b"\x66\xb8" + struct.pack("<H", value) + b"\x66\xef"


def _in8(port: int) -> bytes:
    return _port(port) + b"\xec"


def _in16(port: int) -> bytes:
    return _port(port) + b"\x66\xed"


def _elf(code: bytes) -> bytes:
    """A 32-bit image that QEMU boots by the Multiboot protocol."""
    multiboot = struct.pack("<III", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF)
    image, offset = multiboot + code, 0x1000
    header = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, _LOAD + len(multiboot), 52, 0, 0, 52, 32, 1, 40, 0, 0
    )
    load = struct.pack("<IIIIIIII", 1, offset, _LOAD, _LOAD, len(image), len(image), 7, 0x1000)
    return (header + load).ljust(offset, b"\0") + image
