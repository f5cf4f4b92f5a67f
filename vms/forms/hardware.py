"""One form for all four kinds of machine: it shows what is stored or inherited, and says what a person changed.

What the form may not decide it asks: `Console.frozen_fields()` what is greyed out, `Offer` what can be chosen. Values
that are greyed out are not posted by browsers and never copied into the machine; they survive in the open dialog as a
signed hidden copy (`state`), together with the values that the form was drawn with, so that an untouched field goes
on inheriting when another template or instance type is chosen.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Final, Self

from django import forms
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.domain.changes import Changes, ConsoleChange
from vms.domain.console import KEYBOARD_LAYOUTS, MONITORS, VNC, Console, Firmware, Frozen, Offer, Video
from vms.domain.errors import Refusal
from vms.domain.machine import MEMORY_MIB, NAME_LENGTH, MachineSpec, VmType, check_name
from vms.domain.parts import CPUS, Topology
from vms.messages import FIELDS, Text
from vms.models import Hardware, User
from vms.models.hardware import FIRMWARES, VM_TYPES

from .console import CONSOLE_FIELDS, PROTOCOLS, console_change, console_values, protocol_choices, video_choices
from .fields import Field, Options, Section, Tab, choice, is_on, member, number, refused, switch

CPU: Final = ("sockets", "cores", "threads")
BOOT: Final = ("kernel", "initrd", "parameters")
MACHINE_FIELDS: Final = ("name", "memory", *CPU, "vm_type", "firmware", *BOOT, "start_paused", *CONSOLE_FIELDS)
ATTRIBUTES: Final = ("description", "comment", "delete_protected")

# A change there has the server draw the Console section anew, or everything that is inherited.
REDRAWS: Final = {
    "redraws-console": ("headless", "protocol", "video_type", "serial", "usb", "firmware", "vm_type"),
    "redraws-all": ("base", "cluster", "template", "instance_type"),
}

Values = dict[str, Any]
Layout = tuple[tuple[str, Text, tuple[tuple[Text, tuple[str, ...]], ...]], ...]


class HardwareForm(forms.Form):
    """The configuration of a machine. `row` is the stored row, or a new one that is not saved yet."""

    LAYOUT: ClassVar[Layout] = (
        (
            "general",
            _("General"),
            (
                ("", ("base", "name", "version_name", "description", "comment", "size")),
                ("", ("cluster", "template", "instance_type", "vm_type", "start_paused", "delete_protected")),
                ("", ("apply_to_existing",)),
            ),
        ),
        ("system", _("System"), (("", ("memory", *CPU, "firmware")),)),
        (
            "console",
            _("Console"),
            (
                (_("Graphical Console"), tuple(name for name in CONSOLE_FIELDS if name != "serial")),
                (_("Serial Console"), ("serial",)),
            ),
        ),
        ("boot", _("Boot"), (("", BOOT),)),
    )
    bound_field_class = Field

    name = forms.CharField(max_length=NAME_LENGTH)
    description = forms.CharField(max_length=4000, required=False)
    comment = forms.CharField(max_length=4000, required=False)
    delete_protected = switch()
    memory = number(*MEMORY_MIB)
    sockets, cores, threads = number(1, CPUS), number(1, CPUS), number(1, CPUS)
    vm_type = choice(VM_TYPES, required=True)
    firmware = choice(FIRMWARES, required=True)
    kernel, initrd = choice(), choice()
    parameters = forms.CharField(max_length=2000, required=False)
    start_paused = switch()
    headless = switch()
    protocol, video_type = choice(protocol_choices(), required=True), choice(required=True)
    keyboard = choice([("", _("Default")), *((layout, layout) for layout in KEYBOARD_LAYOUTS)])
    monitors = forms.TypedChoiceField(
        choices=[(str(heads), str(heads)) for heads in MONITORS], coerce=int, widget=Options
    )
    usb, smartcard, sound, file_transfer, copy_paste = switch(), switch(), switch(), switch(), switch()
    serial = switch()
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    state = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, row: Hardware, by: User, initial: Values | None = None, prefix: str | None = None
    ) -> None:
        self.given = dict(initial or {})
        super().__init__(data, initial=dict(self.given), prefix=prefix)
        self.row, self.by = row, by
        self.locked: dict[str, Frozen | Text] = dict(self.fixed())
        self.offer_sources()
        self.source = self.inherited()
        self._draw()

    # -- what a subclass adds

    def fixed(self) -> dict[str, Text]:
        """Fields that cannot be changed in this row whatever else is chosen, with the reason."""
        return {}

    def offer_sources(self) -> None:
        """Fill the choices that decide what is inherited (cluster, template, instance type)."""

    def inherited(self) -> MachineSpec:
        """The machine before any change: what is stored, or what the chosen sources hand down."""
        return stored_spec(self.row)

    def extra_attributes(self) -> Values:
        """Plain attributes that only this kind has."""
        return {}

    def sources(self) -> Values:
        """What a new row is made from: arguments of the action that creates it."""
        return {}

    # -- answers

    @property
    def is_new(self) -> bool:
        return self.row._state.adding

    @cached_property
    def tabs(self) -> list[Tab]:
        return [
            Tab(key, label, [Section(heading, self._present(names)) for heading, names in sections])
            for key, label, sections in self.LAYOUT
        ]

    @property
    def first_tab_with_errors(self) -> str:
        """The tab to open when something was refused; empty when nothing was."""
        return next((tab.key for tab in self.tabs if self.is_bound and tab.has_errors), "")

    @property
    def headless_reason(self) -> Text:
        """Why the graphical fields are greyed out; empty when they are not."""
        return messages.FROZEN[Frozen.HEADLESS] if self.console.headless else ""

    @property
    def usb_goes_off(self) -> bool:
        """Whether the guest goes without the USB that was chosen."""
        return self.console.wants_usb and not self.console.usb

    @property
    def not_offered(self) -> str:
        """Why the chosen graphics cannot be shown in this cluster; empty when they can."""
        no = refused(lambda: self.offer.require(self.console.graphics))
        return messages.refusal(no) if no else ""

    def changes(self) -> Changes:
        """What the person changed, against what is stored or inherited; nothing that is greyed out is in it."""
        return Changes(
            attributes=self._changed_attributes(),
            machine=self._changed_machine(),
            console=self._console_change(),
            version=None if self.is_new else self.cleaned_data.get("version"),
        )

    def creation(self) -> Values:
        """The arguments of the action that creates such a row."""
        return {"name": self.cleaned_data["name"], "changes": self.changes(), **self.sources()}

    def redrawn(self) -> Self:
        """The form as it looks after a choice: what was typed stays, what depends on it follows, nothing is judged."""
        typed = {name: self._raw(name) for name in self.fields if name not in {"state", *MACHINE_FIELDS}}
        return type(self)(row=self.row, by=self.by, initial={**typed, **self.values}, prefix=self.prefix)

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form."""
        self.add_error(no.field if no.field in self.fields else None, messages.refusal(no))

    def clean(self) -> Values:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and (no := refused(self._attempt)):
            self.refuse(no)
        return cleaned

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if no := refused(partial(check_name, name)):
            raise ValidationError(messages.refusal(no))
        return name

    def clean_version(self) -> int | None:
        version: int | None = self.cleaned_data["version"]
        if version is None and not self.is_new:
            raise ValidationError(_("The form does not say which version it was opened with; open it again."))
        return version

    # -- drawing

    def _draw(self) -> None:
        for name in self.fields:
            self._field(name).label = FIELDS.get(name, name)
        self._offer_boot_files()
        offered = self.row.offer(self.source)
        self.inherits = _values_of(self.source, offered) | {"name": self.row.name}
        self.values = self._values()
        self.offer = replace(
            offered,
            firmware=member(Firmware, self.values["firmware"], self.source.firmware),
            server=member(VmType, self.values["vm_type"], self.source.vm_type) == VmType.SERVER,
        )
        self.console = self._described()
        self._offer_display()
        self._lock()
        self._fill()

    def _offer_boot_files(self) -> None:
        for name in ("kernel", "initrd"):
            names = sorted({*boot_files(), getattr(self.source.boot, name)} - {""})
            self._field(name).choices = [("", _("None")), *((name, name) for name in names)]

    def _values(self) -> Values:
        """What the fields of the machine say: what was posted or given if it was touched, else what is inherited."""
        if not self.is_bound:
            free = set(MACHINE_FIELDS) & set(self.given) - set(self.locked)
            return self.inherits | {name: self.given[name] for name in free}
        drawn, kept = self._state()
        values = dict(self.inherits)
        for name in set(MACHINE_FIELDS) - set(self.locked):
            said = kept[name] if name in kept else self._raw(name)
            if said is not None and str(said) != str(drawn.get(name, self.inherits[name])):
                values[name] = said
        return values

    def _described(self) -> Console:
        """The console that the form describes at present; what makes no sense counts as not chosen."""
        values, headless = self.values, is_on(self.values["headless"])
        if not self.is_bound and values["protocol"] not in PROTOCOLS:
            values["protocol"] = self.inherits["protocol"]
        graphics = PROTOCOLS.get(str(values["protocol"]), VNC)
        video = member(Video, values["video_type"], None)
        fits = video is not None and self.offer.accepts(graphics, video)
        console = self.source.console.with_display(graphics, video if fits else self.offer.recommend(graphics))
        console = replace(console, wants_usb=is_on(values["usb"]), serial=is_on(values["serial"]))
        chosen = self.is_bound and not headless and values["video_type"] != self.inherits["video_type"]
        if not fits and not chosen and console.video is not None:
            values["video_type"] = console.video.value
        return console.as_headless() if headless else console

    def _offer_display(self) -> None:
        graphics = PROTOCOLS.get(str(self.values["protocol"]), VNC)
        self._field("video_type").choices = video_choices(graphics, self.offer)
        attempts = {key: refused(partial(self.offer.require, shown)) for key, shown in PROTOCOLS.items()}
        self._field("protocol").widget.refused = {key: messages.refusal(no) for key, no in attempts.items() if no}

    def _lock(self) -> None:
        self.locked = {**self.console.frozen_fields(), **self.locked}
        for name in set(self.locked) & set(self.fields):
            self.fields[name].disabled = True
            if name in self.values and not self._makes_sense(name):
                self.values[name] = self.inherits[name]

    def _fill(self) -> None:
        """Put the values where Django looks for them: a bound form reads its data, a drawn one its initial values."""
        row = self.row
        stored = {name: getattr(row, name) for name in ATTRIBUTES} | {"version": None if self.is_new else row.version}
        kept = {name: self.values[name] for name in self.locked if name in self.values}
        token = signing.dumps({"drawn": self.inherits, "kept": kept}, salt=self._salt, compress=True)
        self.initial = {**stored, **self.initial, **self.values, "state": token}
        for marker, names in REDRAWS.items():
            for name in set(names) & set(self.fields):
                self.fields[name].widget.attrs["class"] = marker
        if self.is_bound:
            self._complete_data(token)

    def _complete_data(self, token: str) -> None:
        """What was not posted stays as it is, except the version: it must be told."""
        data: Any = self.data
        self.data = data = data.copy()
        for name, field in self.fields.items():
            if name in self.values:
                data[self.add_prefix(name)] = str(self.values[name])
            elif self._raw(name) is None and name != "version" and not isinstance(field, forms.BooleanField):
                data[self.add_prefix(name)] = self.initial.get(name)
        data[self.add_prefix("state")] = token

    def _state(self) -> tuple[Values, Values]:
        """The values that the posted form was drawn with, and those that it showed greyed out."""
        try:
            state = signing.loads(self.data.get(self.add_prefix("state"), ""), salt=self._salt)
        except signing.BadSignature:
            return {}, {}
        return state["drawn"], state["kept"]

    @property
    def _salt(self) -> str:
        return f"vms.forms/{self.row._meta.model_name}/{'new' if self.is_new else self.row.pk}"

    # -- changes

    def _attempt(self) -> None:
        self.changes().apply_to(self.source, lambda spec: spec.offer(self.row.level, self.offer.protocols))

    def _changed(self, *names: str) -> bool:
        free = [name for name in names if name not in self.locked]
        return any(self.cleaned_data[name] != self.inherits[name] for name in free)

    def _changed_attributes(self) -> Values:
        wanted = {name: self.cleaned_data[name] for name in ATTRIBUTES} | self.extra_attributes()
        return {name: value for name, value in wanted.items() if self.is_new or getattr(self.row, name) != value}

    def _changed_machine(self) -> Values:
        cleaned = self.cleaned_data
        made: dict[str, tuple[tuple[str, ...], Callable[[], Any]]] = {
            "memory": (("memory",), lambda: cleaned["memory"]),
            "cpu": (CPU, lambda: Topology(**{name: cleaned[name] for name in CPU})),
            "vm_type": (("vm_type",), lambda: VmType(cleaned["vm_type"])),
            "firmware": (("firmware",), lambda: Firmware(cleaned["firmware"])),
            "boot": (BOOT, lambda: replace(self.source.boot, **{name: cleaned[name] for name in BOOT})),
            "start_paused": (("start_paused",), lambda: cleaned["start_paused"]),
        }
        if not self.is_new:
            made["name"] = (("name",), lambda: cleaned["name"])
        return {key: make() for key, (names, make) in made.items() if self._changed(*names)}

    def _console_change(self) -> ConsoleChange | None:
        new = {name: self.cleaned_data[name] for name in CONSOLE_FIELDS if self._changed(name)}
        return console_change(new, PROTOCOLS[self.cleaned_data["protocol"]]) if new else None

    # -- small things

    def chosen(self, name: str, default: Any) -> Any:
        """The row chosen in a field, as far as what was posted or given makes sense."""
        raw = self._raw(name) if self.is_bound else self.given.get(name)
        if raw is None or name in self.locked:
            return default
        try:
            return self.fields[name].clean(raw)
        except ValidationError:
            return default

    def _makes_sense(self, name: str) -> bool:
        try:
            self.fields[name].clean(self.values[name])
        except ValidationError:
            return False
        return True

    def _field(self, name: str) -> Any:
        return self.fields[name]

    def _raw(self, name: str) -> Any:
        return self.fields[name].widget.value_from_datadict(self.data, self.files, self.add_prefix(name))

    def _present(self, names: tuple[str, ...]) -> list[Any]:
        return [self[name] for name in names if name in self.fields]


def boot_files() -> list[str]:
    """The names of the files in the boot library."""
    if not settings.BOOT_DIR.is_dir():
        return []
    return [path.name for path in settings.BOOT_DIR.iterdir() if path.is_file() and not path.name.startswith(".")]


def stored_spec(row: Hardware) -> MachineSpec:
    """The row's machine; one without a name yet gets a stand-in, as a machine cannot be nameless."""
    if row.name:
        return row.spec
    try:
        row.name = "new"
        return row.spec
    finally:
        row.name = ""


def _values_of(spec: MachineSpec, offer: Offer) -> Values:
    return {
        "name": spec.name,
        "memory": spec.memory,
        **{name: getattr(spec.cpu, name) for name in CPU},
        "vm_type": spec.vm_type.value,
        "firmware": spec.firmware.value,
        **{name: getattr(spec.boot, name) for name in BOOT},
        "start_paused": spec.start_paused,
        **console_values(spec.console, offer),
    }
