"""What lists and pages tell of data centers, clusters and hosts, as data."""

from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from vms import messages
from vms.domain.hosts import Capabilities
from vms.domain.lifecycle import NOT_RUNNING
from vms.models import Cluster, DataCenter, Host, HostStatus
from vms.models.choices import FIRMWARES

from . import affinityfacts
from .tables import Cell, Fact, Table

_NOTHING: Final = "–"
SHOWN: Final = 50
_ICONS: Final = {
    HostStatus.UP: ("on-running", "success"),
    HostStatus.DOWN: ("off", "danger"),
    HostStatus.NON_RESPONSIVE: ("error-circle-o", "danger"),
    HostStatus.NON_OPERATIONAL: ("error-circle-o", "warning"),
    HostStatus.CONNECTING: ("in-progress", "info"),
    HostStatus.PREPARING: ("in-progress", "info"),
    HostStatus.MAINTENANCE: ("maintenance", "muted"),
}

Groups = list[tuple[str, list[Fact]]]


def status_icon(host: Host) -> tuple[str, str]:
    """The icon of a host's status and its tone."""
    return _ICONS[host.shown_status]


def reason(host: Host, *, whole: bool = False) -> str:
    """Why a host cannot be used; empty for one that can. With what libvirt says where we know no better, or for whoever
    looks at this host alone (`whole`)."""
    if not host.reason:
        return ""
    params = host.reason.get("params", {})
    told = messages.job_error({**host.reason, "params": {**params, "host": host.name}})
    said = params.get("message", "") if whole or "host_why" not in params else ""
    return f"{told} ({said})" if said and said not in told else told


def _link(row: Any) -> str:
    return reverse(f"{row._meta.model_name.replace('datacenter', 'data_center')}_detail", args=[row.pk])


def _named(row: Any) -> Cell:
    return Cell(row.name, url=_link(row))


def _memory(host: Host) -> str:
    offered = host.capabilities
    return f"{offered.memory:,} MiB".replace(",", "\N{NARROW NO-BREAK SPACE}") if offered else _NOTHING


def data_center_cells(row: Any) -> tuple[Cell, ...]:
    return (_named(row), Cell(str(row.cluster_count)), Cell(row.description))


def cluster_cells(row: Any) -> tuple[Cell, ...]:
    machines = _("%(running)s of %(all)s run") % {"running": row.running_count, "all": row.vm_count}
    return (
        *(_named(row), _named(row.data_center), Cell(row.level), Cell(str(row.host_count))),
        *(Cell(machines), Cell(row.description)),
    )


def host_cells(row: Any) -> tuple[Cell, ...]:
    offered = row.capabilities
    return (
        *(_named(row), Cell(row.shown_status.label, reason(row)), _named(row.cluster)),
        Cell(offered.hypervisor if offered else _NOTHING),
        Cell(str(offered.cpus) if offered else _NOTHING),
        *(Cell(_memory(row)), Cell(str(row.running_count))),
    )


def data_center(row: DataCenter) -> Groups:
    return [(_("Data center"), [*_texts(row), Fact(_("Data Center ID"), str(row.pk))])]


def cluster(row: Cluster) -> Groups:
    graphics = ", ".join(sorted(protocol.upper() for protocol in row.graphics)) or _("None: headless machines alone")
    facts = [
        Fact(_("Data Center"), row.data_center.name),
        Fact(_("Compatibility Version"), row.level),
        Fact(messages.FIELDS["firmware"], str(dict(FIRMWARES)[row.firmware])),
        Fact(_("Graphical consoles"), graphics),
    ]
    return [(_("Cluster"), [*facts, *_texts(row), Fact(_("Cluster ID"), str(row.pk))])]


