"""Fields that can say why they are greyed out, options that can say why they cannot be chosen, and their grouping."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms

from vms import messages
from vms.domain.console import Frozen
from vms.domain.errors import Refusal
from vms.messages import Text

from .layout import BASIC, REDRAWS_ALL, REDRAWS_CONSOLE

HEADLESS_REASON: Final = "headless-reason"

_SHAPES: Final[tuple[tuple[type[forms.Widget], str], ...]] = (
    (forms.CheckboxInput, "check"),
    (forms.CheckboxSelectMultiple, "checks"),
    (forms.RadioSelect, "radio"),
    (forms.Select, "select"),
)
_CLASSES: Final = {"check": "pf-v6-c-check__input", "checks": "pf-v6-c-check__input", "radio": "pf-v6-c-radio__input"}


class Field(forms.BoundField):
    """A field of a form that keeps in `locked` why fields are greyed out."""

    form: Any

    @property
    def shape(self) -> str:
        """Which element draws it: `check`, `checks`, `select`, `radio` or `text`."""
        return next((shape for widget, shape in _SHAPES if isinstance(self.field.widget, widget)), "text")

    @property
    def reason(self) -> Text:
        """Why the field is greyed out, in one sentence; empty when it is not."""
        why = self.form.locked.get(self.name, "")
        return messages.FROZEN[why] if isinstance(why, Frozen) else why

    @property
    def shares_reason(self) -> bool:
        """Whether the reason is told once for many fields."""
        return self.form.locked.get(self.name) is Frozen.HEADLESS

    @property
    def reason_id(self) -> str:
        return HEADLESS_REASON if self.shares_reason else f"{self.auto_id}_reason"

    def build_widget_attrs(self, attrs: Any, widget: forms.Widget | None = None) -> dict[str, Any]:
        built = super().build_widget_attrs(attrs, widget)
        classes = (self.field.widget.attrs.get("class"), _CLASSES.get(self.shape))
        return {**built, "class": " ".join(filter(None, classes))} if any(classes) else built

    @property
    def aria_describedby(self) -> str | None:
        described = [super().aria_describedby or "", self.reason_id if self.reason else ""]
        return " ".join(filter(None, described)) or None


class MachineField(Field):
    """A field of the one form of all machines: where its value comes from, and what a change of it draws anew."""

    @property
    def basic(self) -> bool:
        """Whether the basic view shows it."""
        return self.name in BASIC

    @property
    def origin(self) -> Any:
        return self.form.origin(self.name)

    @property
    def redraws(self) -> str:
        """`all`, `console`, or `itself` alone; empty for what no machine is made of."""
        if self.name in REDRAWS_ALL:
            return "all"
        if self.name in REDRAWS_CONSOLE:
            return "console"
        return "itself" if self.name in self.form.values and self.name != "name" else ""


class _Refusing:
    """A widget some of whose options cannot be chosen at present: option → why."""

    refused: Mapping[str, Text] = {}

    def create_option(self, name: str, value: Any, label: Any, selected: Any, *args: Any, **kwargs: Any) -> Any:
        option = super().create_option(name, value, label, selected, *args, **kwargs)  # type: ignore[misc]
        option["reason"] = self.refused.get(str(value), "")
        # What is stored stays selectable: browsers do not post a disabled option, and another edit would lose it.
        if option["reason"] and not selected:
            option["attrs"]["disabled"] = True
        return option


class Options(_Refusing, forms.Select):
    """A list; an option that cannot be chosen carries its reason in its text."""

    template_name = "options.html"

    def create_option(self, *args: Any, **kwargs: Any) -> Any:
        option = super().create_option(*args, **kwargs)
        if option["reason"]:
            option["label"] = f"{option['label']} — {option['reason']}"
        return option


class Radios(_Refusing, forms.RadioSelect):
    """Radio buttons; the template shows each reason beside its button."""

    def create_option(self, *args: Any, **kwargs: Any) -> Any:
        option = super().create_option(*args, **kwargs)
        if option["reason"]:
            option["attrs"]["aria-describedby"] = f"{option['attrs'].get('id', '')}_reason"
        return option


class Several(_Refusing, forms.CheckboxSelectMultiple):
    """A box for each of several rows; what is posted twice or in another order is the same choice."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        posted = super().value_from_datadict(data, files, name) or []
        return sorted(set([posted] if isinstance(posted, str) else posted))


@dataclass(frozen=True)
class Section:
    """Fields that belong together, with a heading where the tab has more than one."""

    heading: Text
    fields: list[Any]


@dataclass(frozen=True)
class Tab:
    key: str
    label: Text
    sections: list[Section]

    @property
    def basic(self) -> bool:
        """Whether the basic view shows any of it."""
        return any(field.basic for section in self.sections for field in section.fields)

    @property
    def has_errors(self) -> bool:
        return any(field.errors for section in self.sections for field in section.fields)


def choice(choices: Any = (), *, required: bool = False) -> forms.ChoiceField:
    return forms.ChoiceField(choices=choices, required=required, widget=Options)


def switch() -> forms.BooleanField:
    return forms.BooleanField(required=False)


def number(low: int, high: int, *, required: bool = True, help_text: Any = "") -> forms.IntegerField:
    return forms.IntegerField(min_value=low, max_value=high, required=required, help_text=help_text)


def text(length: int, help_text: Any = "") -> forms.CharField:
    return forms.CharField(max_length=length, required=False, help_text=help_text)


def zone(none: Any) -> forms.CharField:
    """A time zone by name, found by typing any part of it; `none` says what holds where none is named.

    The dialog draws the names once for all such fields ({% time_zones %}); what is no time zone the action refuses.
    """
    return forms.CharField(
        max_length=100, required=False, widget=forms.TextInput(attrs={"list": "time-zones", "placeholder": none})
    )


def member(kind: Any, value: Any, default: Any) -> Any:
    """The member of an enumeration that a raw value names, or the default."""
    return kind(str(value)) if str(value) in {each.value for each in kind} else default


def is_on(value: Any) -> bool:
    return value is True or str(value).lower() in {"true", "on", "1"}


def refused(attempt: Callable[[], Any]) -> Refusal | None:
    """The refusal with which an attempt ends; None when it succeeds."""
    try:
        attempt()
    except Refusal as no:
        return no
    return None
