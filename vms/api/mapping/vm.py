"""Virtual machines."""

from typing import Any, Final

from vms.domain.lifecycle import MIGRATING, NOT_RUNNING, Status
from vms.models import VM

from . import consoles, devices, labels
from .entity import Entity
from .fields import BOOLEAN, TEXT, TIME, Field, Reference
from .hardware import NOT_OFFERED, OWN, PARTS, light, shown
from .people import permissions_on
from .types import VM_STATUS

_STATUSES: Final = {status.value: Status.MIGRATING_FROM if status in MIGRATING else status for status in Status}
_OFF: Final = frozenset(status.value for status in NOT_RUNNING)


def _host(it: Any) -> Any:
    return None if it.observed in _OFF else it.host_id


_OWN: Final = (
    *OWN,
    Field("status", VM_STATUS, lambda it: _STATUSES[it.status]),
    Field("start_time", TIME, lambda it: it.started_at),
    Field("run_once", BOOLEAN, lambda it: it.run_once),
    Field("next_run_configuration_exists", BOOLEAN, lambda it: it.pending),
    Field("stateless", BOOLEAN, lambda it: it.stateless, "attribute.stateless"),
    Field(
        *("use_latest_template_version", BOOLEAN),
        *(lambda it: it.use_latest_version, "attribute.use_latest_version"),
    ),
    Field("cluster", Reference("clusters"), lambda it: it.cluster_id, "reference.cluster"),
    Field("template", Reference("templates"), lambda it: it.template_id, "reference.template"),
    Field("original_template", Reference("templates"), lambda it: it.template_id),
    Field("instance_type", Reference("instancetypes"), lambda it: it.instance_type_id, "reference.instance_type"),
    Field("host", Reference("hosts"), _host, guarded=True),
    Field("vm_pool", Reference("vmpools"), lambda it: it.pool_id),
    Field("fqdn", TEXT, lambda it: it.fqdn or None),
)

ENTITY: Final = Entity(
    name="vm",
    collection="vms",
    plural="vms",
    own=_OWN,
    parts=PARTS,
    rows=lambda user: VM.objects.visible_to(user).select_related("cluster"),
    subject=shown,
    not_offered=NOT_OFFERED,
    light=light(
        VM,
        *("cluster_id", "template_id", "instance_type_id", "pool_id", "use_latest_version", "stateless", "observed"),
        *("running", "endpoints", "host_id", "started_at", "status", "pending", "run_once", "fqdn"),
    ),
    links=(
        consoles.of("vm", "vms", consoles.ACTIONS),
        devices.NICS,
        devices.APPLICATIONS,
        devices.cdroms("vm", "vms"),
        devices.empty("disk_attachment", "diskattachments"),
        devices.empty("host_device", "hostdevices"),
        devices.empty("vm_numa_node", "numanodes", "host_numa_nodes"),
        devices.REPORTED_DEVICES,
        devices.SESSIONS,
        devices.SNAPSHOTS,
        devices.STATISTICS,
        labels.tags_of(VM),
        permissions_on("vm"),
        devices.empty("affinity_label", "affinitylabels"),
        devices.watchdogs("vm", "vms"),
    ),
    actions=(
        "cancelmigration",
        "clone",
        "detach",
        "migrate",
        "reboot",
        "reset",
        "screenshot",
        "shutdown",
        "start",
        "stop",
        "suspend",
        "ticket",
    ),
)
FIELDS: Final = ENTITY.fields
