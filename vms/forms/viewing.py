"""Console Options: how somebody's graphical consoles open."""

from dataclasses import asdict
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.domain.errors import Refusal
from vms.domain.viewing import Opener, Options, openers, without_effect
from vms.messages import Text
from vms.messages.viewing import NO_EFFECT, NOT_SHOWN, OPENERS
from vms.models import VM

from .fields import Field, Radios, switch


class OptionsForm(forms.Form):
    """What somebody may choose for a machine that has a graphical console; `options` is what holds at present."""

    bound_field_class = Field
    OF_SPICE: ClassVar[tuple[str, ...]] = ("share_usb", "use_proxy", "smartcard", "slow_line")

    opener = forms.ChoiceField(
        choices=[(opener.value, text) for opener, text in OPENERS.items()], widget=Radios, label=_("Console Invocation")
    )
    full_screen = forms.BooleanField(
        required=False,
        label=_("Open in Full Screen"),
        help_text=_("A browser takes the first click in the screen for it: none lets a page do that by itself."),
    )
    map_keys = forms.BooleanField(required=False, label=_("Map Ctrl+Alt+End to Ctrl+Alt+Del"))
    share_usb = forms.BooleanField(required=False, label=_("Enable USB Auto-Share"))
    use_proxy = forms.BooleanField(required=False, label=_("Enable SPICE Proxy"))
    smartcard = forms.BooleanField(required=False, label=_("Enable Smartcard"))
    slow_line = forms.BooleanField(required=False, label=_("Enable WAN Options"))
    everywhere = switch()

    def __init__(self, data: Any = None, *, vm: VM, options: Options) -> None:
        console = vm.running_console or vm.console
        chosen = options.opens(console.graphics)
        super().__init__(data, initial={**asdict(options), "opener": chosen.value if chosen else ""})
        self.locked: dict[str, Text] = {}
        for name, why in without_effect(console, vm.os).items():
            self.fields[name].disabled, self.locked[name] = True, NO_EFFECT[why]
        unable = set(Opener).difference(openers(console.graphics))
        widget: Any = self.fields["opener"].widget
        widget.refused = {each.value: str(NOT_SHOWN) % {"protocol": each.protocol.upper()} for each in unable}
        self.fields["everywhere"].label = _("Use these for all my virtual machines")

    @property
    def general(self) -> list[Field]:
        return [self[name] for name in self.fields if name not in (*self.OF_SPICE, "everywhere")]  # type: ignore[misc]

    @property
    def of_spice(self) -> list[Field]:
        return [self[name] for name in self.OF_SPICE]  # type: ignore[misc]

    def options(self) -> Options:
        """What was chosen."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "everywhere"}
        return Options(**{**values, "opener": Opener(values["opener"])})

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))
