"""Virtual machines."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Case, F, Q, When

from vms.api.document import Node
from vms.domain.access import Rating
from vms.domain.lifecycle import MIGRATING, NOT_RUNNING, Status
from vms.models import VM

from . import affinity, consoles, devices, labels, networks, snapshots, storage
from .entity import Entity, Part
from .fields import BOOLEAN, TEXT, TIME, Field, Reference, Schema, Telling, Type, object_of
from .fixed import ICONS_OF
from .hardware import NOT_OFFERED, OWN, PARTS, PASSWORD, PROTECTED, light, shown
from .people import permissions_on
from .types import RATING, VM_STATUS

_STATUSES: Final = {status.value: Status.MIGRATING_FROM if status in MIGRATING else status for status in Status}
_OFF: Final = frozenset(status.value for status in NOT_RUNNING)


def _host(it: Any) -> Any:
    return None if it.observed in _OFF else it.host_id


class _System(Type):
    """What the guest has told of its operating system, in oVirt's words."""

    def schema(self) -> Schema:
        full = object_of(full_version=TEXT.schema())
        words = {name: TEXT.schema() for name in ("architecture", "codename", "distribution", "family")}
        return object_of(**words, version=full, kernel=object_of(version=full))

    def tell(self, value: Mapping[str, str], telling: Telling) -> Node:
        version = value.get("version", "")
        named = {
            "architecture": value.get("architecture"),
            "codename": version.partition("(")[2].rstrip(")"),
            "distribution": value["name"],
            "family": "Windows" if value.get("distribution") == "mswindows" else "Linux",
        }
        told: dict[str, Node] = {name: text for name, text in named.items() if text}
        if kernel := value.get("kernel"):
            told["kernel"] = {"version": {"full_version": kernel}}
        return {**told, "version": {"full_version": version}} if version else told


def _system(it: Any) -> Any:
    system = it.guest_document.get("system") if it.guest_document else None
    return system if system and system.get("name") else None


_OWN: Final = (
    *OWN,
    Field("start_time", TIME, lambda it: it.started_at),
    Field("fqdn", TEXT, lambda it: it.fqdn or None),
    Field("guest_operating_system", _System(), _system),
)
# How it is, and where it comes from: many have the same.
_PLACE: Final = Part(
    fields=(
        Field("status", VM_STATUS, lambda it: _STATUSES[it.status]),
        Field("status_detail", TEXT, lambda it: it.ended if it.status == Status.PAUSED and it.ended else None),
        Field("access", RATING, lambda it: Rating(it.access) if it.access else None),
        Field("run_once", BOOLEAN, lambda it: it.run_once),
        Field("next_run_configuration_exists", BOOLEAN, lambda it: it.pending),
        Field("stateless", BOOLEAN, lambda it: it.stateless, "attribute.stateless"),
        # Ours, where it is so: its host had it before, and somebody changed it there.
        Field("adopted", BOOLEAN, lambda it: it.adopted or None),
        Field("changed_outside", BOOLEAN, lambda it: it.drift or None),
        PROTECTED,
        PASSWORD,
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
        *ICONS_OF,
    ),
    columns=(
        *("status", "access", "run_once", "pending", "stateless", "delete_protected", "use_latest_version"),
        *("adopted", "drift"),
        *("cluster_id", "template_id", "instance_type_id", "observed", "ended", "host_id", "pool_id"),
    ),
)
_PARTS: Final = (_PLACE, *PARTS)

# What a machine may be made of, and is not changed by.
MADE_OF: Final = ("snapshots/snapshot", "disk_attachments/disk_attachment")
ENTITY: Final = Entity(
    name="vm",
    collection="vms",
    plural="vms",
    own=_OWN,
    parts=_PARTS,
    rows=lambda user: VM.objects.visible_to(user).select_related("cluster"),
    subject=shown,
    not_offered=tuple(path for path in NOT_OFFERED if path not in MADE_OF),
    light=light(
        *(VM, "running", "endpoints", "started_at", "fqdn", "guest_document"),
        parts=_PARTS,
        # Read of the few alone that run otherwise than they are configured.
        running=Case(When(Q(pending=True) | Q(run_once=True), then=F("running"))),
    ),
    links=(
        consoles.of("vm", "vms", consoles.ACTIONS),
        networks.NICS,
        devices.APPLICATIONS,
        devices.cdroms("vm", "vms"),
        storage.attachments("vm", "vms"),
        devices.empty("host_device", "hostdevices"),
        devices.empty("vm_numa_node", "numanodes", "host_numa_nodes"),
        devices.REPORTED_DEVICES,
        devices.SESSIONS,
        snapshots.LINK,
        devices.STATISTICS,
        labels.tags_of(VM),
        permissions_on("vm"),
        affinity.labels_of(VM),
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
