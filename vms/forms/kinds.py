"""What each kind of machine adds to the one form: where it inherits from, and what it is made with."""

from dataclasses import replace
from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.actions import rights
from vms.actions.templates import newest
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.machine import FROM_INSTANCE_TYPE, FROM_TEMPLATE, LINKED, MachineSpec
from vms.domain.networks import Nic
from vms.messages import Text
from vms.models import (
    VM,
    ActionGroup,
    Cluster,
    InstanceType,
    Pool,
    PoolType,
    Template,
)
from vms.models.machines import BLANK
from vms.models.pools import POOL_SIZE

from .cards import CARDS, NO_NETWORK, CardRows, posted
from .console import CONSOLE_FIELDS, OVERRIDES
from .copies import bases, versionable
from .fields import Options, choice, number, switch
from .firstboot import FirstBootFields
from .hardware import MACHINE_FIELDS, HardwareForm
from .heritage import Source, fits
from .newdisk import NEW_DISK, WithNewDisk
from .parts import Values, fields_of, plain, stored_spec

CARDS_OF: Final = "cards_of"  # the template that the rows of cards were drawn for
_GONE: Final = _("It is not there any more, or not for you to use; choose another.")


def source(model: Any, **options: Any) -> forms.ModelChoiceField:
    """A field for a row that something is made of; one that was removed meanwhile is told so."""
    told = {"invalid_choice": _GONE}
    return forms.ModelChoiceField(model.objects.none(), widget=Options, error_messages=told, **options)


class _MadeFromTemplate(HardwareForm):
    """What VM and Pool share: a cluster, a template and perhaps an instance type hand down what is not changed."""

    # Any of these, in the cluster, is enough to be offered it.
    MAKES: ClassVar[tuple[ActionGroup, ...]]

    made_of: Template
    sized_as: InstanceType | None

    cluster = source(Cluster, empty_label=None)
    template = source(Template, empty_label=None)
    instance_type = source(InstanceType, required=False, empty_label=_("Custom"))
    use_latest_version = switch()

    def offer_sources(self) -> None:
        # Sizes belong to nobody: whoever may make a machine may choose any.
        self._field("instance_type").queryset = InstanceType.objects.all()
        self.initial.setdefault("use_latest_version", self.row.use_latest_version)  # type: ignore[attr-defined]
        if self.is_new:
            self._offer_all()
        else:
            self._offer_versions()

    def inherited(self) -> MachineSpec:
        row: Any = self.row
        self.made_of = self.chosen("template", None) or (self._blank() if self.is_new else row.template)
        self.sized_as = self._linked()
        spec = stored_spec(row)
        if self.is_new or self.made_of != row.template:
            spec = spec.inherit(self.made_of.spec_in(self.row.cluster_firmware), FROM_TEMPLATE)
        elif self.sized_as == row.instance_type:
            return spec
        return spec.inherit(self.sized_as.spec, FROM_INSTANCE_TYPE) if self.sized_as else spec

    def ancestors(self) -> tuple[Source, ...]:
        handed = self.made_of.spec_in(self.row.cluster_firmware)
        sources = [Source(_("template %(name)s") % {"name": self.made_of}, handed, FROM_TEMPLATE)]
        if self.made_of.built_in:
            cluster = getattr(self.row, "cluster", None)
            sources.append(Source(_("cluster %(name)s") % {"name": cluster}, handed, ("firmware",)))
        if self.sized_as is not None:
            named = _("instance type %(name)s") % {"name": self.sized_as}
            sources.append(Source(named, self.sized_as.spec, FROM_INSTANCE_TYPE))
        return tuple(sources)

    def settle(self) -> None:
        """Another size makes the instance type Custom, and its own size links it again."""
        size = [name for name in fields_of(LINKED) if name in self.fields]
        kept = self.sized_as is None or fits(self.values, self.heirlooms, size)
        pk = str(self.sized_as.pk) if self.sized_as else ""
        shown = pk if kept else ""
        self.before = replace(self.before, linked=shown, left=pk if shown != pk else "")
        self.initial["instance_type"] = shown or None
        if self.is_bound and plain(self._raw("instance_type")) in {"", pk}:
            self._put("instance_type", shown)

    @property
    def left(self) -> InstanceType | None:
        """The instance type that the dialog has left because of its size."""
        return self.sized_as if self.before.left else None

    def extra_attributes(self) -> Values:
        latest = {"use_latest_version": self.cleaned_data["use_latest_version"]}
        if self.is_new:
            return latest
        return {**latest, "template": self.cleaned_data["template"], "instance_type": self.sized_as}

    def sources(self) -> Values:
        # The action makes it Custom by the same rule, and inherits from it what the dialog has shown.
        named = {name: self.cleaned_data[name] for name in ("cluster", "template")}
        return {**named, "instance_type": self.sized_as}

    def _linked(self) -> InstanceType | None:
        """The instance type that counts: the chosen one, or the one that another size alone has made Custom."""
        row: Any = self.row
        chosen: InstanceType | None = self.chosen("instance_type", None if self.is_new else row.instance_type)
        if chosen or not self.before.left:
            return chosen
        return InstanceType.objects.filter(pk=self.before.left).first()

    def _offer_all(self) -> None:
        clusters = Cluster.objects.visible_to(self.by, *self.MAKES).select_related("data_center")
        templates = Template.objects.visible_to(self.by) | Template.objects.filter(pk=BLANK)
        self._field("cluster").queryset = clusters
        self._field("template").queryset = templates.order_by("name", "version_number")
        cluster = self.chosen("cluster", None) or clusters.first()
        if cluster is not None:
            self.row.cluster = cluster  # type: ignore[attr-defined]
        # An address may name sources; one that is not there counts as not named.
        template, instance_type = self.chosen("template", None), self.chosen("instance_type", None)
        self.initial["cluster"] = cluster.pk if cluster else None
        self.initial["template"] = template.pk if template else BLANK
        self.initial["instance_type"] = instance_type.pk if instance_type else None

    def _offer_versions(self) -> None:
        del self.fields["cluster"]
        row: Any = self.row
        base = row.template.base_id or row.template_id
        self._field("template").queryset = Template.objects.filter(pk=base) | Template.objects.filter(base=base)
        self.initial.setdefault("template", row.template_id)
        self.initial.setdefault("instance_type", row.instance_type_id)

    def _blank(self) -> Template:
        return Template.objects.get(pk=BLANK)


