"""The dialogs of affinity groups and labels, and of what a machine or host belongs to."""

from typing import Any, ClassVar, Final
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.domain.affinity import NAME_LENGTH, PRIORITY
from vms.domain.console import Frozen
from vms.domain.errors import Refusal
from vms.messages import FIELDS, Text
from vms.models import VM, AffinityGroup, AffinityLabel, Cluster, Host, User
from vms.models.affinity import POLARITIES

from .fields import Field, Several, choice, switch, text
from .parts import Values
from .places import PlaceForm, place

SHOWN: Final = 300  # boxes of one field; what is beyond is reached from the other side


def several(model: Any) -> forms.ModelMultipleChoiceField:
    """A box for each of several rows."""
    return forms.ModelMultipleChoiceField(model.objects.none(), required=False, widget=Several)


def offer(form: Any, name: str, rows: Any, held: Any = ()) -> None:
    """Offer the rows in a field of boxes: those that are held, and the first of the others."""
    field = form.fields[name]
    keys = [row.pk for row in held]
    first = list(rows.exclude(pk__in=keys).order_by("name").values_list("pk", flat=True)[: SHOWN + 1])
    if len(first) > SHOWN:
        field.help_text = _("Only the first %(count)s are offered here; others choose it on their own page.") % {
            "count": SHOWN
        }
    field.queryset = rows.filter(pk__in=[*keys, *first[:SHOWN]]).order_by("name")


class AffinityGroupForm(PlaceForm):
    """An affinity group of a cluster."""

    fixed: ClassVar[dict[str, Text]] = {"cluster": _("A group stays in the cluster that it was made in.")}
    folded: ClassVar[tuple[tuple[Text, tuple[str, ...]], ...]] = (
        (_("Virtual Machines"), ("vms_rule", "vms_enforcing", "vms", "vm_labels")),
        (_("Hosts"), ("hosts_rule", "hosts_enforcing", "hosts", "host_labels")),
    )

    name = forms.CharField(max_length=NAME_LENGTH)
    cluster = place(Cluster)
    description = text(4000)
    priority = forms.FloatField(
        min_value=PRIORITY[0],
        max_value=PRIORITY[1],
        help_text=_("Where rules that are not enforced contradict each other, the higher priority weighs more."),
    )
    vms_rule = choice(POLARITIES, required=True)
    vms_enforcing = switch()
    hosts_rule = choice(POLARITIES, required=True)
    hosts_enforcing = switch()
    vms = several(VM)
    hosts = several(Host)
    vm_labels = several(AffinityLabel)
    host_labels = several(AffinityLabel)

    def __init__(self, data: Any = None, *, row: Any, by: User, cluster: str = "") -> None:
        super().__init__(data, row=row, by=by)
        self._field("hosts").label = FIELDS["affinity_hosts"]
        self._field("vms_rule").help_text = _("Positive: on one host. Negative: each on another host.")
        self._field("hosts_rule").help_text = _("Positive: on these hosts alone. Negative: on any but these.")
        for name in ("vms_enforcing", "hosts_enforcing"):
            self._field(name).help_text = _("Enforcing: never otherwise. Else: where that is possible.")
            self.initial.setdefault(name, True)
        self.initial.setdefault("priority", 1.0)
        chosen = row.cluster if row else self._cluster((data or {}).get("cluster") or cluster)
        if chosen is not None:
            self.initial.setdefault("cluster", chosen.pk)
        for name in ("vms", "hosts", "vm_labels", "host_labels"):
            rows = self._field(name).queryset
            if name in {"vms", "hosts"}:
                rows = rows.filter(cluster=chosen)
            held = list(getattr(row, name).all()) if row else []
            self.initial[name] = held
            offer(self, name, rows, held)

    def _cluster(self, key: str) -> Cluster | None:
        """The cluster that is meant; the first one where nobody says."""
        clusters = self._field("cluster").queryset
        try:
            found: Cluster | None = clusters.filter(pk=UUID(key)).first()
        except ValueError:
            found = None
        return found or clusters.first()

    def _field(self, name: str) -> Any:
        return self.fields[name]


class AffinityLabelForm(PlaceForm):
    """An affinity label."""

    name = forms.CharField(max_length=50)
    implicit = forms.BooleanField(
        required=False, help_text=_("It ties its machines to its hosts by itself, without an affinity group.")
    )
    vms = several(VM)
    hosts = several(Host)

    def __init__(self, data: Any = None, *, row: Any, by: User) -> None:
        super().__init__(data, row=row, by=by)
        for name, label in (("vms", FIELDS["vms"]), ("hosts", FIELDS["affinity_hosts"])):
            field: Any = self.fields[name]
            field.label = label
            held = list(getattr(row, name).all()) if row else []
            self.initial[name] = held
            offer(self, name, field.queryset, held)


class BelongForm(forms.Form):
    """The affinity groups and labels of a machine or host."""

    bound_field_class = Field
    locked: ClassVar[dict[str, Frozen | Text]] = {}

    affinity_groups = forms.ModelMultipleChoiceField(
        AffinityGroup.objects.none(), required=False, widget=Several, label=_("Affinity Groups")
    )
    affinity_labels = forms.ModelMultipleChoiceField(
        AffinityLabel.objects.none(), required=False, widget=Several, label=_("Affinity Labels")
    )

    def __init__(self, data: Any = None, *, row: VM | Host, by: User) -> None:
        groups, labels = list(row.affinity_groups.all()), list(row.affinity_labels.all())
        super().__init__(data, initial={"affinity_groups": groups, "affinity_labels": labels})
        offer(self, "affinity_groups", AffinityGroup.objects.visible_to(by).filter(cluster=row.cluster_id), groups)
        offer(self, "affinity_labels", AffinityLabel.objects.visible_to(by), labels)

    def wish(self) -> Values:
        """What is chosen, as the action takes it."""
        return {name.removeprefix("affinity_"): list(rows) for name, rows in self.cleaned_data.items()}

    def refuse(self, no: Refusal) -> None:
        """Show a refusal above the form."""
        self.add_error(None, messages.refusal(no))
