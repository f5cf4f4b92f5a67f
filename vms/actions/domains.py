"""What the engine sees of the definitions on a host: ours, adopted, and those that nobody manages."""

import hashlib
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.db.models import F

from vms.domain.hosts import Observation
from vms.domain.lifecycle import Verb
from vms.models import VM, Domain, Host

from ._action import action
from ._audit import record
from ._authorise import ENGINE
from ._changes import changed
from ._jobs import DEFINE, NORMALISE

# What writes a definition: whatever is there afterwards is meant.
_WRITE: Final = frozenset({Verb.START.value, Verb.RUN_ONCE.value, DEFINE, NORMALISE})


def digest(definition: str) -> str:
    """A short mark that differs when the text does."""
    return hashlib.sha256(definition.encode()).hexdigest()


def known(host: Host) -> Mapping[UUID, str]:
    """The marks of the definitions that were seen on a host last."""
    return dict(Domain.objects.filter(host=host).values_list("machine", "digest"))


def seen(host: Host, observation: Observation) -> None:
    """A definition was looked at; nothing is written where it is as before."""
    there = Domain.objects.filter(host=host, machine=observation.id).first()
    told = (observation.name[:255], observation.status.value, observation.definition)
    if there is None or not there.digest or (there.name, there.status, there.definition) != told:
        _write_down(host, observation)


@action
def gone(host: Host, machine: UUID) -> None:
    """The host does not know a machine any more: somebody has removed it, or it was never ours."""
    there = Domain.objects.select_for_update().filter(host=host, machine=machine).first()
    if there is None:
        return
    vm = _its_machine(there)
    if vm is None or not there.accepted:
        there.delete()
        changed(host)
        return
    if there.definition:
        there.definition, there.digest = "", digest("")
        there.save(update_fields=["definition", "digest", "seen_at"])
        record(ENGINE, "VM_UNDEFINED_OUTSIDE", vm, severity="warning", host=host.name)
    _mark(vm, there)


def written(machine: UUID) -> None:
    """A job of ours may have changed a definition (snapshots do): what is there at the next look is meant, unless what
    somebody else changed is still to be settled."""
    Domain.objects.filter(machine=machine, definition=F("accepted")).update(accepted="", digest="")


def settled(vm: VM, host: Host, verb: str, observation: Observation) -> None:
    """A job on a locked machine is done: what it wrote is meant, and what somebody else changed before stays told."""
    there, _made = Domain.objects.select_for_update().get_or_create(
        host=host, machine=vm.pk, defaults={"name": observation.name}
    )
    was_told, before = there.differs, there.accepted
    there.name, there.status = observation.name[:255], observation.status.value
    there.definition, there.digest = observation.definition, digest(observation.definition)
    if verb == Verb.MIGRATE:
        left = Domain.objects.filter(machine=vm.pk).exclude(pk=there.pk).first()
        before, was_told = (left.accepted, left.differs) if left else (before, was_told)
    there.accepted = before if was_told and verb not in _WRITE else observation.definition
    there.save()
    _mark(vm, there)


@action
def _write_down(host: Host, observation: Observation) -> None:
    there, _made = Domain.objects.select_for_update().get_or_create(host=host, machine=observation.id)
    vm, before = _its_machine(there), there.definition
    there.name, there.status = observation.name[:255], observation.status.value
    there.definition, there.digest = observation.definition, digest(observation.definition)
    if vm is not None and not there.accepted:  # the first look at what was there before anybody looked
        there.accepted = there.definition
    there.save()
    if vm is None:
        changed(host)
        return
    if there.differs and before != there.definition:
        code = "VM_UNDEFINED_OUTSIDE" if there.gone else "VM_CHANGED_OUTSIDE"
        record(ENGINE, code, vm, severity="warning", host=host.name)
    _mark(vm, there)


def _its_machine(there: Domain) -> VM | None:
    """The machine that is defined there; None for a definition that is not ours, or that was left on another host."""
    return VM.objects.filter(pk=there.machine, host=there.host_id).first()


def _mark(vm: VM, there: Domain) -> None:
    if vm.drift != there.differs:
        vm.drift = there.differs
        vm.save(update_fields=["drift"])
        changed(vm)
