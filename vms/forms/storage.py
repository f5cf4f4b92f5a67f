"""The dialogs of storage domains and disks, and of the disks of a machine."""

from decimal import Decimal
from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.actions.storage import SPARED
from vms.domain.console import Frozen
from vms.domain.disks import DiskFormat
from vms.domain.errors import Refusal
from vms.domain.transfers import TimeoutPolicy
from vms.messages import FIELDS, Text
from vms.models import (
    VM,
    ActionGroup,
    DataCenter,
    Disk,
    DiskAttachment,
    DiskContent,
    DiskStatus,
    Host,
    StorageDomain,
    User,
)
from vms.models.storage import KINDS

from .fields import Field, Options, choice, number, switch
from .parts import Values
from .places import PlaceForm, place
from .sizes import INTERFACES, gib, in_bytes, size_field

_FORMATS: Final = ((DiskFormat.QCOW2.value, _("QCOW2: thin, snapshots")), (DiskFormat.RAW.value, _("Raw: fast, plain")))
_ROOM: Final = ("low_space", "spared")
_LAID: Final = _("How a disk lies on its storage stays as it was chosen first; a copy can lie otherwise.")


class StorageDomainForm(PlaceForm):
    """A storage domain, by what libvirt makes its pool of."""

    _REASON = _("Another place is another storage domain: add that, and remove this one.")
    fixed: ClassVar[dict[str, Text]] = dict.fromkeys(("data_center", "host", "kind", "address", "path"), _REASON)

    data_center = place(DataCenter)
    host = forms.ModelChoiceField(
        Host.objects.none(), required=False, widget=Options, empty_label=_("All hosts of the data center")
    )
    kind = choice(KINDS, required=True)
    address = forms.CharField(max_length=255, required=False, help_text=_("With NFS: the name of the server."))
    path = forms.CharField(
        max_length=1024,
        help_text=_(
            "The directory on the hosts, the one that the NFS server exports, or the name of the volume group."
        ),
    )
    low_space = number(
        0, 100, required=False, help_text=_("Of less free space people are warned by an event; 0: never.")
    )
    spared = number(
        *SPARED, required=False, help_text=_("Nothing new is made that would leave less than that; 0: all may be used.")
    )
    description = forms.CharField(max_length=4000, required=False)
    comment = forms.CharField(max_length=4000, required=False)

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        super().__init__(data, row=row, by=by)
        for name in _ROOM:
            self.initial.setdefault(name, getattr(StorageDomain(), name))

    def columns(self) -> Values:
        """What is left empty stays as it is."""
        return {name: value for name, value in super().columns().items() if name not in _ROOM or value is not None}


class _Sized(forms.Form):
    def size(self) -> int:
        """The size in bytes; the stored one, where nobody has written another."""
        wished: Decimal = self.cleaned_data["disk_size"]
        there = getattr(self, "sized", None)
        return there.size if there is not None and gib(there.size) == wished else in_bytes(wished)


class DiskForm(_Sized, PlaceForm):
    """A disk by itself."""

    fixed: ClassVar[dict[str, Text]] = dict.fromkeys(("domain", "format", "sparse", "shareable"), _LAID)

    disk_size = size_field()
    domain = place(StorageDomain)
    format = choice(_FORMATS, required=True)
    sparse = switch()
    shareable = switch()
    description = forms.CharField(max_length=4000, required=False)

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        self.sized = row
        super().__init__(data, row=row, by=by)
        self.initial["disk_size"] = gib(row.size) if row else Decimal(10)
        self.initial.setdefault("sparse", True)
        if row is None:
            _offer_storage(self.fields["domain"], by)

    def columns(self) -> Values:
        said = super().columns()
        del said["disk_size"]
        return {**said, "size": self.size()}


class UploadForm(PlaceForm):
    """A disk or a CD with what is in a file."""

    field_order = ["file", "name", "content", "domain", "description"]

    file = forms.FileField(help_text=_("QCOW2 or raw; an ISO image for a CD. Nothing compressed."))
    content = choice(DiskContent.choices, required=True)
    domain = place(StorageDomain)
    description = forms.CharField(max_length=4000, required=False)

    def __init__(self, data: Any = None, files: Any = None, *, by: User) -> None:
        super().__init__(data, row=None, by=by, files=files)
        self.fields["name"].required = False
        self.fields["name"].help_text = _("Empty: that of the file.")
        _offer_storage(self.fields["domain"], by)

    def wish(self) -> Values:
        """The arguments of the action."""
        said = self.cleaned_data
        iso = said["content"] == DiskContent.ISO
        return {
            "name": said["name"] or said["file"].name,
            "content": said["file"].file,
            "domain": said["domain"],
            "iso": iso,
            "description": said["description"],
        }