THIN: Final = "thin"
ALLOCATIONS: Final = ((THIN, _("Thin: on the template's disks")), ("clone", _("Clone: a full copy of them")))


class VMForm(WithNewDisk, FirstBootFields, _MadeFromTemplate):
    """A virtual machine; one that belongs to a pool is changed there."""

    MAKES = rights.MAKING_SIZED

    stateless = switch()
    allocation = choice(ALLOCATIONS, required=False)

    def offer_sources(self) -> None:
        super().offer_sources()
        self._draw_first_boot()
        self.initial.setdefault("stateless", self.row.stateless)  # type: ignore[attr-defined]
        if not self.is_new:
            for name in ("allocation", *NEW_DISK):
                del self.fields[name]
            return
        self.offer_disk(self.by, getattr(self.row, "cluster", None))
        self._offer_cards()
        self.initial.setdefault("allocation", THIN)
        if not (self.chosen("template", None) or self._blank()).disk_document:
            self.locked["allocation"] = _("The template has no disk.")

    def extra_attributes(self) -> Values:
        return {**super().extra_attributes(), "stateless": self.cleaned_data["stateless"], **self._first_boot()}

    def nics(self) -> tuple[Nic, ...]:
        if not self.is_new:
            return super().nics()
        return self._cards.described({name: self[name].value() for name in CARDS if name in self.fields})

    def sources(self) -> Values:
        clone = self.cleaned_data.get("allocation") == "clone"
        own = {"cards": self._cards.chosen(self.cleaned_data), "new_disks": self.new_disks()}
        return {**super().sources(), "clone": clone, **own}

    def _offer_cards(self) -> None:
        """A row for each card; those of another template begin anew."""
        template = self.chosen("template", None) or self._blank()
        self._cards = CardRows(template, getattr(self.row, "cluster", None), self.by)
        told: Any = self.data if self.is_bound else self.given
        said = posted(told, self.add_prefix if self.is_bound else str)
        fresh = said is None or told.get(self.add_prefix(CARDS_OF) if self.is_bound else CARDS_OF) != str(template.pk)
        offered = [(key, str(each)) for key, each in self._cards.profiles.items()]
        choices = [("", _("None")), (NO_NETWORK, _("No network")), *offered]
        for name, value in self._cards.drawn(self._cards.inherited() if fresh or said is None else said).items():
            self.fields[name], self.initial[name] = choice(choices), value
            if self.is_bound:
                self._put(name, value)
        self.fields[CARDS_OF] = forms.CharField(widget=forms.HiddenInput, required=False)
        self.initial[CARDS_OF] = str(template.pk)
        if self.is_bound:
            self._put(CARDS_OF, str(template.pk))

    def fixed(self) -> dict[str, Text]:
        pool = self.row.pool if isinstance(self.row, VM) else None
        if pool is None:
            return {} if self.is_new else self._not_for_everybody()
        told = messages.refusal(Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(pool)))
        own = ("template", "instance_type", "use_latest_version", "stateless")
        return dict.fromkeys((*MACHINE_FIELDS, *own), told)

    def _not_for_everybody(self) -> dict[str, Text]:
        """What takes another right than the rest of a machine does, for whoever does not hold it."""
        told: dict[str, Text] = {}
        for part, group in rights.OF_PARTS.items():
            if not rights.may(self.by, group, self.row):
                no = Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", part, permit=group.value)
                told |= dict.fromkeys(fields_of((part,)), messages.refusal(no))
        return told


