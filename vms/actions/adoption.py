"""Machines that a host had before us: taken over as they are, kept as they are, made ordinary where that is wanted."""

from dataclasses import replace
from typing import Final

from django.db.models import QuerySet

from vms.domain.errors import Refusal
from vms.domain.machine import NAME_LENGTH, MachineSpec
from vms.libvirtxml.adopt import Adopted, adopt
from vms.libvirtxml.observe import observe
from vms.models import VM, ActionGroup, Domain, Host, Job

from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._disputes import definition_of, require_undisputed
from ._jobs import DEFINE, NORMALISE, enqueue
from ._owning import own
from ._shape import follow

__all__ = [
    "accept",
    "definition_of",
    "foreign",
    "normalise",
    "read_again",
    "require_undisputed",
    "restore",
    "take_over",
    "take_over_all",
]

READ_AGAIN: Final = ("memory", "cpu", "os", "firmware", "tpm", "boot_order", "console")


def foreign(host: Host) -> QuerySet[Domain]:
    """The domains of a host that nobody manages."""
    return Domain.objects.filter(host=host).exclude(definition="").exclude(machine__in=VM.objects.values("pk"))


@action
def take_over(domain: Domain, *, name: str = "", by: Actor) -> VM:
    """Manage a domain as a virtual machine from now on, by its own name or another; nothing is changed on its host."""
    domain = Domain.objects.select_for_update(of=("self",)).select_related("host__cluster").get(pk=domain.pk)
    host = domain.host
    authorise(by, ActionGroup.CREATE_VM, host.cluster)
    if VM.objects.filter(pk=domain.machine).exists():
        raise Refusal("DOMAIN_IS_MANAGED", None, name=domain.name)
    found = adopt(domain.definition)
    vm = VM(cluster=host.cluster, host=host, adopted=True, odd=list(found.odd))
    vm.id = domain.machine
    vm.spec = MachineSpec(id=domain.machine, name=name or _free(found.name), **found.parts)
    vm.pinned = {"machine": observe(domain.definition).machine, "addresses": {}}
    vm.save(force_insert=True)
    follow(vm)
    domain.accepted = domain.definition
    domain.save(update_fields=["accepted"])
    own(by, "UserVmManager", vm=vm)
    record(by, "USER_ADOPT_VM", vm, host=host.name, domain=domain.name)
    return vm


@action
def take_over_all(host: Host, *, by: Actor) -> list[VM]:
    """Manage every domain of a host that nobody manages yet."""
    authorise(by, ActionGroup.CREATE_VM, host.cluster)
    found = list(foreign(host))
    if not found:
        raise Refusal("NO_DOMAIN_TO_ADOPT", None, host=host.name)
    return [take_over(domain, by=by) for domain in found]


@action
def accept(vm: VM, *, by: Actor) -> VM:
    """Take a definition that somebody changed outside for the right one: it is kept from now on as he left it, and the
    machine's configuration follows it."""
    vm = locked(vm)
    authorise(by, ActionGroup.EDIT_VM_PROPERTIES, vm)
    there = _changed(vm)
    if there.gone:
        raise Refusal("DEFINITION_IS_GONE", None, name=vm.name)
    found = adopt(there.definition)
    vm.adopted, vm.odd = True, list(found.odd)
    vm.spec = _read(vm.spec, found)
    vm.version += 1
    vm.save(update_fields=[*VM.SPEC_FIELDS, "adopted", "odd", "version"])
    there.accepted = there.definition
    there.save(update_fields=["accepted"])
    _told(vm)
    record(by, "USER_ACCEPT_DEFINITION", vm)
    return vm


@action
def restore(vm: VM, *, by: Actor) -> Job:
    """Write the definition again that somebody changed or removed outside: an adopted one as it was taken over, ours as
    it is configured."""
    vm = locked(vm)
    authorise(by, ActionGroup.EDIT_VM_PROPERTIES, vm)
    there = _changed(vm)
    job = enqueue(vm, DEFINE, by=by, host=vm.host, own=there.accepted if vm.adopted else "")
    record(by, "USER_RESTORE_DEFINITION", vm)
    return job


@action
def normalise(vm: VM, *, by: Actor) -> Job:
    """Give an adopted machine's definition the graphics and video that it is configured with, and nothing else; what
    runs shows it after its next start."""
    vm = locked(vm)
    authorise(by, ActionGroup.EDIT_VM_PROPERTIES, vm)
    if not vm.adopted:
        raise Refusal("VM_IS_NOT_ADOPTED", None, name=vm.name)
    require_undisputed(vm)
    job = enqueue(vm, NORMALISE, by=by, host=vm.host)
    record(by, "USER_NORMALISE_VM", vm)
    return job


def read_again(vm: VM) -> None:
    """What is odd about a locked adopted machine, after its definition was written."""
    there = definition_of(vm) if vm.adopted else None
    if there is not None and there.definition:
        vm.odd = list(adopt(there.definition).odd)
        vm.save(update_fields=["odd"])


def _changed(vm: VM) -> Domain:
    there = definition_of(vm)
    if there is None or not there.differs:
        raise Refusal("DEFINITION_IS_UNCHANGED", None, name=vm.name)
    return there


def _read(spec: MachineSpec, found: Adopted) -> MachineSpec:
    console = found.console
    shown = spec.console.as_headless()
    if console.video is not None:
        shown = spec.console.with_display(console.graphics, console.video)
    parts = {**{name: found.parts[name] for name in READ_AGAIN}, "console": replace(shown, serial=console.serial)}
    return replace(spec, maximum_memory=None, guaranteed_memory=None, **parts)


def _told(vm: VM) -> None:
    vm.drift = False
    vm.save(update_fields=["drift"])
    follow(vm)


def _free(name: str) -> str:
    """The name, or one like it that no machine has."""
    taken, number, free = set(VM.objects.filter(name__startswith=name[:50]).values_list("name", flat=True)), 1, name
    while free in taken:
        number += 1
        free = f"{name[: NAME_LENGTH - len(str(number)) - 1]}-{number}"
    return free
