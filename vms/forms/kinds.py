"""What each kind of machine adds to the one form: where it inherits from, and what it is made with."""

from dataclasses import replace
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.actions import rights
from vms.actions.templates import newest
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.machine import FROM_INSTANCE_TYPE, FROM_TEMPLATE, MachineSpec
from vms.messages import Text
from vms.models import VM, ActionGroup, Cluster, InstanceType, Pool, PoolType, Template
from vms.models.machines import BLANK, POOL_SIZE

from .copies import bases, versionable
from .fields import Options, choice, number, switch
from .hardware import MACHINE_FIELDS, HardwareForm, Values, stored_spec


class _MadeFromTemplate(HardwareForm):
    """What VM and Pool share: a cluster, a template and perhaps an instance type hand down what is not changed."""

    # Any of these, in the cluster, is enough to be offered it.
    MAKES: ClassVar[tuple[ActionGroup, ...]]

    cluster = forms.ModelChoiceField(Cluster.objects.none(), empty_label=None, widget=Options)
    template = forms.ModelChoiceField(Template.objects.none(), empty_label=None, widget=Options)
    instance_type = forms.ModelChoiceField(
        InstanceType.objects.none(), required=False, empty_label=_("Custom"), widget=Options
    )

    def offer_sources(self) -> None:
        # Sizes belong to nobody: whoever may make a machine may choose any.
        self._field("instance_type").queryset = InstanceType.objects.all()
        if self.is_new:
            self._offer_all()
        else:
            self._offer_versions()

    def inherited(self) -> MachineSpec:
        row: Any = self.row
        template = self.chosen("template", None) or (self._blank() if self.is_new else row.template)
        instance_type = self.chosen("instance_type", None if self.is_new else row.instance_type)
        spec = stored_spec(row)
        if self.is_new or template != row.template:
            spec = spec.inherit(template.spec, FROM_TEMPLATE)
            return spec.inherit(instance_type.spec, FROM_INSTANCE_TYPE) if instance_type else spec
        if instance_type and instance_type != row.instance_type:
            return spec.inherit(instance_type.spec, FROM_INSTANCE_TYPE)
        return spec

    def extra_attributes(self) -> Values:
        return {} if self.is_new else {name: self.cleaned_data[name] for name in ("template", "instance_type")}

    def sources(self) -> Values:
        return {name: self.cleaned_data[name] for name in ("cluster", "template", "instance_type")}

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


class VMForm(_MadeFromTemplate):
    """A virtual machine; one that belongs to a pool is changed there."""

    MAKES = rights.MAKING_SIZED

    def fixed(self) -> dict[str, Text]:
        pool = self.row.pool if isinstance(self.row, VM) else None
        if pool is None:
            return {}
        told = messages.refusal(Refusal("ACTION_TYPE_FAILED_VM_IN_POOL", None, pool=str(pool)))
        return dict.fromkeys((*MACHINE_FIELDS, "template", "instance_type"), told)


class PoolForm(_MadeFromTemplate):
    """A pool: how many machines it has, what becomes of them, and whether an edit reaches those that are there."""

    LAYOUT = (
        *HardwareForm.LAYOUT[:2],
        ("type", _("Type"), (("", ("pool_type", "stateful", "max_user_vms", "use_latest_version")),)),
        *HardwareForm.LAYOUT[2:],
    )
    MAKES = (ActionGroup.CREATE_VM_POOL,)
    OWN: ClassVar[tuple[str, ...]] = ("pool_type", "stateful", "max_user_vms", "use_latest_version")

    size = number(*POOL_SIZE)
    pool_type = choice(PoolType.choices, required=True)
    stateful = switch()
    max_user_vms = number(*POOL_SIZE)
    use_latest_version = switch()
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


class TemplateForm(HardwareForm):
    """A template, or the next version of one; its cluster is chosen when it is made, and the built-in one keeps its
    name."""

    base = bases()
    cluster = forms.ModelChoiceField(Cluster.objects.none(), required=False, widget=Options)
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
        return {"version_name": self.cleaned_data["version_name"]}

    def sources(self) -> Values:
        return {name: self.cleaned_data[name] for name in ("cluster", "base")}


class InstanceTypeForm(HardwareForm):
    """An instance type; of what it shares with a template it hands down memory, CPUs and console alone."""


FORMS: dict[type, type[HardwareForm]] = {
    VM: VMForm,
    Template: TemplateForm,
    Pool: PoolForm,
    InstanceType: InstanceTypeForm,
}
