"""The dialogs Clone and New Template: a machine as it is, under another name; its console goes with it."""

from functools import partial
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.domain.changes import Changes
from vms.domain.console import Frozen
from vms.domain.errors import Refusal
from vms.domain.machine import NAME_LENGTH, check_name
from vms.messages import FIELDS, Text
from vms.models import VM, ActionGroup, Template, User
from vms.models.machines import BLANK

from .fields import Field, Options, refused, switch
from .parts import Values


def bases() -> forms.ModelChoiceField:
    """A field that chooses the template to make the next version of."""
    alone = _("None: a template of its own")
    return forms.ModelChoiceField(Template.objects.none(), required=False, empty_label=alone, widget=Options)


def versionable(by: User) -> QuerySet[Template]:
    """The templates that somebody may make versions of."""
    first = Template.objects.visible_to(by, ActionGroup.EDIT_TEMPLATE_PROPERTIES).filter(base=None)
    return first.exclude(pk=BLANK).order_by("name")


class _CopyForm(forms.Form):
    """What a copy of `vm` is called and described with."""

    bound_field_class = Field
    locked: ClassVar[dict[str, Frozen | Text]] = {}

    name = forms.CharField(max_length=NAME_LENGTH)
    description = forms.CharField(max_length=4000, required=False)
    comment = forms.CharField(max_length=4000, required=False)
    accept_lockout = switch()

    def __init__(self, data: Any = None, *, vm: VM) -> None:
        super().__init__(data, initial={"description": vm.description, "comment": vm.comment})
        self.vm = vm
        for name in self.fields:
            self._field(name).label = FIELDS[name]

    def creation(self) -> Values:
        """The arguments of the action that makes the copy."""
        told = {name: self.cleaned_data[name] for name in ("description", "comment")}
        changes = Changes(attributes=told, accept_lockout=self.cleaned_data["accept_lockout"])
        return {"name": self.cleaned_data["name"], "changes": changes}

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name and (no := refused(partial(check_name, name))):
            raise ValidationError(messages.refusal(no))
        return name

    def _field(self, name: str) -> Any:
        return self.fields[name]


class CloneForm(_CopyForm):
    """A machine like another, as that is configured."""


class NewTemplateForm(_CopyForm):
    """A template of a machine, or the next version of a template, which has its name."""

    base = bases()
    version_name = forms.CharField(max_length=40, required=False)

    def __init__(self, data: Any = None, *, vm: VM, by: User) -> None:
        super().__init__(data, vm=vm)
        self._field("base").queryset = versionable(by)
        self._field("name").required = False
        self._field("name").help_text = _("A sub-version has the name of its template.")

    def creation(self) -> Values:
        chosen = {name: self.cleaned_data[name] for name in ("base", "version_name")}
        return {**super().creation(), **chosen}

    def clean(self) -> Values:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("name") and not cleaned.get("base") and not self.errors:
            self.add_error("name", _("A template of its own has to have a name."))
        return cleaned