class CopyDiskForm(PlaceForm):
    """A copy of a disk, on the same storage or another one."""

    domain = place(StorageDomain)

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        super().__init__(data, row=None, by=by)
        _offer_storage(self.fields["domain"], by)
        self.initial.update(name=f"{row.name}-copy", domain=row.domain_id)


class _OnMachine(forms.Form):
    """How a machine has a disk."""

    bound_field_class = Field
    locked: ClassVar[dict[str, Frozen | Text]] = {}
    HOW: ClassVar[tuple[str, ...]] = ("interface", "bootable", "active", "read_only")

    interface = choice(INTERFACES, required=True)
    bootable = switch()
    active = switch()
    read_only = switch()

    def label(self) -> None:
        for name in self.fields:
            field: Any = self.fields[name]
            field.label = FIELDS[name]

    def how(self) -> Values:
        """The arguments of the action about the attachment."""
        return {name: self.cleaned_data[name] for name in self.HOW}

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))


class DownloadForm(forms.Form):
    """In which format what is on a disk is wanted."""

    format = choice(
        (
            (DiskFormat.QCOW2.value, _("QCOW2: small, for QEMU and most others")),
            (DiskFormat.RAW.value, _("Raw: as the guest sees it, with all its gaps")),
        ),
        required=True,
    )

    def __init__(self, data: Any = None, *, row: Disk) -> None:
        super().__init__(data, initial={"format": DiskFormat.QCOW2.value})
        self.fields["format"].label = str(FIELDS["format"])
        if row.content == DiskContent.ISO:
            self.fields["format"].choices = [(DiskFormat.RAW.value, "ISO")]  # type: ignore[attr-defined]
            self.initial["format"] = DiskFormat.RAW.value

    def wish(self) -> Values:
        """The arguments of the action; people take longer than programs."""
        return {"format": self.cleaned_data["format"], "silence": 3600, "policy": TimeoutPolicy.CANCEL}

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))


class NewDiskForm(_Sized, _OnMachine):
    """A disk that is made for a machine."""

    field_order = ["name", "disk_size", "domain", "interface", "format", "sparse", "bootable"]

    name = forms.CharField(max_length=255)
    disk_size = size_field()
    domain = place(StorageDomain)
    format = choice(_FORMATS, required=True)
    sparse = switch()

    def __init__(self, data: Any = None, *, vm: VM, by: User) -> None:
        there = list(vm.disk_attachments.all())
        first = not any(one.bootable for one in there)
        super().__init__(
            data,
            initial={
                "name": f"{vm.name}_Disk{len(there) + 1}",
                "disk_size": Decimal(10),
                "sparse": True,
                "active": True,
                "bootable": first,
            },
        )
        _offer_storage(self.fields["domain"], by, vm.cluster.data_center)
        self.label()

    def wish(self) -> Values:
        """The arguments of the action about the disk."""
        said = {name: self.cleaned_data[name] for name in ("name", "domain", "format", "sparse")}
        return {**said, "size": self.size()}


class AttachForm(_OnMachine):
    """A disk that is there, for a machine."""

    field_order = ["disk", *_OnMachine.HOW]

    disk = forms.ModelChoiceField(Disk.objects.none(), widget=Options, empty_label=None)

    def __init__(self, data: Any = None, *, vm: VM, by: User) -> None:
        super().__init__(data, initial={"active": True})
        self.fields["disk"].queryset = free_disks(vm, by)  # type: ignore[attr-defined]
        self.label()


class AttachedForm(_Sized, _OnMachine):
    """A disk that a machine has, and how it has it."""

    field_order = ["name", "description", "disk_size", *_OnMachine.HOW]

    name = forms.CharField(max_length=255)
    description = forms.CharField(max_length=4000, required=False)
    disk_size = size_field()

    def __init__(self, data: Any = None, *, row: DiskAttachment) -> None:
        disk = self.sized = row.disk
        plain = {name: getattr(row, name) for name in self.HOW}
        super().__init__(
            data,
            initial={**plain, "name": disk.name, "description": disk.description, "disk_size": gib(disk.size)},
        )
        self.label()

    def columns(self) -> Values:
        """The arguments of the action about the disk."""
        return {**{name: self.cleaned_data[name] for name in ("name", "description")}, "size": self.size()}


def free_disks(vm: VM, by: User) -> Any:
    """The disks that the machine could be given."""
    rows = Disk.objects.visible_to(by, ActionGroup.ATTACH_DISK).exclude(status=DiskStatus.ILLEGAL)
    rows = rows.filter(content=DiskContent.DATA, domain__data_center=vm.cluster.data_center_id)
    free = rows.filter(attachments=None) | rows.filter(shareable=True)
    return free.exclude(attachments__vm=vm).exclude(attachments__template__isnull=False).distinct().order_by("name")


def _offer_storage(field: Any, by: User, place: DataCenter | None = None) -> None:
    rows = StorageDomain.objects.visible_to(by, ActionGroup.CREATE_DISK)
    field.queryset = rows.filter(data_center=place) if place else rows
