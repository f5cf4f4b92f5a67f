"""What an edit of a running machine asks back: field by field what is now and what would be, at once and after a
restart; nothing is saved before the answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from vms import messages
from vms.domain.machine import MachineSpec
from vms.forms import HardwareForm
from vms.forms.heritage import in_words
from vms.forms.parts import plain, values_of
from vms.messages import Text
from vms.models import VM

from .words import told

# Fields that a running guest need not know of; every other one is a part of `MachineSpec.shape()`.
LIVE: Final = frozenset(
    {
        *("description", "comment", "delete_protected", "template", "instance_type", "use_latest_version"),
        *("stateless", "start_paused", "guaranteed_memory", "hosts", "migration", "high_availability", "priority"),
        *("disconnect_action", "disconnect_delay", "allow_reconnect"),
    }
)


@dataclass(frozen=True)
class Line:
    """One field: what is now, and what would be."""

    label: Text
    was: Text
    now: Text


@dataclass(frozen=True)
class Plan:
    """What saving would do to a running machine: `waiting` is what waited for a restart before."""

    at_once: list[Line]
    with_restart: list[Line]
    waiting: list[Line]
    after: MachineSpec
    running: MachineSpec


def plan(form: HardwareForm) -> Plan | None:
    """What to ask back about a valid form; None where nothing new would have to wait for a restart."""
    vm: Any = form.row
    run = vm.run if isinstance(vm, VM) and not form.is_new else None
    if run is None:
        return None
    after = form.changes().apply_to(form.source, vm.offer)
    stored, wanted, running = vm.spec.shape(), after.shape(), run.base.shape()
    touched = {key for key in wanted if wanted[key] != stored[key]}
    differs = after.differs_from(run.base)
    asked, before = ([key for key in differs if (key in touched) == is_new] for is_new in (True, False))
    if not asked:
        return None
    lines = {key: Line(messages.CHANGES[key], told(key, running[key]), told(key, wanted[key])) for key in differs}
    return Plan(list(_live(form, vm)), [lines[key] for key in asked], [lines[key] for key in before], after, run.base)


def _live(form: HardwareForm, vm: VM) -> Iterator[Line]:
    stored = values_of(vm.spec, vm.offer())
    for name in (name for name in form.fields if name in LIVE and name not in form.locked):
        was, now = stored[name] if name in stored else getattr(vm, name), form.cleaned_data[name]
        if plain(was) != plain(now):
            field = form.fields[name]
            yield Line(str(field.label), in_words(field, was), in_words(field, now))
