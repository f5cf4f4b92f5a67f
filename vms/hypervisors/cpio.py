"""An archive as the kernel unpacks it into its first file system."""

import io
import stat


class Archive:
    """A cpio archive in the form "newc", as the kernel's initramfs documentation has it."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._count = 0

    def add(self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        """Append one entry, owned by root and without a date."""
        self._count += 1
        raw = name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._count, mode, 0, 0, links, 0, len(content), 0, 0, *device, len(raw), 0)
        self._out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + raw)
        self._pad()
        self._out.write(content)
        self._pad()

    def finished(self) -> bytes:
        """Close the archive and return its bytes."""
        self.add("TRAILER!!!", 0)
        return self._out.getvalue()

    def _pad(self) -> None:
        self._out.write(b"\0" * (-self._out.tell() % 4))
