"""What lists and pages tell of storage domains and disks, as data."""

from collections.abc import Mapping
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms import messages
from vms.domain.disks import GIB, MIB, DiskFormat
from vms.domain.transfers import OPEN, Phase
from vms.messages import Text
from vms.models import Disk, DiskAttachment, DiskStatus, StorageDomain, StorageStatus, Transfer

from .tables import Cell, Fact, Table

_NOTHING: Final = "–"
_DOMAINS: Final[dict[str, tuple[str, str]]] = {
    StorageStatus.ACTIVE: ("on-running", "success"),
    StorageStatus.LOCKED: ("in-progress", "info"),
    StorageStatus.INACTIVE: ("error-circle-o", "danger"),
    StorageStatus.MAINTENANCE: ("maintenance", "muted"),
    StorageStatus.UNATTACHED: ("off", "muted"),
}
_DISKS: Final[dict[str, tuple[str, str]]] = {
    DiskStatus.OK: ("ok", "success"),
    DiskStatus.LOCKED: ("in-progress", "info"),
    DiskStatus.ILLEGAL: ("error-circle-o", "danger"),
}
_FORMATS: Final[dict[str, Text]] = {DiskFormat.QCOW2: "QCOW2", DiskFormat.RAW: gettext_lazy("Raw")}

_PHASES: Final[dict[str, tuple[str, str]]] = {
    Phase.TRANSFERRING: ("ok", "success"),
    Phase.FINISHED_SUCCESS: ("ok", "muted"),
    Phase.FINISHED_FAILURE: ("error-circle-o", "danger"),
    Phase.FINISHED_CLEANUP: ("off", "muted"),
}

Groups = list[tuple[str, list[Fact]]]


def status_icon(domain: StorageDomain) -> tuple[str, str]:
    """The icon of a storage domain's status and its tone."""
    return _DOMAINS[domain.status]


def disk_icon(disk: Disk) -> tuple[str, str]:
    """The icon of a disk's status and its tone."""
    return _DISKS[disk.status]


def transfer_icon(row: Transfer) -> tuple[str, str]:
    """The icon of the phase that an image transfer is in and its tone."""
    return _PHASES.get(row.phase, ("in-progress", "info"))


def size(number: int | None) -> str:
    """A number of bytes as people read it."""
    if number is None:
        return _NOTHING
    if number < GIB:
        return f"{number / MIB:.0f} MiB"
    return f"{number / GIB:.1f} GiB".replace(".0 ", " ")


def reason(failure: Mapping[str, Any] | None) -> str:
    """Why something is not as it should be, with what libvirt says; empty where nothing is."""
    if not failure:
        return ""
    told, said = messages.job_error(failure), (failure.get("params") or {}).get("message", "")
    return f"{told} ({said})" if said and said not in told else told


def _domain_link(row: StorageDomain) -> Cell:
    return Cell(row.name, url=reverse("storage_domain_detail", args=[row.pk]))


def disk_link(row: Disk) -> Cell:
    """A disk's name, which leads to it."""
    return Cell(row.name, url=reverse("disk_detail", args=[row.pk]))


def domain_cells(row: Any) -> tuple[Cell, ...]:
    return (
        *(_domain_link(row), Cell(row.get_status_display(), reason(row.reason)), Cell(row.get_kind_display())),
        Cell(row.data_center.name, url=reverse("data_center_detail", args=[row.data_center_id])),
        *(Cell(size(row.capacity)), Cell(size(row.available)), Cell(str(row.disk_count))),
    )


def domain(row: StorageDomain) -> Groups:
    where = row.host.name if row.host else _("All hosts of the data center")
    place = [
        Fact(_("Data Center"), row.data_center.name),
        Fact(_("Storage Type"), str(row.get_kind_display())),
        *([Fact(_("Server"), row.address)] if row.address else []),
        Fact(_("Path"), _("chosen by the engine's settings") if row.path == "auto" else row.path),
        Fact(_("Reached by"), where),
    ]
    used = None if row.capacity is None or row.available is None else row.capacity - row.available
    room = [
        Fact(_("Total Space"), size(row.capacity)),
        Fact(_("Free Space"), size(row.available)),
        Fact(_("Used Space"), size(used)),
        Fact(_("Warning below"), f"{row.low_space} %"),
        Fact(_("Kept free"), f"{row.spared} GiB"),
    ]
    texts = [
        Fact(messages.FIELDS["description"], row.description or _NOTHING),
        Fact(messages.FIELDS["comment"], row.comment or _NOTHING),
        Fact(_("Storage Domain ID"), str(row.pk)),
    ]
    return [(_("Place"), place), (_("Space"), room), (_("Storage domain"), texts)]