def host(row: Host) -> Groups:
    facts = [
        Fact(_("Cluster"), row.cluster.name),
        Fact(_("Address"), row.uri),
        Fact(_("Comment"), row.comment or _NOTHING),
        Fact(_("Host ID"), str(row.pk)),
    ]
    doorway = row.doorway
    consoles = [
        Fact(messages.FIELDS["console_listen"], doorway.listen, () if doorway.open else (_("closed"),)),
        Fact(messages.FIELDS["console_address"], doorway.address or _NOTHING),
        Fact(messages.FIELDS["console_tls"], _("Enabled") if doorway.secure else _("Disabled")),
    ]
    offered = row.capabilities
    if offered is None:
        return [(_("Host"), facts), (_("Viewers on other machines"), consoles)]
    fast = offered.accelerator == "kvm"
    hardware = [
        Fact(_("Hypervisor"), offered.hypervisor),
        Fact(_("Acceleration"), _("KVM") if fast else _("Emulation (slow)"), _tags(offered.accelerator_reason)),
        Fact(_("CPUs"), str(offered.cpus)),
        Fact(_("Memory"), _memory(row)),
        Fact(_("Hardware ID"), offered.uuid or _NOTHING),
    ]
    offers = [
        Fact(_("Graphical consoles"), ", ".join(sorted(each.upper() for each in offered.graphics)) or _("None")),
        Fact(_("Video cards"), ", ".join(sorted(offered.videos)) or _("None")),
        Fact(_("Networks"), _("NAT and isolated ones of ours") if offered.networks else _("User mode"), _why(offered)),
        Fact(_("Bridges"), _listed(offered.bridges)),
        Fact(_("libvirt networks"), _listed(offered.libvirt_networks)),
        Fact(_("Firmware"), ", ".join(sorted(each.label for each in offered.firmwares))),
        Fact("TPM", "swtpm" if offered.tpm else _("None: swtpm is not installed there")),
        Fact(_("Machine types"), _first(offered.machines)),
        Fact(_("CPU models"), _first(offered.cpu_models)),
    ]
    shown = [(_("Host"), facts), (_("Hardware"), hardware), (_("What it offers"), offers)]
    return [*shown, (_("Viewers on other machines"), consoles)]


def data_center_tables(row: DataCenter) -> list[Table]:
    clusters = row.clusters.all()
    return [
        Table(
            _("Clusters"),
            (_("Name"), _("Compatibility Version"), _("Description")),
            [(_named(each), Cell(each.level), Cell(each.description)) for each in clusters],
            _("It has no cluster yet."),
        )
    ]


def cluster_tables(row: Cluster) -> list[Table]:
    return [
        Table(
            _("Hosts"),
            (_("Name"), _("Status"), _("Hypervisor")),
            [
                (
                    _named(each),
                    Cell(each.shown_status.label, reason(each)),
                    Cell(each.capabilities.hypervisor if each.capabilities else _NOTHING),
                )
                for each in row.hosts.all()
            ],
            _("It has no host yet, so nothing can run in it."),
        ),
        *affinityfacts.cluster_tables(row),
    ]


def host_tables(row: Host) -> list[Table]:
    running = row.vms.exclude(observed__in=NOT_RUNNING).order_by("name")[:SHOWN]
    return [
        Table(
            _("Virtual Machines"),
            (_("Name"), _("Status"), _("IP Addresses"), _("Memory")),
            [
                (_named(vm), Cell(messages.STATUSES[vm.status]), Cell(vm.ip or _NOTHING), Cell(f"{vm.memory} MiB"))
                for vm in running
            ],
            _("None runs on it."),
        ),
        *([affinityfacts.label_table(row)] if row.affinity_labels.exists() else []),
    ]


def _texts(row: Any) -> list[Fact]:
    return [
        Fact(messages.FIELDS["description"], row.description or _NOTHING),
        Fact(messages.FIELDS["comment"], row.comment or _NOTHING),
    ]


def _tags(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _why(offered: Capabilities) -> tuple[str, ...]:
    """Why the host carries no network of ours, in libvirt's words."""
    return _tags(offered.networks_reason)


def _listed(names: frozenset[str] | None) -> str:
    return _("Not told") if names is None else _first(names) if names else _("None")


def _first(names: frozenset[str], count: int = 12) -> str:
    """Some names of many, in their order."""
    told = sorted(names)
    more = _(" and %(count)s more") % {"count": len(told) - count} if len(told) > count else ""
    return (", ".join(told[:count]) + more) or _("Not told")
