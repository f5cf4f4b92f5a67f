"""What a choice of "Optimized for" brings with it (oVirt: VmModelBehaviorBase)."""

from dataclasses import replace

from .machine import HOST_PASSTHROUGH, MachineSpec, VmType
from .parts import Rng


def high_performance(spec: MachineSpec) -> MachineSpec:
    """The machine tuned for performance: headless with a serial line, the host's processor, threads for its disks, no
    memory ballooning, no watchdog, and nothing that only a screen needs. What it showed is remembered by its console.
    """
    console = replace(
        spec.console.as_headless(), serial=True, wants_usb=False, wants_smartcard=False, wants_sound=False
    )
    return replace(
        spec,
        vm_type=VmType.HIGH_PERFORMANCE,
        console=console,
        cpu_model=HOST_PASSTHROUGH,
        io_threads=max(1, spec.io_threads),
        ballooning=False,
        watchdog=None,
        rng=spec.rng or Rng(),
    )