def domain_tables(row: StorageDomain) -> list[Table]:
    shown = row.disks.order_by("name")[:50]
    cells: list[tuple[Cell, ...]] = [
        (disk_link(disk), Cell(disk.get_status_display()), Cell(size(disk.size)), Cell(size(disk.used)))
        for disk in shown
    ]
    columns = (_("Alias"), _("Status"), _("Virtual Size"), _("Actual Size"))
    return [Table(_("Disks"), columns, cells, _("No disk lies on it yet."))]


def disk_cells(row: Any) -> tuple[Cell, ...]:
    owners = [one.owner for one in row.attachments.all()]
    attached = Cell(", ".join(str(one) for one in owners) or _NOTHING, url=_owner(owners[0]) if owners else "")
    return (
        *(
            disk_link(row),
            Cell(row.get_status_display(), reason(row.failure)),
            Cell(size(row.size)),
            Cell(size(row.used)),
        ),
        *(attached, _domain_link(row.domain), Cell(_laid(row)), Cell(row.description)),
    )


def _owner(owner: Any) -> str:
    return reverse("vm_disks" if owner._meta.model_name == "vm" else "template_disks", args=[owner.pk])


def _laid(row: Disk) -> str:
    kind = "ISO" if row.content == "iso" else str(_FORMATS[row.format])
    return f"{kind}, {_('thin')}" if row.sparse and row.content != "iso" else kind


def disk(row: Disk) -> Groups:
    facts = [
        Fact(_("Virtual Size"), size(row.size)),
        Fact(_("Actual Size"), size(row.used)),
        Fact(_("Format"), _laid(row)),
        Fact(_("Shareable"), _("Yes") if row.shareable else _("No")),
        Fact(_("Storage Domain"), row.domain.name),
    ]
    texts = [
        Fact(messages.FIELDS["description"], row.description or _NOTHING),
        Fact(_("Disk ID"), str(row.pk)),
        Fact(_("Image"), row.image.name if row.image else _NOTHING),
    ]
    return [(_("Disk"), facts), (_("Details"), texts)]


def transfer(row: Transfer) -> list[Fact]:
    """What the page of a download tells."""
    known = row.phase not in {Phase.INITIALIZING, Phase.FINISHED_FAILURE}
    return [
        Fact(_("Format"), "ISO" if row.disk.content == "iso" else str(_FORMATS[row.format])),
        Fact(_("Size"), size(row.size) if known else _NOTHING),
        Fact(_("Received") if row.uploads else _("Fetched"), _fetched(row)),
        Fact(_("Asked for by"), str(row.created_by or _NOTHING)),
    ]


def _fetched(row: Transfer) -> str:
    if row.reached and row.reached >= row.size and not row.uploads:
        return _("to its end")
    return _("%(part)s of it") % {"part": size(row.reached)} if row.reached else _NOTHING


def _transfers(row: Disk) -> list[Table]:
    found = list(row.transfers.filter(phase__in=OPEN).select_related("created_by"))
    cells: list[tuple[Cell, ...]] = [
        (
            Cell(
                _("Upload") if one.uploads else _("Download"),
                url=reverse("download", args=[row.pk, one.pk]),
            ),
            Cell(str(one.get_phase_display())),
            Cell(f"{size(one.reached)} / {size(one.size)}"),
            Cell(str(one.created_by or _NOTHING)),
        )
        for one in found
    ]
    columns = (_("Image transfer"), _("Status"), _("Progress"), _("User"))
    return [Table(_("Image transfers"), columns, cells, "")] if cells else []


def disk_tables(row: Disk) -> list[Table]:
    cells: list[tuple[Cell, ...]] = [
        (
            Cell(str(one.owner), url=_owner(one.owner)),
            Cell(one.get_interface_display()),
            Cell(_("Yes") if one.bootable else _("No")),
            Cell(_("Yes") if one.active else _("No")),
        )
        for one in row.attachments.select_related("vm", "template")
    ]
    columns = (_("Attached To"), _("Interface"), _("Bootable"), _("Active"))
    return [Table(_("Virtual machines and templates"), columns, cells, _("No machine has it.")), *_transfers(row)]


def attached_cells(one: DiskAttachment) -> tuple[Cell, ...]:
    """What a machine's Disks tab tells of one of its disks."""
    row = one.disk
    flags = [
        *([_("bootable")] if one.bootable else []),
        *([_("read-only")] if one.read_only else []),
        *([] if one.active else [_("not active")]),
        *([_("shareable")] if row.shareable else []),
    ]
    return (
        *(
            disk_link(row),
            Cell(row.get_status_display(), reason(row.failure)),
            Cell(size(row.size)),
            Cell(size(row.used)),
        ),
        *(Cell(one.get_interface_display()), _domain_link(row.domain), Cell(_laid(row)), Cell(", ".join(flags))),
    )
