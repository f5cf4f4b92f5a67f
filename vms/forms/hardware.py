"""One form for all four kinds of machine: it shows what is stored or inherited, and says what a person changed.

What the form may not decide it asks: `Console.frozen_fields()` what is greyed out, `Offer` what can be chosen. Values
that are greyed out are not posted by browsers and never copied into the machine; they survive in the open dialog as a
signed hidden copy (`state`), together with the values that the form was drawn with, so that an untouched field goes
on inheriting when another template or instance type is chosen, and follows when somebody else has saved meanwhile.
"""

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Final, Self

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from vms import messages
from vms.actions import access
from vms.domain.changes import Changes, ConsoleChange
from vms.domain.console import Frozen, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.machine import MachineSpec, VmType, check_name
from vms.domain.networks import Nic
from vms.messages import Text
from vms.models import Hardware, User

from . import firstboot, offered
from .board import why_no_tpm
from .console import CONSOLE_FIELDS, PROTOCOLS, console_change, console_drawn, video_choices
from .declared import MachineFields, property_fields
from .fields import MachineField, Section, Tab, member, refused
from .heritage import Origin, Source, handed_down, in_words, origin
from .layout import BASIC, LAYOUT, Layout
from .parts import PARTS, PROPERTY, Values, plain, stored_spec, values_of
from .state import State

MACHINE_FIELDS: Final = ("name", *(name for part in PARTS for name in part.fields), *CONSOLE_FIELDS)
ATTRIBUTES: Final = ("description", "comment", "delete_protected")


