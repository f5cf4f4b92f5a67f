"""How copies of disks are to lie, where somebody says so."""

from dataclasses import dataclass

from vms.domain.disks import DiskFormat
from vms.models import Disk, StorageDomain


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where a copy of a disk is to lie, how, and under which name; None as the disk itself."""

    domain: StorageDomain | None = None
    format: DiskFormat | None = None
    sparse: bool | None = None
    name: str = ""

    def thin(self, disk: Disk) -> bool:
        """Whether a copy that holds only what differs can be so."""
        return (
            self.domain in {None, disk.domain} and self.format in {None, DiskFormat.QCOW2} and self.sparse is not False
        )


AS_IT_IS = Wish()
