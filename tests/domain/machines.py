"""A plain machine, and what the tests change of it."""

from uuid import UUID

from vms.domain.console import HEADLESS, SPICE, Console, Video
from vms.domain.disks import Disk, Storage
from vms.domain.machine import MachineSpec

ID = UUID("6b1f5a52-7a60-4a1b-9a39-0f2b6d1c9f11")
SPEC = MachineSpec(id=ID, name="web-1")
HEADLESS_CONSOLE = Console(graphics=HEADLESS, video=None)
SPICE_CONSOLE = Console(graphics=SPICE, video=Video.QXL)
DISK = Disk(id=UUID(int=9), storage=Storage(id=UUID(int=8)), volume="disk.qcow2")
