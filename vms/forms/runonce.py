"""The dialog Run Once: it shows the machine as it is configured, and what is chosen otherwise holds for one run."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Final

from django import forms
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.actions import access, initial
from vms.domain.access import Cure
from vms.domain.console import KEYBOARD_LAYOUTS, SPICE, VNC, Console, Frozen, Offer
from vms.domain.errors import Refusal
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.messages import Text
from vms.models import VM, HostStatus
from vms.models.choices import BOOT_ORDERS

from . import offered
from .declared import in_order, property_fields
from .fields import Field, Radios, Section, Several, choice, refused, switch, text
from .parts import PARTS, PROPERTY_FIELDS, Values, plain, values_of

_SERIAL: Final = {"": None, "on": True, "off": False}
_PARTS: Final = frozenset(
    {"boot_order", "boot", "cpu_model", "emulated_machine", "hosts", "custom_properties", "start_paused"}
)
# Field of the dialog → field of the overlay, by the name that the console has it under.
_CONSOLE: Final = {"keyboard": "keyboard", "file_transfer": "wants_file_transfer", "copy_paste": "wants_copy_paste"}

_CURED: Final[dict[str, Values]] = {
    Cure.ENABLE_SERIAL: {"serial": "on"},
    Cure.RUN_ONCE_WITH_VNC: {"console": ConsoleChoice.VNC.value},
}

# Key, heading and fields of each group; the first one is open, the others are when something in them is refused.
GROUPS: Final = (
    ("console", _("Console"), ("console", "keyboard", "file_transfer", "copy_paste", "serial")),
    ("boot", _("Boot Options"), ("boot_devices", "boot_menu", "cd", "start_paused", "stateless")),
    ("linux", _("Linux Boot Options"), ("kernel", "initrd", "parameters")),
    ("initial", _("Initial Run"), ("initialize",)),
    ("system", _("System"), ("cpu_model", "emulated_machine")),
    ("host", _("Host"), ("hosts",)),
    ("properties", _("Custom Properties"), PROPERTY_FIELDS),
)


class RunOnceForm(forms.Form):
    """What one run of `vm` does otherwise; `console` preselects a choice where it is offered."""

    bound_field_class = Field

    console = forms.ChoiceField(
        choices=[
            (ConsoleChoice.AS_CONFIGURED.value, _("As configured")),
            (ConsoleChoice.HEADLESS.value, _("Headless")),
            (ConsoleChoice.VNC.value, "VNC"),
            (ConsoleChoice.SPICE.value, "SPICE"),
            (ConsoleChoice.SPICE_AND_VNC.value, "SPICE + VNC"),
        ],
        widget=Radios,
    )
    keyboard = choice([("", _("Default")), *((layout, layout) for layout in KEYBOARD_LAYOUTS)])
    file_transfer, copy_paste = switch(), switch()
    serial = choice([("", _("As configured")), ("on", _("On")), ("off", _("Off"))])
    boot_devices = choice([(order, in_order(order)) for order in BOOT_ORDERS], required=True)
    boot_menu, start_paused, stateless = switch(), switch(), switch()
    cd, kernel, initrd, cpu_model, emulated_machine = choice(), choice(), choice(), choice(), choice()
    parameters = text(2000)
    hosts = forms.MultipleChoiceField(
        required=False, widget=Several, help_text=_("None chosen: any host of the cluster.")
    )
    volatile, initialize = switch(), switch()
    accept_lockout = switch()

    REDRAWS: ClassVar[frozenset[str]] = frozenset({"console", "serial"})

    def __init__(self, data: Any = None, *, vm: VM, console: str = "", initial: Values | None = None) -> None:
        self.row = self.vm = vm
        self.source, self.offer = vm.spec, vm.offer()
        super().__init__(data and data.copy(), initial={**self._configured(console), **(initial or {})})
        self.fields.update(property_fields())
        self._complete_data()
        for name in self.fields:
            self._field(name).label = messages.CHANGES["serial"] if name == "serial" else messages.field(name)
        self.fields["initialize"].help_text = _("The guest is told what the tab Initial Run of its dialog says.")
        self.fields["volatile"].help_text = _("A reboot then starts the virtual machine again as it is configured.")
        offered.choices(self)
        self._field("hosts").widget.refused = self._hosts_that_are_not_up()
        self._field("console").widget.refused = self._not_offered()
        self.locked: dict[str, Frozen | Text] = self._frozen()
        for name in self.locked:
            self.fields[name].disabled = True

    # -- answers

    @property
    def groups(self) -> list[tuple[str, Text, Section, bool]]:
        """Key, heading, fields and whether it is open, of each group."""
        drawn = [(key, Section(heading, [self[name] for name in names])) for key, heading, names in GROUPS]
        return [(key, each.heading, each, key == "console" or self._is_refused(each)) for key, each in drawn]

    @cached_property
    def shown(self) -> Console:
        """The console of the run as the dialog describes it at present."""
        serial = _SERIAL.get(plain(self["serial"].value()))
        try:
            return RunOnce.choose(self._choice, self.source, self.offer, serial=serial).overlay(self.source).console
        except Refusal:  # told when it is run
            return self.source.console

    def overlay(self) -> Callable[[MachineSpec, Offer], RunOnce]:
        """What lies over the machine for this run, built from the machine as it is when the run begins."""
        chosen = self.cleaned_data

        def lay(spec: MachineSpec, offer: Offer) -> RunOnce:
            made = {part.name: part.made(chosen) for part in PARTS if part.name in _PARTS}
            told = {name: value for name, value in made.items() if value != getattr(spec, name)}
            was = {name: getattr(spec.console, stored) for name, stored in _CONSOLE.items()}
            console = {name: chosen[name] for name in _CONSOLE if chosen[name] != was[name]}
            return RunOnce.choose(
                ConsoleChoice(chosen["console"]),
                spec,
                offer,
                serial=_SERIAL[chosen["serial"]],
                volatile=chosen["volatile"],
                **told,
                **console,
            )

        return lay

    def redrawn(self) -> "RunOnceForm":
        """The dialog after a choice or a cure in it; what was typed stays, nothing is judged."""
        typed = {name: self[name].value() for name in self.fields}
        return RunOnceForm(vm=self.vm, initial={**typed, **_CURED.get(self.data.get("cure", ""), {})})

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        field = "console" if no.field in {"protocol", "video_type"} else no.field
        self.add_error(field if field in self.fields else None, messages.refusal(no))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and (no := refused(self._attempt)):
            self.refuse(no)
        return cleaned

    # -- drawing

    def _configured(self, console: str) -> Values:
        """The dialog as oVirt opens it: what is configured, its console chosen (both protocols, where it has both)."""
        shown = self.source.console
        preselected = next(each for each in ConsoleChoice if each.graphics == shown.graphics)
        wished = console in {each.value for each in ConsoleChoice} - set(self._not_offered())
        values = values_of(self.source, self.offer)
        values["initialize"] = initial.wanted(self.vm, None)
        return {
            **values,
            "serial": "",
            "console": console if wished else preselected.value,
        }

    def _complete_data(self) -> None:
        """What was not posted stays as it is configured; only of a box nobody can tell."""
        data: Any = self.data
        for name, field in self.fields.items() if self.is_bound else ():
            unsaid = not isinstance(field, forms.BooleanField | forms.MultipleChoiceField)
            if unsaid and name not in data:
                data[name] = plain(self.initial.get(name))

    def _not_offered(self) -> dict[str, str]:
        attempts = {each: refused(partial(RunOnce.choose, each, self.source, self.offer)) for each in ConsoleChoice}
        return {choice.value: messages.refusal(no) for choice, no in attempts.items() if no}

    def _hosts_that_are_not_up(self) -> dict[str, Text]:
        hosts = self.vm.cluster.hosts.all()
        return {str(host.pk): host.get_status_display() for host in hosts if host.status != HostStatus.UP}

    def _frozen(self) -> dict[str, Frozen | Text]:
        shown = self.shown.graphics
        frozen: dict[str, Frozen | Text] = {}
        if not self.vm.disk_document:
            frozen["stateless"] = _("The virtual machine has no disk: nothing of a run stays.")
        elif self.vm.stateless:
            frozen["stateless"] = _("The virtual machine is stateless in every run.")
        if not shown & VNC:
            frozen["keyboard"] = Frozen.NEEDS_VNC
        if not shown & SPICE:
            frozen |= dict.fromkeys(("file_transfer", "copy_paste"), Frozen.NEEDS_SPICE)
        return frozen

    @property
    def _choice(self) -> ConsoleChoice:
        chosen = plain(self["console"].value())
        return ConsoleChoice(chosen) if chosen in set(ConsoleChoice) else ConsoleChoice.AS_CONFIGURED

    def _is_refused(self, section: Section) -> bool:
        return self.is_bound and any(field.errors for field in section.fields)

    def _attempt(self) -> None:
        console = self.overlay()(self.source, self.offer).overlay(self.source).console
        access.require_way_in(self.vm, None, console, accepted=self.cleaned_data["accept_lockout"])

    def _field(self, name: str) -> Any:
        return self.fields[name]
