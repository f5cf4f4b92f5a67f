"""Virtual machines."""

from typing import Any, Final

from vms.domain.lifecycle import MIGRATING, NOT_RUNNING, Status

from .fields import BOOLEAN, TIME, Entity, Field, Link, Reference, nothing
from .hardware import HARDWARE, Shape, consoles_of, nics, shape
from .types import VM_STATUS


def _status(it: Shape) -> Status:
    status = Status(it.row.status)
    return Status.MIGRATING_FROM if status in MIGRATING else status


def _host(it: Shape) -> Any:
    if it.telling.filtered or Status(it.row.observed) in NOT_RUNNING:
        return None
    return it.row.host_id


FIELDS: Final = (
    *HARDWARE,
    Field("status", VM_STATUS, _status),
    Field("start_time", TIME, lambda it: it.row.started_at),
    Field("run_once", BOOLEAN, lambda it: it.row.run_once),
    Field("next_run_configuration_exists", BOOLEAN, lambda it: it.row.pending),
    Field("stateless", BOOLEAN, lambda it: it.row.stateless, "attribute.stateless"),
    Field(
        *("use_latest_template_version", BOOLEAN),
        *(lambda it: it.row.use_latest_version, "attribute.use_latest_version"),
    ),
    Field("cluster", Reference("clusters"), lambda it: it.row.cluster_id, "reference.cluster"),
    Field("template", Reference("templates"), lambda it: it.row.template_id, "reference.template"),
    Field("original_template", Reference("templates"), lambda it: it.row.template_id),
    Field("instance_type", Reference("instancetypes"), lambda it: it.row.instance_type_id, "reference.instance_type"),
    Field("host", Reference("hosts"), _host),
    Field("vm_pool", Reference("vmpools"), lambda it: it.row.pool_id),
)

ENTITY: Final = Entity(
    name="vm",
    collection="vms",
    plural="vms",
    fields=FIELDS,
    subject=shape,
    links=(
        consoles_of("vm", "vms"),
        Link("nics", "nics", "nic", nics),
        Link("applications", "applications", "application", nothing),
        Link("cdroms", "cdroms", "cdrom", nothing),
        Link("diskattachments", "disk_attachments", "disk_attachment", nothing),
        Link("hostdevices", "host_devices", "host_device", nothing),
        Link("numanodes", "vm_numa_nodes", "vm_numa_node", nothing),
        Link("reporteddevices", "reported_devices", "reported_device", nothing),
        Link("sessions", "sessions", "session", nothing),
        Link("snapshots", "snapshots", "snapshot", nothing),
        Link("tags", "tags", "tag", nothing),
        Link("watchdogs", "watchdogs", "watchdog", nothing),
    ),
    actions=("clone", "detach", "reboot", "reset", "shutdown", "start", "stop", "suspend", "ticket"),
)

# What a start may do otherwise for one run.
_ONCE: Final = frozenset({"console.type", "console.video", "console.keyboard", "console.serial", "console.graphics"})
RUN_ONCE: Final = tuple(field for field in FIELDS if field.to in _ONCE)
# What oVirt's Run Once offers besides and nobody does here yet: refused, as the guest would run otherwise than asked.
RUN_ONCE_REFUSED: Final = (
    *("os/kernel", "os/initrd", "os/cmdline", "cdroms/cdrom/file", "floppies/floppy/file", "initialization"),
    *("stateless", "custom_properties", "custom_cpu_model", "custom_emulated_machine"),
)
