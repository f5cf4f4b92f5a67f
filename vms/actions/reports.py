"""What the engine has seen: the only writer of the observed columns; never touches what is configured."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.utils import timezone

from vms.domain.console import Protocol
from vms.domain.devices import OUR_ALIAS
from vms.domain.errors import Refusal
from vms.domain.hosts import Capabilities, Ended, Endpoint, Observation
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.domain.runonce import LOOPBACK, Run
from vms.models import VM, AuditEvent, Change, Host, HostStatus, JobState

from . import boots, guests, pools, power, screenshots, stateless
from ._action import action
from ._audit import record
from ._authorise import ENGINE
from ._devices import sync_devices
from ._disks import attachments
from ._jobs import requests
from ._reboots import ends_with_reboot
from ._shape import set_reboot
from ._status import project

# A highly available machine is started again after these; one that nobody saw end may have lost its host.
_FAILED: Final = frozenset({Ended.CRASHED, Ended.UNKNOWN})
_PAUSES: Final[dict[str, str]] = {Ended.NO_SPACE: "VM_PAUSED_ENOSPC", Ended.IO_ERROR: "VM_PAUSED_EIO"}
# What a host is in that answers, or would, and cannot be used all the same.
_LOST: Final = {
    "HYPERVISOR_PACKAGE_MISSING": HostStatus.DOWN,
    "ACTION_TYPE_FAILED_VDS_WITH_SAME_UUID_EXIST": HostStatus.NON_OPERATIONAL,
    "HOST_TOO_OLD": HostStatus.NON_OPERATIONAL,
}
TRIES: Final = 5
TRIES_WITHIN: Final = timedelta(minutes=10)


def machine_seen(host: Host, observation: Observation, *, rebooted: bool = False) -> bool:
    """A machine was looked at, perhaps since its guest has just rebooted; False for one that is not ours.

    Nothing is written where nothing has changed: most looks find everything as it was.
    """
    vm = VM.objects.select_related("host", "cluster", "console_user").filter(pk=observation.id).first()
    if vm is not None and _is_elsewhere(vm, observation, host):
        return False
    if vm is None or (not rebooted and not vm.busy and _is_known(vm, observation, host)):
        return vm is not None
    return _write_down(host, observation, rebooted=rebooted)


@action
def _write_down(host: Host, observation: Observation, *, rebooted: bool) -> bool:
    vm = VM.objects.select_for_update().filter(pk=observation.id).first()
    if vm is None or _is_elsewhere(vm, observation, host):
        return False
    apply(vm, observation, host, rebooted=rebooted)
    return True


@action
def machine_missing(host: Host, machine: UUID) -> None:
    """The host does not know a machine that was last seen there: it is off."""
    vm = VM.objects.select_for_update().filter(pk=machine, host=host).first()
    if vm is not None and vm.observed != Status.DOWN:
        apply(vm, Observation(id=vm.pk, name=vm.name, status=Status.DOWN, ended=Ended.UNKNOWN), host)


@action
def host_seen(host: Host, capabilities: Capabilities) -> None:
    """The host answers, and tells what it offers; refused when it is another host of ours by another address."""
    twins = Host.objects.filter(capability_document__uuid=capabilities.uuid).exclude(pk=host.pk)
    if capabilities.uuid and (twin := twins.first()):
        raise Refusal("ACTION_TYPE_FAILED_VDS_WITH_SAME_UUID_EXIST", "uri", name=twin.name)
    if host.status != HostStatus.UP:
        record(ENGINE, "VDS_DETECTED", host)
    host.status, host.reason, host.capabilities = HostStatus.UP, {}, capabilities
    host.save(update_fields=["status", "reason", "capability_document"])


@action
def host_lost(host: Host, refusal: Refusal) -> None:
    """The host does not answer: what ran on it is unknown until it does."""
    status = _LOST.get(refusal.code, HostStatus.NON_RESPONSIVE)
    reason = refusal.as_document()
    if (host.status, host.reason) == (status, reason):
        return
    host.status, host.reason = status, reason
    host.save(update_fields=["status", "reason"])
    record(ENGINE, "VDS_FAILURE", host, severity="error", reason=reason["code"], params=reason["params"])
    for vm in VM.objects.select_for_update().filter(host=host).exclude(observed__in=NOT_RUNNING).order_by("pk"):
        vm.observed = Status.UNKNOWN.value
        vm.save(update_fields=["observed"])
        project(vm)


@action
def engine_stopped(hosts: Iterable[Host]) -> None:
    """The engine goes away politely: nobody watches its hosts until it is back."""
    for host in hosts:
        Host.objects.filter(pk=host.pk, status=HostStatus.UP).update(status=HostStatus.CONNECTING)


def recorded(hosts: Collection[UUID]) -> list[tuple[UUID, UUID]]:
    """The machines on these hosts whose serial lines are written down at present, each after its host."""
    running = VM.objects.filter(host__in=hosts).exclude(observed__in=NOT_RUNNING).exclude(running=None)
    return [(vm.host_id, vm.pk) for vm in running if vm.host_id and vm.run and vm.run.spec.console.recorded]


def mark() -> int:
    """How much has been changed by now, whoever did; what is the same as before says that nothing has."""
    return Change.objects.order_by("-id").values_list("id", flat=True).first() or 0


def expected(host: Host) -> dict[UUID, Status]:
    """The machines that the database believes to be on a host, with the status it believes them in."""
    rows = VM.objects.filter(host=host).values_list("pk", "observed")
    return {key: Status(observed) for key, observed in rows}


def apply(vm: VM, seen: Observation, host: Host | None, *, rebooted: bool = False) -> None:
    """Bring a locked VM's observed columns up to what was seen, and go on with what waited for it."""
    was, before, known = Status(vm.observed), vm.ended, (vm.running, vm.pinned)
    _set_observed(vm, seen, host)
    if rebooted:
        boots.begin(vm)
    vm.save(update_fields={*VM.OBSERVED_FIELDS, *VM.GUEST_FIELDS, *VM.BOOT_FIELDS})
    if (vm.running, vm.pinned) != known:
        sync_devices(vm)
    if seen.status == Status.DOWN != was:
        stateless.end(vm)
    _tell_of_pause(vm, before)
    restart = _settle(vm, seen, was, rebooted=rebooted)
    project(vm)
    set_reboot(vm)
    if restart:
        _restart(vm)
    elif seen.status == Status.DOWN != was:
        screenshots.forget(vm)
        pools.run_ended(vm)