class HardwareForm(MachineFields):
    """The configuration of a machine. `row` is the stored row, or a new one that is not saved yet."""

    # Fields of a machine that this kind does not have.
    LACKS: ClassVar[frozenset[str]] = frozenset({"override_proxy", "spice_proxy"})
    bound_field_class = MachineField

    def __init__(
        self,
        data: Any = None,
        *,
        row: Hardware,
        by: User,
        initial: Values | None = None,
        prefix: str | None = None,
        state: State | None = None,
    ) -> None:
        self.given = dict(initial or {})
        super().__init__(data if data is None else data.copy(), initial=dict(self.given), prefix=prefix)
        self.row, self.by = row, by
        self.fields.update(property_fields())
        for name in self.LACKS:
            del self.fields[name]
        self.before = State.loads(self._raw("state"), salt=self._salt) if self.is_bound else state or State()
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

    def _draw_first_boot(self) -> None:
        """What is configured of the first boot; a new row has it from its source where the fields say nothing."""
        for name, value in firstboot.told(self.row.kept).items():
            self.initial.setdefault(name, value)

    def _first_boot(self) -> Values:
        kept = firstboot.words(self.cleaned_data, self.row.kept)
        return {"kept": kept, **firstboot.password(self.cleaned_data)}

    def sources(self) -> Values:
        """What a new row is made from: arguments of the action that creates it."""
        return {}

    def nics(self) -> tuple[Nic, ...]:
        """The network cards of the machine that the dialog describes."""
        return self.source.nics

    def ancestors(self) -> tuple[Source, ...]:
        """What hands something down to this machine, the last one winning."""
        return ()

    def settle(self) -> None:
        """Bring the choice of sources in line with the values that are drawn."""

    # -- answers

    @property
    def is_new(self) -> bool:
        return self.row._state.adding

    @property
    def layout(self) -> Layout:
        """Tabs, sections and fields, those left out that this kind does not have."""
        return LAYOUT

    @cached_property
    def tabs(self) -> list[Tab]:
        drawn = [
            Tab(key, label, [Section(heading, self._present(names)) for heading, names in sections])
            for key, label, sections in self.layout
        ]
        return [tab for tab in drawn if any(section.fields for section in tab.sections)]

    @property
    def first_tab_with_errors(self) -> str:
        """The tab to open when something was refused; empty when nothing was."""
        return next((tab.key for tab in self.tabs if self.is_bound and tab.has_errors), "")

    @property
    def has_advanced_errors(self) -> bool:
        """Whether something was refused that the basic view does not show."""
        return self.is_bound and bool(set(self.errors) & set(self.fields) - BASIC)

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

    def origin(self, name: str) -> Origin | None:
        """Where the value of a field comes from; None where nothing is inherited, or nothing is to be said."""
        if name not in self.heirlooms or name in self.locked:
            return None
        heirloom = self.heirlooms[name]
        return origin(heirloom, self.values[name], str(in_words(self.fields[name], heirloom.value)))

    @cached_property
    def described(self) -> MachineSpec:
        """The machine that the open dialog describes; what makes no sense yet counts as not chosen."""
        spec = self.source
        for part in PARTS:
            if not set(part.fields) <= set(self.fields):
                continue
            try:
                spec = replace(spec, **{part.name: part.made(self.sensible)})
            except Refusal:  # told when it is saved
                continue
        return replace(spec, console=self.console, nics=self.nics())

    def changes(self) -> Changes:
        """What the person changed, against what is stored or inherited; nothing that is greyed out is in it."""
        return Changes(
            attributes=self._changed_attributes(),
            machine=self._changed_machine(),
            console=self._console_change(),
            version=None if self.is_new else self.cleaned_data.get("version"),
            accept_lockout=self.cleaned_data["accept_lockout"],
        )

    def creation(self) -> Values:
        """The arguments of the action that creates such a row."""
        return {"name": self.cleaned_data["name"], "changes": self.changes(), **self.sources()}

    def redrawn(self, *, values: Values | None = None, undo: Values | None = None) -> Self:
        """The form as it looks after a choice: what was typed stays, what depends on it follows, nothing is judged."""
        typed = {name: self._raw(name) for name in self.fields if name not in {"state", *MACHINE_FIELDS}}
        state = self.remembered if undo is None else replace(self.remembered, undo=undo)
        initial = {**typed, **self.values, **(values or {})}
        return type(self)(row=self.row, by=self.by, initial=initial, prefix=self.prefix, state=state)

    def refuse(self, no: Refusal) -> None:
        """Show a refusal at the field that it is about, or above the form.

        Who was overtaken keeps what was typed and sees the rest as it is stored now: saved again, it is taken.
        """
        if no.code == "ACTION_TYPE_FAILED_EDITED_MEANWHILE":
            self._put("version", self.row.version)
        self.add_error(self._field_of(no), messages.refusal(no))

    def _field_of(self, no: Refusal) -> str | None:
        name = no.field or ""
        if name == "custom_properties":  # each has a field of its own
            name = f"{PROPERTY}{str(no.params.get('value', '')).partition('=')[0]}"
        return name if name in self.fields else None

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
            self._field(name).label = messages.field(name)
        offered.choices(self)
        offers = self.row.offer(self.source)
        self.inherits = values_of(self.source, offers) | {"name": self.row.name}
        self.heirlooms = handed_down(self.ancestors(), offers)
        self.said = self._said()
        self.values = self._values()
        self.offer = replace(
            offers,
            firmware=member(Firmware, self.values["firmware"], self.source.firmware),
            server=member(VmType, self.values["vm_type"], self.source.vm_type) == VmType.SERVER,
        )
        if "tpm" in self.fields and (why_not := why_no_tpm(self.row, self.offer.firmware, has_one=self.source.tpm)):
            self.locked["tpm"], self.values["tpm"] = why_not, False
        self.sensible = {name: self._sensible(name) for name in MACHINE_FIELDS if name != "video_type"}
        self._draw_console()
        self._lock()
        self.settle()
        self._fill()

    def _values(self) -> Values:
        """What the fields of the machine say: what was posted or given if it was touched, else what is inherited."""
        if not self.is_bound:
            free = set(MACHINE_FIELDS) & set(self.given) - set(self.locked)
            return self.inherits | {name: self.given[name] for name in free}
        drawn = self.before.drawn
        was = {name: plain(drawn.get(name, self.inherits[name])) for name in self.said}
        return self.inherits | {name: said for name, said in self.said.items() if plain(said) != was[name]}

    def _said(self) -> Values:
        """What the fields of the machine say in the dialog that was posted, greyed out ones included."""
        if not self.is_bound:
            return {}
        names = [name for name in MACHINE_FIELDS if name in self.fields and name not in self.locked]
        kept = self.before.kept
        told = {name: kept[name] if name in kept else self._raw(name) for name in names}
        return {name: said for name, said in told.items() if said is not None}

    def _sensible(self, name: str) -> Any:
        if name in self.fields:
            try:
                return self.fields[name].clean(self.values[name])
            except ValidationError:
                pass
        return self.inherits[name]

    def _draw_console(self) -> None:
        """The console that the form describes at present, and what can be chosen for it."""
        values = self.values
        if not self.is_bound and values["protocol"] not in PROTOCOLS:
            values["protocol"] = self.inherits["protocol"]
        graphics = PROTOCOLS[self.sensible["protocol"]]
        video = member(Video, values["video_type"], None)
        self.console = console_drawn(self.sensible, video, self.source.console, self.offer)
        fits = video is not None and self.offer.accepts(graphics, video)
        chosen = self.is_bound and not self.console.headless and values["video_type"] != self.inherits["video_type"]
        if not fits and not chosen and self.console.video is not None:
            values["video_type"] = self.console.video.value
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
        token = self.remembered.dumps(salt=self._salt)
        self.initial = {**stored, **self.initial, **self.values, "state": token}
        if self.is_bound:
            self._complete_data(token)

    def _complete_data(self, token: str) -> None:
        """What was not posted stays as it is, except the version: it must be told."""
        for name, field in self.fields.items():
            if name in self.values:
                self._put(name, self.values[name])
            elif self._raw(name) is None and name != "version" and not isinstance(field, forms.BooleanField):
                self._put(name, self.initial.get(name))
        self._put("state", token)

    def _put(self, name: str, value: Any) -> None:
        data: Any = self.data
        if isinstance(value, list) and hasattr(data, "setlist"):
            data.setlist(self.add_prefix(name), value)
        else:
            data[self.add_prefix(name)] = value if isinstance(value, list) else plain(value)

    @cached_property
    def remembered(self) -> State:
        """What the dialog has to know when it is posted."""
        kept = {name: self.values[name] for name in self.locked if name in self.values}
        return replace(self.before, drawn=self.inherits, shown=self.values, kept=kept)

    @property
    def _salt(self) -> str:
        return f"vms.forms/{self.row._meta.model_name}/{'new' if self.is_new else self.row.pk}"

    # -- changes

    def _attempt(self) -> None:
        changes = self.changes()
        spec = changes.apply_to(self.source, lambda spec: spec.offer(self.row.level, self.offer.protocols))
        before = None if self.is_new else self.row.console
        access.require_way_in(self.row, before, spec.console, accepted=changes.accept_lockout)

    def _changed(self, name: str) -> bool:
        return name not in self.locked and plain(self.cleaned_data[name]) != plain(self.inherits[name])

    def _changed_attributes(self) -> Values:
        wanted = {name: self.cleaned_data[name] for name in ATTRIBUTES} | self.extra_attributes()
        return {name: value for name, value in wanted.items() if self.is_new or getattr(self.row, name) != value}

    def _changed_machine(self) -> Values:
        there = [part for part in PARTS if set(part.fields) <= set(self.fields)]
        changed = {part.name: part for part in there if any(map(self._changed, part.fields))}
        made = {name: part.made(self.cleaned_data) for name, part in changed.items()}
        if not self.is_new and self._changed("name"):
            made["name"] = self.cleaned_data["name"]
        if self.source.tpm and not self.offer.firmware.uefi:  # it goes with the UEFI
            made["tpm"] = False
        return made

    def _console_change(self) -> ConsoleChange | None:
        there = [name for name in CONSOLE_FIELDS if name in self.fields]
        new = {name: self.cleaned_data[name] for name in there if self._changed(name)}
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
