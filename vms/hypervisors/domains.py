"""What is done with one libvirt domain, in calls that belong together."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import libvirt

from vms.domain.addresses import Way
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.libvirtxml.adopt import adopt, in_order, plain_name
from vms.libvirtxml.write import NVRAM

PORT_TRIES: Final = 3
# A definition goes with all that belongs to it.
UNDEFINE: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)

STATUSES: Final = {
    libvirt.VIR_DOMAIN_RUNNING: Status.UP,
    libvirt.VIR_DOMAIN_BLOCKED: Status.UP,
    libvirt.VIR_DOMAIN_PAUSED: Status.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: Status.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: Status.POWERING_DOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: Status.DOWN,
    libvirt.VIR_DOMAIN_CRASHED: Status.DOWN,
}
ENDINGS: Final = {
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: Ended.GUEST,
    libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: Ended.STOPPED,
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: Ended.CRASHED,
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: Ended.CRASHED,
    libvirt.VIR_DOMAIN_SHUTOFF_SAVED: Ended.SAVED,
}


def held_up(domain: Any, state: int, reason: int) -> Ended | None:
    """What has paused a domain, where its disks have."""
    if (state, reason) != (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR):
        return None
    full = libvirt.VIR_DOMAIN_DISK_ERROR_NO_SPACE in domain.diskErrors().values()
    return Ended.NO_SPACE if full else Ended.IO_ERROR


def create(connection: Any, xml: str, flags: int) -> None:
    """Start a domain; again where somebody else took the console's port between libvirt's look at it and QEMU's."""
    for left in reversed(range(PORT_TRIES)):
        try:
            connection.createXML(xml, flags)
        except libvirt.libvirtError as error:
            if not left or "Failed to find an available port" not in str(error):
                raise
        else:
            return


def make_ready(domain: Any, name: str) -> None:
    """An inactive domain takes the machine's name, unless that is how we write the one it has, and loses a saved state
    that a later start would go on from."""
    if domain.hasManagedSaveImage():
        domain.managedSaveRemove()
    if name not in {domain.name(), plain_name(domain.name())}:
        domain.rename(name)


def change_board(domain: Any, definition: str) -> None:
    """An inactive domain that is about to be defined with another firmware, or without its TPM, loses what the one
    before has kept: it means nothing to the next, and nobody would find it again."""
    before = adopt(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).parts
    after = adopt(definition).parts
    same, chip = before["firmware"] == after["firmware"], after["tpm"] or not before["tpm"]
    if same and chip:
        return
    flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    flags |= libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM if same else libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    domain.undefineFlags(flags | (libvirt.VIR_DOMAIN_UNDEFINE_KEEP_TPM if chip else libvirt.VIR_DOMAIN_UNDEFINE_TPM))


def forget_board(connection: Any, definition: str) -> None:
    """Remove what the firmware and the TPM of a machine that has moved away have kept here: moving takes it along, and
    libvirt leaves the file."""
    if adopt(definition).parts["firmware"].uefi:
        connection.defineXML(definition).undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)


def on_reboot(domain: Any, *, cold: bool) -> None:
    """What a reboot inside the guest does: end the run, or restart within it."""
    action = libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY if cold else libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART
    domain.setLifecycleAction(libvirt.VIR_DOMAIN_LIFECYCLE_REBOOT, action, libvirt.VIR_DOMAIN_AFFECT_LIVE)


@contextlib.contextmanager
def already(codes: set[int]) -> Iterator[None]:
    """What is done already is no error."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in codes:
            raise


def variables(connection: Any) -> str:
    """The directory in which the daemon at hand keeps firmware variables."""
    if not Way.of(connection.getURI()).session:
        return NVRAM
    configuration = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return str(Path(configuration) / "libvirt" / "qemu" / "nvram")


def definition_of(domain: Any, *, secrets: bool = False) -> str:
    """What a domain would be started with, with `secrets` as it is written, without in an order that compares; empty
    for one that nobody has defined."""
    if not domain.isPersistent():
        return ""
    if secrets:
        return str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE))
    return in_order(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
