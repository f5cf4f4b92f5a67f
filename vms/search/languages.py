"""The languages of all collections, as tables: oVirt's fields where there are such, and what headless asks for."""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Q

from vms.domain.access import Rating, Seen
from vms.domain.console import Video
from vms.domain.disks import DiskFormat, StorageKind
from vms.domain.firmware import Firmware
from vms.domain.lifecycle import Status
from vms.domain.machine import VmType
from vms.domain.networks import NetworkKind
from vms.domain.osinfo import OPERATING_SYSTEMS
from vms.models import (
    ACTIVE,
    VM,
    AuditEvent,
    Cluster,
    DataCenter,
    Disk,
    DiskContent,
    DiskStatus,
    Host,
    HostStatus,
    InstanceType,
    Job,
    JobState,
    Network,
    Pool,
    PoolType,
    StorageDomain,
    StorageStatus,
    Template,
    User,
    VnicProfile,
)
from vms.models.hardware import IS_HEADLESS

from .affinity import affinity_of
from .events import EventType
from .fields import (
    Among,
    Choice,
    Field,
    Key,
    MachineName,
    MachineText,
    Moment,
    Number,
    Owner,
    Place,
    Ranked,
    Same,
    Since,
    Switch,
    Text,
    UserName,
    flag,
    holding,
)
from .holdings import holdings_of
from .language import Columns, Language, beyond, containing
from .tags import tagged

Fields = dict[str, Field]

_UNUSED_USB: Final = IS_HEADLESS & Q(serial_console__in=(False,))
_GRAPHICS: Final = {
    name: Q(spice__in=(spice,), vnc__in=(vnc,))
    for name, spice, vnc in (("none", False, False), ("vnc", False, True), ("spice", True, False), ("both", True, True))
}
_VIDEOS: Final = {"none": IS_HEADLESS, **{video.value: Q(display_type=video.value) for video in Video}}
_STATUSES: Final = {status.value: status.value for status in Status} | {
    "migrating": (Status.MIGRATING_FROM.value, Status.MIGRATING_TO.value)
}
# The ways in that a machine has, or how good they are altogether.
_ACCESS: Final = {
    "none": Rating.LOCKED_OUT.value,
    "graphical": ~IS_HEADLESS,
    "serial": Q(serial_console__in=(True,)),
    "agent": Q(agent=Seen.NOW.value),
    **{rating.value: rating.value for rating in Rating},
}


def _choices(path: str, values: Any) -> Choice:
    return Choice({value.value: value.value for value in values}, path)


