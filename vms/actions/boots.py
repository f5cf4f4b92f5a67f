"""What became of a boot: the only writer of the machine's diagnosis, and of what was ever heard of its guest."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.utils import timezone

from vms.domain.access import Seen
from vms.domain.doctor import Diagnosis, Finding
from vms.domain.lifecycle import Status
from vms.models import VM

from ._action import action
from ._audit import record
from ._authorise import ENGINE
from ._changes import changed
from ._status import project

# A boot that has not come to anything by then is left to people; a slow one under emulation takes two minutes.
WINDOW: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booting:
    """A machine whose boot is followed: on which host, since when, and what is known of it."""

    machine: UUID
    host: UUID
    since: datetime
    answers: bool
    screen: bool
    address: str
    ssh: bool
    diagnosis: Diagnosis | None


def followed(hosts: Collection[UUID]) -> Iterator[Booting]:
    """The machines on these hosts that run, and whose boot is young enough to be followed."""
    rows = VM.objects.up().filter(host__in=hosts, booted_at__gt=timezone.now() - WINDOW)
    for vm in rows.only(*_READ):
        assert vm.host_id, "the query asks for it"
        assert vm.booted_at, "the query asks for it"
        yield Booting(
            machine=vm.pk,
            host=vm.host_id,
            since=vm.booted_at,
            answers=vm.agent == Seen.NOW or bool(vm.ip),
            screen=bool(vm.running_graphics),
            address=vm.ip.partition(" ")[0],
            ssh=vm.ssh_seen_at is not None and vm.ssh_seen_at >= vm.booted_at,
            diagnosis=vm.diagnosis,
        )


_READ: Final = (*("host", "booted_at", "agent", "ip", "running_graphics", "ssh_seen_at", "diagnosis_document"),)


@action
def diagnosed(booting: Booting, diagnosis: Diagnosis) -> bool:
    """The boot has come to this; False where the machine has begun another one meanwhile, or this is no news."""
    vm = _locked(booting)
    if vm is None or _same(vm.diagnosis, diagnosis):
        return False
    vm.diagnosis = diagnosis
    if diagnosis.finding is Finding.LOG_IN:
        vm.login_seen_at = timezone.now()
    vm.save(update_fields=VM.BOOT_FIELDS)
    if diagnosis.finding is Finding.LOG_IN:
        project(vm)
    if diagnosis.finding.alarming:
        record(ENGINE, "VM_BOOT_NEEDS_ATTENTION", vm, severity="warning", finding=diagnosis.finding.value)
    changed(vm)
    return True


@action
def ssh_answered(booting: Booting) -> None:
    """An SSH server at the guest's address has said its name."""
    vm = _locked(booting)
    if vm is not None:
        vm.ssh_seen_at = timezone.now()
        vm.save(update_fields=VM.BOOT_FIELDS)
        project(vm)


def begin(vm: VM) -> None:
    """Set, on an unsaved machine, that it boots from now on."""
    vm.booted_at, vm.diagnosis = timezone.now(), None


def forget_the_run(vm: VM) -> None:
    """Set, on an unsaved machine that is not running any more, that nothing boots."""
    vm.booted_at, vm.diagnosis = None, None


def _locked(booting: Booting) -> VM | None:
    found = VM.objects.select_for_update().filter(pk=booting.machine, booted_at=booting.since)
    return found.filter(observed=Status.UP.value).first()


def _same(before: Diagnosis | None, now: Diagnosis) -> bool:
    """Whether it says the same but for the time; a boot that goes on is no news every second."""
    return before is not None and replace(before, after=0) == replace(now, after=0)
