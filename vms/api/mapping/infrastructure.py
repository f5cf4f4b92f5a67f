"""Where machines run: data centers, clusters and hosts."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from django.db.models import QuerySet

from vms.api.document import Node
from vms.api.faults import invalid
from vms.domain.firmware import Firmware
from vms.models import Cluster, DataCenter, Host, StorageDomain, StorageStatus, User
from vms.models.networks import DEFAULT_MAC_POOL
from vms.search.visible import visible

from . import adoption, affinity
from .devices import Figure, bare, empty, statistics
from .entity import Entity, Link, of_each, related
from .fields import BOOLEAN, NUMBER, SIZE, TEXT, Field, Reference, Schema, Telling, Type, Words, object_of
from .fixed import POLICY_ID
from .kept import INHERITED, Identified, Word, kept_fields, listed_words
from .networks import OF_CLUSTER, OF_DATA_CENTER
from .people import permissions_on
from .storage import STORAGE_DOMAIN
from .types import CLUSTER_FIRMWARE, HOST_STATUS


class _Level(Type):
    """A compatibility level, major and minor."""

    def schema(self) -> Schema:
        return object_of(major=NUMBER.schema(), minor=NUMBER.schema())

    def tell(self, value: str, telling: Telling) -> Node:
        major, minor = value.split(".")
        return {"major": major, "minor": minor}

    def read(self, node: Node, path: str) -> Any:
        if not isinstance(node, Mapping) or not {"major", "minor"} <= node.keys():
            raise invalid(path, "…", "major and minor")
        return f"{NUMBER.read(node['major'], f'{path}.major')}.{NUMBER.read(node['minor'], f'{path}.minor')}"


class _Address(Type):
    """The address of a host: its name for one that is reached by SSH, else libvirt's own."""

    def tell(self, value: str, telling: Telling) -> Node:
        return value.removeprefix("qemu+ssh://root@").removesuffix("/system") if _is_plain(value) else value

    def read(self, node: Node, path: str) -> Any:
        text: str = TEXT.read(node, path)
        return text if "://" in text or text == "auto" else f"qemu+ssh://root@{text}/system"


def _is_plain(uri: str) -> bool:
    return uri.startswith("qemu+ssh://root@") and uri.endswith("/system")


_SOURCES: Final = listed_words("required_rng_source", "hwrng", "random", "urandom")
_PLAIN: Final = (
    Field("name", TEXT, lambda it: it.name, "attribute.name"),
    Field("comment", TEXT, lambda it: it.comment, "attribute.comment"),
)
_DESCRIBED: Final = (*_PLAIN, Field("description", TEXT, lambda it: it.description, "attribute.description"))


def _attached(user: User) -> QuerySet[StorageDomain]:
    return StorageDomain.objects.visible_to(user).exclude(status=StorageStatus.UNATTACHED)


CLUSTER: Final = Entity(
    name="cluster",
    collection="clusters",
    plural="clusters",
    own=(
        *_DESCRIBED,
        Field("data_center", Reference("datacenters"), lambda it: it.data_center_id, "reference.data_center"),
        Field("version", _Level(), lambda it: it.level, "attribute.level"),
        Field("bios_type", CLUSTER_FIRMWARE, lambda it: Firmware(it.firmware), "attribute.firmware"),
        Field(
            *("mac_pool", Reference("macpools")),
            *(lambda it: it.mac_pool_id or DEFAULT_MAC_POOL, "reference.mac_pool"),
        ),
        Field("scheduling_policy", Reference("schedulingpolicies"), lambda _it: POLICY_ID),
        Field("cpu/architecture", TEXT, lambda _it: "x86_64"),
        *kept_fields(
            {
                "cpu/type": (TEXT, None),
                "ballooning_enabled": (BOOLEAN, True),
                "gluster_service": (BOOLEAN, False),
                "virt_service": (BOOLEAN, True),
                "threads_as_cores": (BOOLEAN, False),
                "ha_reservation": (BOOLEAN, False),
                "trusted_service": (BOOLEAN, False),
                "optional_reason": (BOOLEAN, False),
                "maintenance_reason_required": (BOOLEAN, False),
                "ksm/enabled": (BOOLEAN, False),
                "ksm/merge_across_nodes": (BOOLEAN, True),
                "fencing_policy/enabled": (BOOLEAN, False),
                "fencing_policy/skip_if_gluster_bricks_up": (BOOLEAN, False),
                "fencing_policy/skip_if_gluster_quorum_not_met": (BOOLEAN, False),
                "fencing_policy/skip_if_sd_active/enabled": (BOOLEAN, False),
                "fencing_policy/skip_if_connectivity_broken/enabled": (BOOLEAN, False),
                "fencing_policy/skip_if_connectivity_broken/threshold": (NUMBER, 50),
                "error_handling/on_error": (Word("migrate", "migrate_highly_available", "do_not_migrate"), "migrate"),
                "memory_policy/over_commit/percent": (NUMBER, 100),
                "migration/auto_converge": (INHERITED, "inherit"),
                "migration/compressed": (INHERITED, "inherit"),
                "migration/encrypted": (INHERITED, "inherit"),
                "migration/bandwidth/assignment_method": (Word("auto", "hypervisor_default", "custom"), "auto"),
                "migration/bandwidth/custom_value": (NUMBER, None),
                "migration/policy": (Identified(), None),
                "required_rng_sources": (
                    listed_words("required_rng_source", "hwrng", "random", "urandom"),
                    ["urandom"],
                ),
                "serial_number/policy": (Word("none", "host", "vm", "custom"), None),
                "serial_number/value": (TEXT, None),
                "display/proxy": (TEXT, None),
                "switch_type": (Word("legacy", "ovs"), "legacy"),
                "firewall_type": (Word("firewalld", "iptables"), "firewalld"),
                "gluster_tuned_profile": (TEXT, None),
            }
        ),
    ),
    rows=partial(visible, Cluster),
    links=(permissions_on("cluster"), OF_CLUSTER, affinity.GROUPS),
)