# oVirt's words beside ours.
_BIOS_TYPES: Final = {
    "q35_sea_bios": Firmware.BIOS.value,
    "q35_ovmf": Firmware.UEFI.value,
    "q35_secure_boot": Firmware.SECURE.value,
    "i440fx_sea_bios": Firmware.I440FX.value,
}
_NAMED: Final[Fields] = {"name": Text("name"), "description": Text("description"), "id": Key()}
_PLACED: Final[Fields] = {"cluster": Text("cluster__name"), "datacenter": Text("cluster__data_center__name")}
# What all four kinds of machine are asked for.
_HARDWARE: Final[Fields] = {
    **_NAMED,
    "comment": Text("comment"),
    "headless": Switch(IS_HEADLESS, ~IS_HEADLESS),
    "graphics": Choice(_GRAPHICS),
    "video": Choice(_VIDEOS),
    "serial_console": flag("serial_console"),
    "usb": Switch(Q(usb__in=(True,)) & ~_UNUSED_USB, Q(usb__in=(False,)) | _UNUSED_USB),
    "os": Choice({key: key for key in OPERATING_SYSTEMS}, "os"),
    "type": _choices("vm_type", VmType),
    "bios_type": Choice({**{each.value: each.value for each in Firmware}, **_BIOS_TYPES}, "firmware"),
    "tpm": flag("tpm"),
    "memory": Number("memory"),
    "guaranteed_memory": Number("guaranteed_memory"),
    "vcpus": Number("vcpus"),
    "creationdate": Moment("created_at"),
    "delete_protected": flag("delete_protected"),
    "architecture": Same("x86_64"),
}
_TEMPLATE: Final[Fields] = {
    **_HARDWARE,
    **_PLACED,
    "version_name": Text("version_name"),
    "tag": tagged(Template),
}
_CLUSTER: Final[Fields] = {
    **_NAMED,
    "datacenter": Text("data_center__name"),
    "compatibility_level": Text("level"),
}
_HOST: Final[Fields] = {
    "name": Text("name"),
    "id": Key(),
    **_PLACED,
    "status": _choices("status", HostStatus),
    "address": Text("uri"),
    **affinity_of(Host),
}
_EVENT: Final[Fields] = {
    "id": Key(read=int),
    "severity": Ranked({word: word for word in ("normal", "warning", "error", "alert")}, "severity"),
    "type": EventType("code"),
    "time": Moment("at"),
    "usrname": Text("actor_name"),
    "correlation_id": Text("correlation_id"),
    "entity": Text("entity_name"),
}
_JOB: Final[Fields] = {
    "id": Key(),
    "name": Text("machine_name"),
    "correlation_id": Text("correlation_id"),
    "status": Choice({state.value: state.value for state in JobState} | {JobState.STARTED.value: ACTIVE}, "state"),
    "action_type": Text("verb"),
    "start_time": Moment("created_at"),
    "end_time": Moment("finished_at"),
}
_VM: Final[Fields] = {
    **_HARDWARE,
    "name": MachineName(),
    **{name: MachineText(name) for name in ("description", "comment", "fqdn")},
    "ip": MachineText("ip", one_of_several=True),
    "status": Choice(_STATUSES, "status"),
    "host": Place("host"),
    "on_host": Place("host"),
    "cluster": Place("cluster"),
    "datacenter": Among("cluster", Cluster.objects.all, "data_center__name"),
    "compatibility_level": Among("cluster", Cluster.objects.all, "level"),
    "template": Among("template", Template.objects.all),
    "pool": Among("pool", Pool.objects.all),
    "instance_type": Among("instance_type", InstanceType.objects.all),
    "tag": tagged(VM),
    **affinity_of(VM),
    "access": Choice(_ACCESS, "access"),
    "guest_agent": Switch(Q(agent=Seen.NOW.value), ~Q(agent=Seen.NOW.value)),
    "next_run_config_exists": flag("pending"),
    "pending": flag("pending"),
    "run_once": flag("run_once"),
    "stateless": flag("stateless"),
    "adopted": flag("adopted"),
    "changed_outside": flag("drift"),
    "uptime": Since("up_since"),
    "has_illegal_images": Switch(Q(status=Status.IMAGE_ILLEGAL.value), ~Q(status=Status.IMAGE_ILLEGAL.value)),
    "custom_cpu_type": MachineText("cpu_model"),
    "custom_emulated_machine": MachineText("emulated_machine"),
}


def _sorted(*last: str, **more: str) -> Mapping[str, Columns]:
    """The orders of a kind of machine; those that are alike in it by name, and by `last` where names come again."""
    columns = {
        **{name: (name,) for name in ("memory", "vcpus", "os", "serial_console")},
        "graphics": ("spice", "vnc"),
        "video": ("display_type",),
        "type": ("vm_type",),
        "creationdate": ("created_at",),
        "name": (),
        **{name: (column,) for name, column in more.items()},
    }
    return {name: (*first, "folded", "name", *last) for name, first in columns.items()}


