"""The dialogs of data centers, clusters and hosts."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.actions.hosts import AUTO
from vms.domain.console import Frozen
from vms.domain.errors import Refusal
from vms.domain.runonce import LOOPBACK
from vms.messages import FIELDS, Text
from vms.models import Cluster, DataCenter, User
from vms.models.choices import FIRMWARES

from .fields import Field, Options, choice
from .parts import Values

_LEVELS: Any = Cluster._meta.get_field("level").choices


def place(model: Any) -> forms.ModelChoiceField:
    """A field for what something is in."""
    return forms.ModelChoiceField(model.objects.none(), widget=Options, empty_label=None)


class PlaceForm(forms.Form):
    """What a place is called, described with, and in what it is; `row` is None for a new one."""

    bound_field_class = Field
    # Attributes of the row that stay as they were chosen first, with the reason.
    fixed: ClassVar[dict[str, Text]] = {}
    # Fields under a heading of their own, which most people never open.
    folded: ClassVar[tuple[tuple[Text, tuple[str, ...]], ...]] = ()

    name = forms.CharField(max_length=255)

    def __init__(self, data: Any = None, *, row: Any, by: User, files: Any = None) -> None:
        self.row, self.locked = row, dict[str, Frozen | Text]()
        super().__init__(data, files, initial={name: getattr(row, name) for name in self.base_fields} if row else None)
        for name in self.fields:
            field: Any = self.fields[name]
            field.label = FIELDS[name]
            if hasattr(field, "queryset"):
                field.queryset = field.queryset.model.objects.visible_to(by)
            if row is not None and (reason := self.why_fixed(name)):
                field.disabled, self.locked[name] = True, reason

    @property
    def groups(self) -> list[tuple[Text, bool, list[Any]]]:
        """The fields as the dialog shows them: those under no heading first; whether a heading is open."""
        grouped = {name for _heading, names in self.folded for name in names}
        plain = ("", True, [self[name] for name in self.fields if name not in grouped])
        return [
            plain,
            *((heading, self._told(names), [self[name] for name in names]) for heading, names in self.folded),
        ]

    def _told(self, names: tuple[str, ...]) -> bool:
        """Whether any of the fields says something that it would not say of itself, or is wrong."""
        return any(self[name].errors or self[name].value() not in ("", None, False, LOOPBACK) for name in names)

    def why_fixed(self, name: str) -> Text:
        """Why a field of a place that is there already cannot be changed; empty for one that can."""
        return self.fixed.get(name, "")

    def columns(self) -> Values:
        """The arguments of the action beside the name and the row."""
        return {name: value for name, value in self.cleaned_data.items() if name not in self.locked}

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))


class DataCenterForm(PlaceForm):
    """A data center."""

    description = forms.CharField(max_length=4000, required=False)
    comment = forms.CharField(max_length=4000, required=False)


class ClusterForm(PlaceForm):
    """A cluster of a data center."""

    fixed: ClassVar[dict[str, Text]] = {"data_center": _("A cluster stays in the data center that it was made in.")}

    data_center = place(DataCenter)
    level = choice(_LEVELS, required=True)
    firmware = choice(FIRMWARES, required=True)
    description = forms.CharField(max_length=4000, required=False)
    comment = forms.CharField(max_length=4000, required=False)

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        super().__init__(data, row=row, by=by)
        self.initial.setdefault("level", _LEVELS[-1][0])
        self.fields["firmware"].help_text = _("What machines are made with that have no template of their own.")


class HostForm(PlaceForm):
    """A host of a cluster, by the address of its libvirt."""

    folded: ClassVar[tuple[tuple[Text, tuple[str, ...]], ...]] = (
        (
            _("Viewers on other machines"),
            ("console_listen", "console_address", "console_tls", "console_authority", "console_subject"),
        ),
    )

    cluster = place(Cluster)
    uri = forms.CharField(
        max_length=255,
        help_text=_(
            "qemu+ssh://root@host/system for another machine, qemu:///system for this one; auto leaves it to the "
            "engine's settings."
        ),
    )
    migration_address = forms.CharField(
        max_length=255,
        required=False,
        help_text=_("Where other hosts reach it when a machine moves here; empty for the one in the address above."),
    )
    comment = forms.CharField(max_length=4000, required=False)
    console_listen = forms.CharField(
        max_length=45,
        required=False,
        help_text=_(
            "127.0.0.1 keeps screens closed to viewers elsewhere; 0.0.0.0 or an address of the host lets in whoever "
            "has a valid ticket. It holds for machines that start afterwards."
        ),
    )
    console_address = forms.CharField(
        max_length=255, required=False, help_text=_("The name or address that viewers are told.")
    )
    console_tls = forms.BooleanField(
        required=False,
        help_text=_("SPICE by TLS alone; the host's qemu.conf must have spice_tls = 1 and its certificates."),
    )
    console_authority = forms.CharField(
        max_length=20_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=_("Told to viewers, so that they know the host's certificate; PEM."),
    )
    console_subject = forms.CharField(
        max_length=255, required=False, help_text=_("Of that certificate, where it is not the address above.")
    )

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        super().__init__(data, row=row, by=by)
        self.initial.setdefault("console_listen", LOOPBACK)
        self.initial.setdefault("uri", "qemu+ssh://root@")

    def why_fixed(self, name: str) -> Text:
        if name == "cluster" and not self.row.maintenance:
            return _("The cluster can be changed in maintenance alone.")
        if name == "uri" and self.row.uri == AUTO:
            return _("The engine's settings choose the hypervisor.")
        if name == "uri" and not self.row.maintenance:
            return _("The address can be changed in maintenance alone.")
        return super().why_fixed(name)