class PoolForm(_MadeFromTemplate):
    """A pool: how many machines it has, what becomes of them, and whether an edit reaches those that are there."""

    LACKS = frozenset({"high_availability", "priority", "watchdog_action"})
    MAKES = (ActionGroup.CREATE_VM_POOL,)
    OWN: ClassVar[tuple[str, ...]] = ("pool_type", "stateful", "max_user_vms", "prestarted_vms")

    size = number(*POOL_SIZE)
    pool_type = choice(PoolType.choices, required=True)
    stateful = switch()
    max_user_vms = number(*POOL_SIZE)
    prestarted_vms = number(
        0, POOL_SIZE[1], help_text=_("So many that nobody has taken are kept running, to be had at once.")
    )
    apply_to_existing = switch()

    def fixed(self) -> dict[str, Text]:
        if self.is_new:
            return {}
        pool = {"pool": self.row.name}
        return {
            "pool_type": messages.sentence("VM_POOL_CANNOT_CHANGE_POOL_TYPE", pool),
            "stateful": messages.sentence("VM_POOL_CANNOT_CHANGE_POOL_STATEFUL_OPTION", pool),
        }

    def offer_sources(self) -> None:
        super().offer_sources()
        for name in self.OWN:
            self.initial.setdefault(name, getattr(self.row, name))
        self.initial.setdefault("size", 1 if self.is_new else self.row.size)  # type: ignore[attr-defined]
        if self.is_new:
            del self.fields["apply_to_existing"]

    def extra_attributes(self) -> Values:
        own = (*self.OWN, *(() if self.is_new else ("size",)))
        return {**super().extra_attributes(), **{name: self.cleaned_data[name] for name in own}}

    def sources(self) -> Values:
        return {**super().sources(), "size": self.cleaned_data["size"]}

    def changes(self) -> Changes:
        existing = not self.is_new and self.cleaned_data["apply_to_existing"]
        return replace(super().changes(), apply_to_existing=existing)

    def clean(self) -> Values:
        cleaned = super().clean()
        asked = OVERRIDES not in self.locked and "spice_proxy" not in self.locked
        if asked and cleaned.get(OVERRIDES) and not cleaned.get("spice_proxy"):
            self.add_error("spice_proxy", _("An address is needed here to override the proxy."))
        return cleaned


class TemplateForm(FirstBootFields, HardwareForm):
    """A template, or the next version of one; its cluster is chosen when it is made, and the built-in one keeps its
    name."""

    base = bases()
    cluster = source(Cluster, required=False)
    version_name = forms.CharField(max_length=40, required=False)

    def fixed(self) -> dict[str, Text]:
        if isinstance(self.row, Template) and self.row.base_id:
            return {"name": _("A sub-version has the name of its template.")}
        if not isinstance(self.row, Template) or not self.row.built_in:
            return {}
        no = Refusal("ACTION_TYPE_FAILED_OBJECT_IS_BUILT_IN", "name", name=self.row.name)
        return {"name": messages.refusal(no)}

    def offer_sources(self) -> None:
        row: Any = self.row
        self.initial.setdefault("version_name", row.version_name)
        self._draw_first_boot()
        if not self.is_new:
            del self.fields["cluster"], self.fields["base"]
            return
        self._field("base").queryset = versionable(self.by)
        self._field("cluster").queryset = Cluster.objects.visible_to(self.by, ActionGroup.CREATE_TEMPLATE)
        base = self.chosen("base", None)
        row.cluster = self.chosen("cluster", base.cluster if base else None)
        if base:
            row.name, self.locked["name"] = base.name, _("A sub-version has the name of its template.")

    def inherited(self) -> MachineSpec:
        base = self.chosen("base", None) if self.is_new else None
        return newest(base).spec if base else super().inherited()

    def extra_attributes(self) -> Values:
        return {"version_name": self.cleaned_data["version_name"], **self._first_boot()}

    def sources(self) -> Values:
        return {name: self.cleaned_data[name] for name in ("cluster", "base")}


class InstanceTypeForm(HardwareForm):
    """An instance type: a size with a console, and nothing that it does not hand down."""

    LACKS = frozenset(
        {
            *(set(MACHINE_FIELDS) - {"name", *fields_of(FROM_INSTANCE_TYPE), *CONSOLE_FIELDS}),
            # What the instance type's dialog lacks in oVirt, too (user-interface.md 1.3).
            *("keyboard", "disconnect_action", "disconnect_delay", "sso", "allow_reconnect", OVERRIDES, "spice_proxy"),
            *("file_transfer", "copy_paste"),
        }
    )


FORMS: dict[type, type[HardwareForm]] = {
    VM: VMForm,
    Template: TemplateForm,
    Pool: PoolForm,
    InstanceType: InstanceTypeForm,
}