VMS: Final = Language(
    about="Vms",
    model=VM,
    fields={
        **_VM,
        **beyond("template", Template, _TEMPLATE, ("name", "description", "version_name", "os"), path="template"),
        **beyond("host", Host, _HOST, ("name", "status", "cluster"), path="host"),
        **beyond("event", AuditEvent, _EVENT, ("severity", "type", "time", "usrname"), key="entity_id"),
        **holdings_of("vm"),
    },
    orders=_sorted(
        **{name: name for name in ("status", "access", "ip", "fqdn", "pending")},
        host="host_name",
        on_host="host_name",
        cluster="cluster_name",
        uptime="up_since",
    ),
    free=holding,
)
TEMPLATES: Final = Language(
    about="Templates",
    model=Template,
    fields={
        **_TEMPLATE,
        **beyond("vm", VM, _VM, ("name", "status", "headless", "pool"), key="template"),
        **holdings_of("template"),
    },
    orders=_sorted("version_number", cluster="cluster__name"),
    free=containing("name", "description", "comment", "version_name"),
)
POOLS: Final = Language(
    about="Pools",
    model=Pool,
    fields={
        **_HARDWARE,
        **_PLACED,
        "template": Text("template__name"),
        "instance_type": Text("instance_type__name"),
        "type": _choices("pool_type", PoolType),
        "assigned_vm_count": Number("member_count"),
        "running_vm_count": Number("running_count"),
    },
    orders=_sorted(
        cluster="cluster__name", type="pool_type", assigned_vm_count="member_count", running_vm_count="running_count"
    ),
    free=containing("name", "description", "comment"),
)
INSTANCE_TYPES: Final = Language(
    about="InstanceTypes",
    model=InstanceType,
    fields=_HARDWARE,
    orders=_sorted(),
    free=containing("name", "description", "comment"),
)
DATA_CENTERS: Final = Language(
    about="DataCenters",
    model=DataCenter,
    fields={**_NAMED, **beyond("cluster", Cluster, _CLUSTER, ("name",), key="data_center")},
    orders={"name": ("name",)},
    free=containing("name", "description"),
)
CLUSTERS: Final = Language(
    about="Clusters",
    model=Cluster,
    fields=_CLUSTER,
    orders={"name": ("name",), "compatibility_level": ("level", "name")},
    free=containing("name", "description"),
)
HOSTS: Final = Language(
    about="Hosts",
    model=Host,
    fields=_HOST,
    orders={"name": ("name",), "status": ("status", "name"), "cluster": ("cluster__name", "name")},
    free=containing("name"),
)
NETWORKS: Final = Language(
    about="Networks",
    model=Network,
    fields={
        **_NAMED,
        "comment": Text("comment"),
        "datacenter": Text("data_center__name"),
        "kind": _choices("kind", NetworkKind),
        "mtu": Number("mtu"),
    },
    orders={"name": ("name", "id"), "datacenter": ("data_center__name", "name")},
    free=containing("name", "description", "comment"),
)
VNIC_PROFILES: Final = Language(
    about="VnicProfiles",
    model=VnicProfile,
    fields={
        **_NAMED,
        "network": Text("network__name"),
        "datacenter": Text("network__data_center__name"),
    },
    orders={"name": ("name", "id"), "network": ("network__name", "name", "id")},
    free=containing("name", "description"),
)
EVENTS: Final = Language(
    about="Events",
    model=AuditEvent,
    fields={**_EVENT, "vm.id": Key("entity_id")},
    orders={"time": ("id",), "severity": ("severity", "id")},
    free=containing("entity_name", "actor_name"),
)
JOBS: Final = Language(
    about="Jobs",
    model=Job,
    fields=_JOB,
    orders={"start_time": ("created_at", "id"), "status": ("state", "created_at", "id")},
    free=containing("machine_name", "verb"),
)

USERS: Final = Language(
    about="Users",
    model=User,
    fields={
        "id": Key(),
        "name": Text("first_name"),
        "lastname": Text("last_name"),
        "usrname": UserName("username"),
        "email": Text("email"),
    },
    orders={"usrname": ("username",), "name": ("first_name", "username")},
    free=containing("username", "first_name", "last_name"),
)

_DOMAIN: Final[Fields] = {
    **_NAMED,
    "comment": Text("comment"),
    "datacenter": Text("data_center__name"),
    "status": _choices("status", StorageStatus),
    "type": Choice({"localfs": StorageKind.DIRECTORY, "nfs": StorageKind.NFS, "fcp": StorageKind.LVM}, "kind"),
    "free_size": Number("available"),
    "size": Number("capacity"),
}
_DISK: Final[Fields] = {
    **_NAMED,
    "alias": Text("name"),
    "status": _choices("status", DiskStatus),
    "format": Choice({"cow": DiskFormat.QCOW2.value, "raw": DiskFormat.RAW.value}, "format"),
    "content_type": _choices("content", DiskContent),
    "provisioned_size": Number("size"),
    "size": Number("used"),
    "creation_date": Moment("created_at"),
    "shareable": flag("shareable"),
    "datacenter": Text("domain__data_center__name"),
    "vm_names": Owner("vm"),
    "template": Owner("template"),
}
STORAGE_DOMAINS: Final = Language(
    about="Storage",
    model=StorageDomain,
    fields={**_DOMAIN, **beyond("disk", Disk, _DISK, ("name", "alias", "status"), key="domain")},
    orders={
        "name": ("name",),
        "status": ("status", "name"),
        "type": ("kind", "name"),
        "size": ("capacity", "name"),
        "free_size": ("available", "name"),
    },
    free=containing("name", "description", "comment"),
)
DISKS: Final = Language(
    about="Disks",
    model=Disk,
    fields={**_DISK, **beyond("storage", StorageDomain, _DOMAIN, ("name", "status", "type"), path="domain")},
    orders={
        **dict.fromkeys(("name", "alias"), ("name", "id")),
        **{name: (name, "name", "id") for name in ("status", "format")},
        "provisioned_size": ("size", "name", "id"),
        "size": ("used", "name", "id"),
        "creation_date": ("created_at", "id"),
        "storage": ("domain__name", "name", "id"),
    },
    free=containing("name", "description"),
)

LANGUAGES: Final[Mapping[type[Any], Language]] = {
    language.model: language
    for language in (
        *(VMS, TEMPLATES, POOLS, INSTANCE_TYPES, DATA_CENTERS, CLUSTERS, HOSTS, NETWORKS, VNIC_PROFILES),
        *(EVENTS, JOBS, STORAGE_DOMAINS, DISKS),
    )
}