def _tell_of_pause(vm: VM, before: str) -> None:
    """Tell people that a machine waits for its disks, and that it goes on."""
    if vm.ended != before and vm.observed == Status.PAUSED and vm.ended in _PAUSES:
        on = ", ".join(sorted({row.disk.domain.name for row in attachments(vm)}))
        record(ENGINE, _PAUSES[vm.ended], vm, severity="error", domain=on)
    elif before in _PAUSES and vm.observed == Status.UP:
        record(ENGINE, "VM_RECOVERED_FROM_PAUSE_ERROR", vm)


def _is_elsewhere(vm: VM, seen: Observation, host: Host) -> bool:
    """Whether a host tells of a machine that is another host's: one where it is only defined knows nothing of its run,
    and one where it comes in or runs a second time has it once its own host says that it does not run there."""
    if vm.host_id in {None, host.pk}:
        return False
    return seen.status != Status.UP or vm.observed == Status.UP


def _is_known(vm: VM, seen: Observation, host: Host) -> bool:
    """Whether an unlocked VM's columns say already what was seen, and nothing is to follow from it."""
    before = _columns(vm)
    _set_observed(vm, seen, host)
    settled = Status(vm.observed) in NOT_RUNNING or vm.cold_reboot == ends_with_reboot(vm)
    return settled and before == _columns(vm)


def _columns(vm: VM) -> list[Any]:
    """What is observed, with documents as their texts: those of the database have lists for our tuples."""
    values = (getattr(vm, name) for name in (*VM.OBSERVED_FIELDS, *VM.GUEST_FIELDS, *VM.BOOT_FIELDS))
    documents = (dict, list, tuple)
    return [msgspec.json.encode(one, order="deterministic") if isinstance(one, documents) else one for one in values]


