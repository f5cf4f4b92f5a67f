"""What a choice or a button in an open dialog brings with it, before anything is saved."""

from dataclasses import dataclass, replace
from typing import TypeVar

from vms.domain import presets
from vms.domain.access import Cure
from vms.domain.machine import VmType
from vms.messages import Text

from .hardware import HardwareForm
from .heritage import in_words
from .parts import Values, plain, values_of

Form = TypeVar("Form", bound=HardwareForm)


@dataclass(frozen=True)
class Followed:
    """A field that changed with a choice elsewhere."""

    label: Text
    was: Text
    now: Text


def redraw(form: Form) -> Form:
    """The dialog after what was chosen or pressed in it; what was typed stays, what depends on it follows."""
    pressed, undo = form.data.get, form.before.undo
    brought: Values = {}
    if (reset := pressed("reset")) in form.heirlooms:
        brought[reset] = form.heirlooms[reset].value
    elif pressed("cure") == Cure.ENABLE_SERIAL:
        brought["serial"] = True
    elif "undo" in form.data:
        brought, undo = undo, {}
    elif _becomes_high_performance(form):
        brought = _high_performance(form)
        undo = {name: form.values[name] for name in brought}
    drawn = form.redrawn(values=brought, undo=undo)
    drawn.said = form.said
    return drawn


def followed(form: HardwareForm) -> list[Followed]:
    """What a dialog shows otherwise than it was posted, those fields left out that a preset has set."""
    names = [name for name in form.said if name not in form.before.undo]
    return [_told(form, name, form.said[name]) for name in names if plain(form.said[name]) != plain(form.values[name])]


def preset(form: HardwareForm) -> list[Followed]:
    """What a preset has set and can be undone."""
    undo = form.before.undo
    return [_told(form, name, undo[name]) for name in undo if plain(undo[name]) != plain(form.values[name])]


def _told(form: HardwareForm, name: str, was: object) -> Followed:
    field = form.fields[name]
    return Followed(str(field.label), in_words(field, was), in_words(field, form.values[name]))


def _becomes_high_performance(form: HardwareForm) -> bool:
    was = form.before.shown.get("vm_type", VmType.HIGH_PERFORMANCE)
    return form.sensible["vm_type"] == VmType.HIGH_PERFORMANCE and plain(was) != VmType.HIGH_PERFORMANCE


def _high_performance(form: HardwareForm) -> Values:
    """The fields that oVirt sets with High Performance, as far as this dialog has them and they are not so already."""
    wanted = values_of(presets.high_performance(form.described), replace(form.offer, server=False))
    del wanted["name"]
    free = [name for name in wanted if name in form.fields and name not in form.fixed()]
    return {name: wanted[name] for name in free if plain(wanted[name]) != plain(form.values[name])}
