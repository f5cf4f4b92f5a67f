"""The dialogs of networks, vNIC profiles, pools of MAC addresses, and network cards."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.actions import nics
from vms.domain.console import Frozen
from vms.domain.errors import Refusal
from vms.domain.networks import CARD_NAME_LENGTH, MTU, NAME_LENGTH, MacRange
from vms.messages import FIELDS, Text
from vms.models import Cluster, DataCenter, Network, Template, User, VmNic
from vms.models.networks import NETWORK_KINDS, NIC_MODELS

from .fields import Field, Several, choice, number, switch, text
from .parts import Values
from .places import PlaceForm, place


class NetworkForm(PlaceForm):
    """A network of a data center: what carries it on the hosts, and which clusters it reaches."""

    fixed: ClassVar[dict[str, Text]] = {"data_center": _("A network stays in the data center that it was made in.")}

    name = forms.CharField(max_length=NAME_LENGTH)
    data_center = place(DataCenter)
    kind = choice(NETWORK_KINDS, required=True)
    source = text(64, _("For a bridge or a libvirt network that the hosts have already: its name there."))
    subnet = text(18, _("For NAT and isolated networks, like 192.168.150.0/24; empty: one that is free on the host."))
    mtu = number(*MTU, required=False, help_text=_("Empty: as the host has it."))
    clusters = forms.ModelMultipleChoiceField(Cluster.objects.none(), required=False, widget=Several)
    description = text(4000)
    comment = text(4000)

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        super().__init__(data, row=row, by=by)
        self._field("kind").label = _("Carried by")
        if row is None:
            if self._field("data_center").queryset.count() == 1:
                self.initial["clusters"] = list(self._field("clusters").queryset)
            return
        self.initial["clusters"] = list(row.clusters.all())
        self._field("clusters").queryset = self._field("clusters").queryset.filter(data_center=row.data_center)
        if row.is_management:
            self._field("name").disabled = True
            self.locked["name"] = _("It is the network that its data center needs, under this name.")

    def _field(self, name: str) -> Any:
        return self.fields[name]


class VnicProfileForm(PlaceForm):
    """A profile of a network."""

    fixed: ClassVar[dict[str, Text]] = {"network": _("A profile stays with the network that it was made for.")}

    name = forms.CharField(max_length=NAME_LENGTH)
    network = place(Network)
    public = switch()
    description = text(4000)
    comment = text(4000)

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        super().__init__(data, row=row, by=by)
        self.initial.setdefault("public", True)


class MacPoolForm(PlaceForm):
    """A pool of MAC addresses."""

    ranges = forms.CharField(
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("A range in each line: 56:6f:1a:00:00:00 - 56:6f:1a:00:ff:ff"),
    )
    allow_duplicates = switch()
    description = text(4000)

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        super().__init__(data, row=row, by=by)
        if row is not None:
            self.initial["ranges"] = "\n".join(f"{first} - {last}" for first, last in row.ranges)

    def clean_ranges(self) -> list[MacRange]:
        """The ranges that the lines name."""
        found = []
        for line in filter(None, map(str.strip, self.cleaned_data["ranges"].splitlines())):
            first, _dash, last = line.partition(" - ")
            try:
                found.append(MacRange(first.strip().lower(), (last or first).strip().lower()))
            except Refusal as no:
                raise forms.ValidationError(messages.refusal(no)) from no
        return found


class NicForm(forms.Form):
    """A network card of a machine or template."""

    bound_field_class = Field

    name = forms.CharField(max_length=CARD_NAME_LENGTH)
    profile = choice()
    model = choice(NIC_MODELS, required=True)
    mac = text(17, _("Empty: the next one of the cluster's pool."))
    linked = switch()
    plugged = switch()

    def __init__(self, data: Any = None, *, owner: Any, card: VmNic | None, by: User, name: str = "") -> None:
        self.locked: dict[str, Frozen | Text] = {}
        fresh = {"name": name, "linked": True, "plugged": True}
        kept = {name: getattr(card, name) for name in ("name", "model", "mac", "linked", "plugged")} if card else fresh
        profiles = list(nics.usable(owner.cluster, by))
        if card and card.profile and card.profile not in profiles:
            profiles.insert(0, card.profile)
        self._profiles = {str(each.pk): each for each in profiles}
        first = next(iter(self._profiles), "") if card is None else str(card.profile_id or "")
        super().__init__(data, initial={**kept, "profile": first})
        offered = [(key, str(each)) for key, each in self._profiles.items()]
        self._field("profile").choices = [("", _("No network")), *offered]
        if isinstance(owner, Template):
            del self.fields["mac"]
        for name_ in self.fields:
            self._field(name_).label = FIELDS[name_]

    def columns(self) -> Values:
        """What is chosen, as the action takes it."""
        chosen = dict(self.cleaned_data)
        chosen["profile"] = self._profiles.get(chosen["profile"])
        chosen["mac"] = chosen.get("mac", "").strip()
        return chosen

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))

    def _field(self, name: str) -> Any:
        return self.fields[name]
