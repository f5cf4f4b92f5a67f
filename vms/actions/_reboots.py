"""What a reboot of a machine is to do."""

from vms.models import VM


def ends_with_reboot(vm: VM) -> bool:
    """Whether a reboot must end the present run, so that the next one starts as configured."""
    run = vm.run
    return run is not None and (run.volatile or vm.pending)