DATA_CENTER: Final = Entity(
    name="data_center",
    collection="datacenters",
    plural="data_centers",
    own=(
        *_DESCRIBED,
        Field("status", TEXT, lambda _it: "up"),
        Field("version", _Level(), lambda it: it.kept.get("version", "4.8"), "kept.version"),
        Field("mac_pool", Reference("macpools"), lambda _it: DEFAULT_MAC_POOL),
        *kept_fields(
            {
                "local": (BOOLEAN, False),
                "quota_mode": (Word("disabled", "audit", "enabled"), "disabled"),
            }
        ),
    ),
    rows=partial(visible, DataCenter),
    links=(
        Link(rel="clusters", entity=CLUSTER, items=related(partial(visible, Cluster), "data_center_id")),
        permissions_on("data_center"),
        OF_DATA_CENTER,
        Link(rel="storagedomains", entity=STORAGE_DOMAIN, items=related(_attached, "data_center_id")),
        empty("quota", "quotas"),
    ),
)


def _offered(ask: Any) -> Any:
    return lambda it: ask(offered) if (offered := it.capabilities) else None


def _why_unusable(host: Host) -> str | None:
    """In a word, as oVirt does; what keeps us from it, where that is known."""
    why = host.reason.get("params", {}).get("host_why") or host.reason.get("code", "")
    return why.lower() or None


def _figures(host: Host, _telling: Telling) -> Iterable[Figure]:
    if offered := host.capabilities:
        memory = offered.memory * 1024 * 1024
        yield Figure("hosts", host.pk, "memory.total", "Total memory", "bytes", memory)


_AUTHORITY: Final = "attribute.console_authority"
HOST: Final = Entity(
    name="host",
    collection="hosts",
    plural="hosts",
    own=(
        *_PLAIN,
        Field("description", TEXT, lambda _it: ""),
        Field("address", _Address(), lambda it: it.uri, "attribute.uri"),
        Field("status", HOST_STATUS, lambda it: it.shown_status),
        Field("status_detail", TEXT, _why_unusable),
        # Ours: where others reach it when a machine moves there, if not at its own address.
        Field("migration_address", TEXT, lambda it: it.migration_address or None, "attribute.migration_address"),
        Field("type", TEXT, lambda _it: "rhel"),
        Field("memory", SIZE, _offered(lambda offered: offered.memory)),
        Field("cpu/topology/cores", NUMBER, _offered(lambda offered: offered.cpus)),
        Field("cpu/topology/sockets", NUMBER, _offered(lambda _offered: 1)),
        Field("cpu/topology/threads", NUMBER, _offered(lambda _offered: 1)),
        Field("libvirt_version/full_version", TEXT, _offered(lambda offered: offered.hypervisor or None)),
        Field("cluster", Reference("clusters"), lambda it: it.cluster_id, "reference.cluster"),
        Field("display/address", TEXT, lambda it: it.console_address or None, "attribute.console_address"),
        # Ours: at which of its addresses screens listen, and whether its QEMU has certificates for them.
        Field("display/listen", TEXT, lambda it: it.console_listen, "attribute.console_listen"),
        Field("display/secure", BOOLEAN, lambda it: it.console_tls, "attribute.console_tls"),
        Field("display/certificate/content", TEXT, lambda it: it.console_authority or None, _AUTHORITY),
        Field("display/certificate/subject", TEXT, lambda it: it.console_subject or None, "attribute.console_subject"),
        *kept_fields(
            {
                "os/custom_kernel_cmdline": (TEXT, ""),
                "power_management/enabled": (BOOLEAN, False),
                "power_management/kdump_detection": (BOOLEAN, True),
                "spm/priority": (NUMBER, 5),
                "override_iptables": (BOOLEAN, None),
                "vgpu_placement": (Words({"consolidated": "consolidated", "separated": "separated"}), "consolidated"),
                "ssh/port": (NUMBER, 22),
            }
        ),
    ),
    rows=partial(visible, Host),
    links=(
        affinity.labels_of(Host),
        empty("host_device", "devices"),
        empty("permission", "permissions"),
        empty("tag", "tags"),
        empty("host_nic", "nics"),
        empty("host_numa_node", "numanodes", "numa_nodes"),
        Link(rel="storage", entity=bare("host_storage", "storage"), element="host_storages"),
        statistics("host", "hosts", of_each(_figures)),
        adoption.LINK,
    ),
    actions=("activate", "deactivate"),
)
