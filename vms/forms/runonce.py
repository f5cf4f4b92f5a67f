"""The dialog Run Once: everything stays as configured unless it is chosen otherwise, for one run."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.domain.console import KEYBOARD_LAYOUTS, Frozen, Offer
from vms.domain.errors import Refusal
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.messages import FIELDS, Text
from vms.models import VM

from .fields import Field, Radios, choice, refused, switch

_SERIAL: Final = {"": None, "on": True, "off": False}


class RunOnceForm(forms.Form):
    """What one run of `vm` does otherwise; `console` preselects a choice where it is offered."""

    bound_field_class = Field
    locked: ClassVar[dict[str, Frozen | Text]] = {}

    console = forms.ChoiceField(
        choices=[
            (ConsoleChoice.AS_CONFIGURED.value, _("As configured")),
            (ConsoleChoice.HEADLESS.value, _("Headless")),
            (ConsoleChoice.VNC.value, "VNC"),
            (ConsoleChoice.SPICE.value, "SPICE"),
            (ConsoleChoice.SPICE_AND_VNC.value, "SPICE + VNC"),
        ],
        initial=ConsoleChoice.AS_CONFIGURED.value,
        widget=Radios,
    )
    keyboard = choice([("", _("As configured")), *((layout, layout) for layout in KEYBOARD_LAYOUTS)])
    serial = choice([("", _("As configured")), ("on", _("On")), ("off", _("Off"))])
    start_paused = switch()
    volatile = switch()

    def __init__(self, data: Any = None, *, vm: VM, console: str = "") -> None:
        super().__init__(data, initial={"start_paused": vm.start_paused})
        self.vm = vm
        for name in self.fields:
            self._field(name).label = messages.CHANGES["serial"] if name == "serial" else FIELDS[name]
        self.fields["keyboard"].help_text = _("Used where this run has VNC.")
        self.fields["volatile"].help_text = _("A reboot then starts the virtual machine again as it is configured.")
        not_offered = self._not_offered()
        self._field("console").widget.refused = not_offered
        if console in {each.value for each in ConsoleChoice} - set(not_offered):
            self.initial["console"] = console

    def overlay(self) -> Callable[[MachineSpec, Offer], RunOnce]:
        """What lies over the machine for this run, built from the machine as it is when the run begins."""
        chosen = self.cleaned_data

        def lay(spec: MachineSpec, offer: Offer) -> RunOnce:
            return RunOnce.choose(
                ConsoleChoice(chosen["console"]),
                spec,
                offer,
                keyboard=chosen["keyboard"] or None,
                serial=_SERIAL[chosen["serial"]],
                start_paused=chosen["start_paused"] if chosen["start_paused"] != spec.start_paused else None,
                volatile=chosen["volatile"],
            )

        return lay

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error("console" if no.field in {"protocol", "video_type"} else None, messages.refusal(no))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and (no := refused(lambda: self.overlay()(self.vm.spec, self.vm.offer()))):
            self.refuse(no)
        return cleaned

    def _not_offered(self) -> dict[str, str]:
        spec, offer = self.vm.spec, self.vm.offer()
        attempts = {each.value: refused(partial(RunOnce.choose, each, spec, offer)) for each in ConsoleChoice}
        return {value: messages.refusal(no) for value, no in attempts.items() if no}

    def _field(self, name: str) -> Any:
        return self.fields[name]