def _set_observed(vm: VM, seen: Observation, host: Host | None) -> None:
    running = seen.status not in NOT_RUNNING
    vm.observed = seen.status.value
    vm.ended = seen.ended.value if seen.ended else ""
    vm.host = host or vm.host
    vm.endpoints = msgspec.to_builtins(_told(seen.endpoints, vm.host)) if running else []
    vm.cold_reboot = running and seen.cold_reboot
    if seen.machine:
        ours = {alias: address for alias, address in seen.addresses.items() if alias.startswith(OUR_ALIAS)}
        addresses = {**vm.pinned.get("addresses", {}), **ours}
        vm.pinned = {"machine": seen.machine, "addresses": msgspec.to_builtins(addresses)}
    if not running:
        vm.console_user = vm.console_until = None
        guests.forget_the_run(vm)
        boots.forget_the_run(vm)
    elif not seen.agent:
        guests.agent_is_gone(vm)
    if running:
        vm.run = seen.run or vm.run or _run_of(vm, seen)
        vm.started_at = vm.started_at or timezone.now()
        if vm.booted_at is None:
            boots.begin(vm)
    elif seen.status != Status.SUSPENDED:
        vm.run, vm.started_at, vm.left_at = None, None, None


def _told(endpoints: Collection[Endpoint], host: Host | None) -> list[Endpoint]:
    """Where screens listen, as viewers are told; whoever looked may have known the host before it was opened."""
    if host is None or all(endpoint.address == LOOPBACK for endpoint in endpoints):
        return list(endpoints)
    doorway = Host.objects.get(pk=host.pk).doorway
    return [doorway.told(endpoint) for endpoint in endpoints]


def _run_of(vm: VM, seen: Observation) -> Run | None:
    """The run of a machine that somebody else started, as far as its console tells."""
    if seen.console is None:
        return None
    shown = seen.console
    monitors = 1 if Protocol.VNC in shown.graphics else vm.monitors
    console = replace(vm.console, graphics=shown.graphics, video=shown.video, serial=shown.serial, monitors=monitors)
    return Run(base=replace(vm.spec, console=console))


def _settle(vm: VM, seen: Observation, was: Status, *, rebooted: bool) -> bool:
    """End the jobs that waited for what has happened; True when the machine is to be started again."""
    waiting = requests(vm)
    done = {"state": JobState.FINISHED, "finished_at": timezone.now()}
    if seen.status == Status.DOWN:
        cold = waiting.filter(verb=Verb.REBOOT).update(**done)
        waiting.update(**done)
        if was not in NOT_RUNNING:
            _record_end(vm, seen)
        if was not in NOT_RUNNING and seen.ended in _FAILED and vm.high_availability:
            return _may_try_again(vm)
        if seen.ended == Ended.CRASHED:  # a person should look first (oVirt: only a normal exit is followed by a start)
            return False
        return bool(cold) or (was not in NOT_RUNNING and seen.ended == Ended.REBOOT)
    if rebooted:
        waiting.filter(verb=Verb.REBOOT).update(**done)
    return False


def _may_try_again(vm: VM) -> bool:
    """Whether a highly available machine that failed is started again; not for ever when it fails each time."""
    since = timezone.now() - TRIES_WITHIN
    tried = AuditEvent.objects.filter(entity_id=vm.pk, code="HA_VM_FAILED", at__gt=since).count()
    if tried >= TRIES:
        record(ENGINE, "EXCEEDED_MAXIMUM_NUM_OF_RESTART_HA_VM_ATTEMPTS", vm, severity="error", tries=tried)
        return False
    record(ENGINE, "HA_VM_FAILED", vm, severity="error")
    return True


def _record_end(vm: VM, seen: Observation) -> None:
    crashed = seen.ended == Ended.CRASHED
    code, severity = ("VM_DOWN_ERROR", "error") if crashed else ("VM_DOWN", "normal")
    record(ENGINE, code, vm, severity=severity, ended=seen.ended.value if seen.ended else "")


def _restart(vm: VM) -> None:
    try:
        power.start(vm, by=ENGINE)
    except Refusal as refusal:
        told = refusal.as_document()
        record(ENGINE, "USER_FAILED_START_VM", vm, severity="error", reason=told["code"], params=told["params"])
