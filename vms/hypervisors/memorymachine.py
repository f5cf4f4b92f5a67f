"""What the hypervisor in a dictionary keeps of a machine, and what it says that it can do."""

from dataclasses import dataclass, field
from typing import Final

from vms.domain.hosts import Capabilities, Ended
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.runonce import Run

# A host that is never too small for what people want to try.
SPACIOUS: Final = Capabilities(
    tpm=True,
    hypervisor="memory",
    accelerator_reason="memory",
    cpus=64,
    memory=1024 * 1024,
    cpu_models=frozenset({"qemu64", "Haswell", "EPYC"}),
    machines=frozenset({"pc-q35-6.0", "pc-q35-7.2", "pc-i440fx-7.2"}),
    schedules=True,
    networks=True,
)


@dataclass
class Machine:
    """A machine that is defined, and its run."""

    spec: MachineSpec
    run: Run | None = None
    status: Status = Status.DOWN
    ended: Ended | None = None
    cold_reboot: bool = False
    ports: int = field(default=0)
    definition: str = ""
