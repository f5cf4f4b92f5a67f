"""The dialog Migrate: a host that is chosen by hand, or by placement."""

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms import messages
from vms.actions import migration
from vms.domain.console import Frozen
from vms.domain.errors import Refusal
from vms.messages import Text
from vms.models import VM, Host

from .fields import Field, Radios

ANY = ""


class MigrateForm(forms.Form):
    """Where a running machine goes on; hosts that cannot have it say why."""

    bound_field_class = Field
    locked: ClassVar[dict[str, Frozen | Text]] = {}

    host = forms.ChoiceField(widget=Radios, required=False, label=gettext_lazy("Destination host"))
    together = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, vm: VM) -> None:
        super().__init__(data, initial={"host": ANY})
        self.vm = vm
        self.found = migration.destinations(vm)
        companions = migration.companions(vm)
        if companions:
            names = ", ".join(each.name for each in companions)
            self.fields["together"].label = _("Move %(names)s with it") % {"names": names}
            self.fields["together"].help_text = _("Affinity keeps them on one host; alone it may not leave.")
        else:
            del self.fields["together"]
        able = [each for each in self.found if each.why_not is None]
        # Together they may go where it may not go alone.
        self.why_nowhere = "" if able or companions else _("There is no host that it could move to at present.")
        field: Any = self.fields["host"]
        chosen = [(ANY, _("Chosen automatically: %(host)s") % {"host": _told(able[0])})] if able else []
        field.choices = chosen + [(str(each.host.pk), _told(each)) for each in self.found]
        if companions and not able:
            field.choices = [(ANY, _("Chosen automatically")), *field.choices]
        else:
            field.widget.refused = {
                str(each.host.pk): messages.refusal(each.why_not) for each in self.found if each.why_not is not None
            }

    @property
    def to(self) -> Host | None:
        """The host that was chosen; None leaves it to placement."""
        chosen = self.cleaned_data["host"]
        return next((each.host for each in self.found if each.host.pk == UUID(chosen)), None) if chosen else None

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))


def _told(each: migration.Destination) -> str:
    if each.left is None:
        return each.host.name
    return _("%(host)s (%(left)s MiB left)") % {"host": each.host.name, "left": max(0, each.left)}
