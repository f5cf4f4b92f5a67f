"""The fields of all machines, by the names that rows, refusals and pages know them by."""

from typing import Final

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from vms.domain.console import DISCONNECT_DELAY, KEYBOARD_LAYOUTS, MONITORS, PROXY_LENGTH
from vms.domain.machine import CPU_SHARES, IO_THREADS, MEMORY_MIB, NAME_LENGTH
from vms.domain.osinfo import OPERATING_SYSTEMS
from vms.domain.parts import CPUS, RNG_RATE
from vms.domain.properties import PROPERTIES
from vms.models.choices import (
    BOOT_DEVICES,
    BOOT_ORDERS,
    DISCONNECT_ACTIONS,
    FIRMWARES,
    MIGRATIONS,
    RECORDINGS,
    RNG_SOURCES,
    SERIAL_POLICIES,
    SIGN_ONS,
    VM_TYPES,
    WATCHDOG_ACTIONS,
)

from .console import protocol_choices
from .fields import Options, Radios, Several, choice, number, switch, text, zone
from .parts import PROPERTY

_DEVICES: Final = dict(BOOT_DEVICES)
_PRIORITIES: Final = ((1, _("Low")), (50, _("Medium")), (100, _("High")))


def _in_order(devices: str) -> str:
    return " → ".join(str(_DEVICES[device]) for device in devices.split(","))


in_order: Final = lazy(_in_order, str)  # told in the language of whoever looks


class MachineFields(forms.Form):
    """Everything that can be configured of a machine; kinds leave out what they do not have."""

    name = forms.CharField(max_length=NAME_LENGTH)
    description = text(4000)
    comment = text(4000)
    delete_protected = switch()
    os = choice([(system.key, system.name) for system in OPERATING_SYSTEMS.values()], required=True)
    vm_type = choice(VM_TYPES, required=True)
    start_paused = switch()

    memory = number(*MEMORY_MIB)
    maximum_memory = number(*MEMORY_MIB, required=False, help_text=_("Empty: as much as the memory size."))
    guaranteed_memory = number(1, MEMORY_MIB[1], required=False, help_text=_("Empty: all of it."))
    sockets, cores, threads = number(1, CPUS), number(1, CPUS), number(1, CPUS)
    cpu_model, emulated_machine = choice(), choice()
    firmware, tpm = choice(FIRMWARES, required=True), switch()
    time_zone = zone(_("As the operating system has it"))
    serial_policy = choice(SERIAL_POLICIES, required=True)
    serial_value = text(64, help_text=_("Used with the policy “Custom serial number”."))

    headless = switch()
    video_type, protocol = choice(required=True), choice(protocol_choices(), required=True)
    keyboard = choice([("", _("Default")), *((layout, layout) for layout in KEYBOARD_LAYOUTS)])
    disconnect_action = choice(DISCONNECT_ACTIONS, required=True)
    disconnect_delay = number(*DISCONNECT_DELAY)
    monitors = forms.TypedChoiceField(
        choices=[(str(heads), str(heads)) for heads in MONITORS], coerce=int, widget=Options
    )
    usb, smartcard = switch(), switch()
    sso = forms.ChoiceField(choices=SIGN_ONS, widget=Radios)
    allow_reconnect, sound, override_proxy = switch(), switch(), switch()
    spice_proxy = text(PROXY_LENGTH)
    file_transfer, copy_paste, serial = switch(), switch(), switch()
    recording = forms.ChoiceField(
        choices=RECORDINGS,
        widget=Options,
        help_text=_("What it says is kept from the firmware's first line on, and may hold secrets."),
    )
    accept_lockout = switch()

    hosts = forms.MultipleChoiceField(
        required=False, widget=Several, help_text=_("None chosen: any host of the cluster.")
    )
    migration = choice(MIGRATIONS, required=True)
    high_availability = switch()
    priority = forms.TypedChoiceField(choices=_PRIORITIES, coerce=int, widget=Options)
    watchdog_action = choice([("", _("No watchdog")), *WATCHDOG_ACTIONS])
    cpu_shares = number(0, CPU_SHARES[1], help_text=_("0: as the host weighs it. Low is 512, medium 1024, high 2048."))
    ballooning = switch()
    io_threads = number(*IO_THREADS)

    boot_devices = choice([(order, in_order(order)) for order in BOOT_ORDERS], required=True)
    boot_menu = switch()
    cd, kernel, initrd = choice(), choice(), choice()
    parameters = text(2000)

    rng_source = choice([("", _("No random generator")), *RNG_SOURCES])
    rng_bytes, rng_period = number(*RNG_RATE, required=False), number(*RNG_RATE, required=False)

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    state = forms.CharField(required=False, widget=forms.HiddenInput)


def property_fields() -> dict[str, forms.Field]:
    """A field for each custom property that there is."""
    return {
        f"{PROPERTY}{name}": text(255, help_text=_("For instance %(example)s.") % {"example": known.example})
        for name, known in PROPERTIES.items()
    }
