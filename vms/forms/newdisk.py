"""The disk that a new machine gets in the same dialog."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from vms.models import ActionGroup, StorageDomain, StorageStatus

from .fields import Options, choice
from .parts import Values
from .sizes import INTERFACES, in_bytes, size_field

NEW_DISK = ("disk_size", "disk_domain", "disk_interface")


class WithNewDisk(forms.Form):
    """A size, a storage domain and an interface; without a size there is no disk."""

    disk_size = size_field(required=False)
    disk_domain = forms.ModelChoiceField(
        StorageDomain.objects.none(), required=False, widget=Options, empty_label=_("the one with the most room")
    )
    disk_interface = choice(INTERFACES)

    def offer_disk(self, by: Any, cluster: Any) -> None:
        """Offer the storage that the person may create disks on, the roomiest first."""
        domains = StorageDomain.objects.visible_to(by, ActionGroup.CREATE_DISK).order_by("-available")
        size, domain = self.fields["disk_size"], self.fields["disk_domain"]
        domain.queryset = domains.filter(data_center=cluster.data_center) if cluster else domains  # type: ignore[attr-defined]
        size.help_text = _("In GiB; empty for a machine without a disk of its own.")

    def clean(self) -> Values:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("disk_size") and not cleaned.get("disk_domain") and not self._roomiest():
            self.add_error("disk_size", _("There is no active storage domain that you may create disks on."))
        return cleaned

    def new_disks(self) -> list[Values]:
        """The wishes for the action that makes the machine."""
        size = self.cleaned_data.get("disk_size")
        if not size:
            return []
        how = {"interface": self.cleaned_data["disk_interface"] or INTERFACES[0][0]}
        return [{"domain": self.cleaned_data["disk_domain"] or self._roomiest(), "size": in_bytes(size), "how": how}]

    def _roomiest(self) -> StorageDomain | None:
        rows: Any = self.fields["disk_domain"]
        found: StorageDomain | None = rows.queryset.filter(status=StorageStatus.ACTIVE).first()
        return found
