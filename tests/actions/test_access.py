"""The last way into a machine: people confirm that it goes, programs are believed, and both are told in the trail."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.actions.runs import choosing, up
from tests.factories import headless
from vms.actions import access, consoles, create, power
from vms.actions.edit import edit
from vms.domain.access import Proof, Way
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer, Protocol
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AuditEvent, Cluster, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

MAKING: dict[str, Callable[..., Any]] = {
    "vm": lambda cluster, **given: create.vm("new", cluster=cluster, **given),
    "template": lambda cluster, **given: create.template("new", cluster=cluster, **given),
    "pool": lambda cluster, **given: create.pool("new", cluster=cluster, size=2, **given),
    "instance_type": lambda cluster, **given: create.instance_type("new", **given),
}


def reachable(console: Console, _offer: Offer) -> Console:
    """Headless, with a serial line left."""
    return replace(console.as_headless(), serial=True)


def by_a_person(console: Any) -> Changes:
    """What a dialog sends before anybody has confirmed anything."""
    return Changes(console=console, accept_lockout=False)


def warned_of() -> list[str]:
    return list(AuditEvent.objects.filter(code="VM_LOCKED_OUT").order_by("id").values_list("entity_name", flat=True))


@pytest.mark.parametrize("kind", MAKING)
def test_making_what_nobody_can_reach_takes_a_confirmation(kind: str, cluster: Cluster, admin: User) -> None:
    make = MAKING[kind]
    with pytest.raises(Refusal) as no:
        make(cluster, changes=by_a_person(headless), by=admin)
    assert (no.value.code, no.value.field) == ("VM_WOULD_BE_LOCKED_OUT", "accept_lockout")
    assert not AuditEvent.objects.exists()
    row = make(cluster, changes=Changes(console=headless), by=admin)
    assert (row.console.headless, warned_of()) == (True, ["new"])


@pytest.mark.parametrize("kind", MAKING)
def test_editing_away_the_last_way_in_takes_a_confirmation(kind: str, cluster: Cluster, admin: User) -> None:
    row = MAKING[kind](cluster, by=admin)
    with pytest.raises(Refusal, match="VM_WOULD_BE_LOCKED_OUT"):
        edit(row, by_a_person(headless), by=admin)
    assert not type(row).objects.get(pk=row.pk).console.headless
    assert edit(row, by_a_person(reachable), by=admin).console.headless
    with pytest.raises(Refusal, match="VM_WOULD_BE_LOCKED_OUT"):
        edit(row, by_a_person(lambda console, _offer: replace(console, serial=False)), by=admin)
    assert warned_of() == []


def test_who_is_locked_out_already_is_not_asked_again(headless_vm: VM, admin: User) -> None:
    asked = replace(by_a_person(None), attributes={"comment": "known"})
    assert edit(headless_vm, asked, by=admin).comment == "known"
    assert warned_of() == ["db"]


def test_a_way_back_in_and_out_again_is_told_again(headless_vm: VM, admin: User) -> None:
    edit(headless_vm, Changes(console=reachable), by=admin)
    edit(headless_vm, Changes(console=lambda console, _offer: replace(console, serial=False)), by=admin)
    assert warned_of() == ["db", "db"]


def test_the_last_console_removed_by_a_program_is_believed_and_told(vm: VM, admin: User) -> None:
    assert consoles.detach(vm, Protocol.VNC, by=admin).console.headless
    event = AuditEvent.objects.get(code="VM_LOCKED_OUT")
    assert (event.severity, event.actor, event.entity_id) == ("warning", admin, vm.pk)


def test_a_copy_that_nobody_can_reach_takes_a_confirmation_of_its_own(headless_vm: VM, admin: User) -> None:
    for copy in (
        lambda changes: create.clone(headless_vm, "copy", changes=changes, by=admin),
        lambda changes: create.template("copy", vm=headless_vm, changes=changes, by=admin),
    ):
        with pytest.raises(Refusal, match="VM_WOULD_BE_LOCKED_OUT"):
            copy(by_a_person(None))
        copy(Changes())
    assert warned_of() == ["db", "copy", "copy"]


def test_the_machines_of_a_pool_are_confirmed_with_the_pool(cluster: Cluster, admin: User) -> None:
    pool = create.pool("lab", cluster=cluster, size=3, changes=Changes(console=headless), by=admin)
    assert (pool.vms.count(), warned_of()) == (3, ["lab"])


VERBS: dict[Verb, Callable[..., Job]] = {
    Verb.START: lambda vm, **given: power.start(vm, **given),
    Verb.RUN_ONCE: lambda vm, **given: power.run_once(vm, choosing(ConsoleChoice.HEADLESS), **given),
}


@pytest.mark.parametrize("verb", VERBS)
def test_starting_what_nobody_can_reach_takes_a_confirmation(verb: Verb, headless_vm: VM, admin: User) -> None:
    before = warned_of()
    with pytest.raises(Refusal, match="VM_WOULD_BE_LOCKED_OUT"):
        VERBS[verb](headless_vm, by=admin, accept_lockout=False)
    assert (Job.objects.count(), warned_of()) == (0, before)
    VERBS[verb](headless_vm, by=admin)
    assert warned_of() == [*before, "db"]


def test_a_run_is_judged_by_what_it_shows_and_not_by_what_is_configured(vm: VM, headless_vm: VM, admin: User) -> None:
    power.run_once(headless_vm, choosing(ConsoleChoice.VNC), by=admin, accept_lockout=False)
    with pytest.raises(Refusal, match="VM_WOULD_BE_LOCKED_OUT"):
        power.run_once(vm, choosing(ConsoleChoice.HEADLESS), by=admin, accept_lockout=False)
    power.run_once(vm, choosing(ConsoleChoice.HEADLESS, serial=True), by=admin, accept_lockout=False)
    assert Job.objects.count() == 2


def test_resuming_asks_nothing(headless_vm: VM, host: Host, admin: User) -> None:
    up(headless_vm, host, by=admin)
    VM.objects.update(status="paused", observed="paused")
    assert power.start(headless_vm, by=admin, accept_lockout=False).verb == Verb.RESUME


def test_a_key_that_the_first_boot_brings_is_a_way_in(headless_vm: VM, admin: User) -> None:
    assert access.of(headless_vm).ways[Way.SSH_KEY] is Proof.MISSING
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ admin"
    edit(headless_vm, Changes(attributes={"kept": {"initialization/authorized_ssh_keys": key}}), by=admin)
    ways = access.of(VM.objects.get(pk=headless_vm.pk)).ways
    assert ways[Way.SSH_KEY] is Proof.UNPROVEN
