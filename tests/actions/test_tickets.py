"""Passwords of running consoles: who gets one, who is the console's user, and that nothing of it is written down."""

import logging
from dataclasses import replace

import pytest
from django.utils import timezone

from tests.actions.runs import down, fresh, tell, up
from tests.consoles.engine import Consoles, engine
from tests.factories import person
from vms.actions import passes, screens, tickets
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.lifecycle import TICKETABLE, Status
from vms.domain.secret import Secret
from vms.models import VM, AuditEvent, ConsoleKind, ConsolePass, Host, Permission, User

__all__ = ["engine"]

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def shown(vm: VM, host: Host, admin: User) -> VM:
    return up(vm, host, by=admin)


def test_who_asks_first_is_the_consoles_user_until_the_run_ends(
    shown: VM, host: Host, alice: User, bob: User, engine: Consoles
) -> None:
    tickets.issue(shown, by=alice)
    with pytest.raises(Refusal, match="USER_CANNOT_FORCE_RECONNECT_TO_VM"):
        tickets.issue(shown, by=bob)
    assert fresh(shown).console_user == alice
    assert down(shown, host).console_user is None
    tickets.issue(up(shown, host, by=alice), by=bob)
    assert fresh(shown).console_user == bob


def test_who_may_take_over_does(shown: VM, alice: User, admin: User, engine: Consoles) -> None:
    tickets.issue(shown, by=alice)
    tickets.issue(shown, by=admin)
    assert fresh(shown).console_user == admin


def test_without_strict_user_checking_anybody_who_may_connect_takes_over(
    shown: VM, alice: User, bob: User, engine: Consoles
) -> None:
    tickets.issue(shown, by=alice)
    edit(shown, Changes(console=lambda console, _offer: replace(console, allow_reconnect=True)), by=alice)
    tickets.issue(shown, by=bob)
    assert fresh(shown).console_user == bob


def test_a_password_that_could_not_be_set_leaves_all_as_it_was(
    shown: VM, alice: User, admin: User, engine: Consoles
) -> None:
    tickets.issue(shown, by=alice)
    events = AuditEvent.objects.count()
    engine.refusal = Refusal("HYPERVISOR_REFUSED", None, message="busy")
    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED") as refused:
        tickets.issue(shown, by=admin)
    assert refused.value.params["message"] == "busy"
    assert (fresh(shown).console_user, AuditEvent.objects.count()) == (alice, events)


def test_the_trail_tells_who_opened_what_and_nothing_of_the_password(
    shown: VM, alice: User, engine: Consoles, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        tickets.issue(shown, by=alice, password=Secret("hush-hus"), seconds=60)
    event = AuditEvent.objects.get(code="VM_SET_TICKET")
    assert (event.actor, event.entity_id, event.params) == (alice, shown.pk, {"protocol": "VNC", "seconds": 60})
    stored = [str(list(model.objects.values())) for model in (AuditEvent, VM, ConsolePass)]
    assert "hush-hus" not in "".join(stored) + caplog.text


def test_an_engine_that_fails_tells_nothing_of_the_password(
    shown: VM, alice: User, engine: Consoles, caplog: pytest.LogCaptureFixture
) -> None:
    engine.refusal = ValueError("hush-hus is wrong")  # type: ignore[assignment]
    with pytest.raises(Refusal, match="ENGINE_FAILED"):
        tickets.issue(shown, by=alice, password=Secret("hush-hus"))
    assert "hush-hus" not in caplog.text


def test_a_ticket_takes_a_state_that_a_password_can_be_set_in(
    shown: VM, host: Host, alice: User, engine: Consoles
) -> None:
    assert {Status.MIGRATING_FROM, Status.SAVING_STATE}.isdisjoint(TICKETABLE)
    tell(shown, host, Status.MIGRATING_FROM, run=shown.run)
    with pytest.raises(Refusal, match="VM_STATUS_ILLEGAL"):
        tickets.issue(shown, by=alice)
    tell(shown, host, Status.PAUSED, run=shown.run)
    tickets.issue(shown, by=alice)
    assert shown.pk in engine.set


@pytest.mark.parametrize("by", ["carol", "gone"])
def test_who_may_not_connect_gets_neither_ticket_nor_pass(shown: VM, by: str, engine: Consoles) -> None:
    who = person(by)
    if by == "gone":
        person(by, role="UserRole", vm=shown)
        Permission.objects.filter(user=who).delete()
    for ask in (lambda: tickets.issue(shown, by=who), lambda: passes.give(shown, ConsoleKind.VNC, by=who)):
        with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
            ask()
    assert (engine.set, ConsolePass.objects.count()) == ({}, 0)


def test_a_pass_is_for_a_console_that_there_is(shown: VM, alice: User) -> None:
    with pytest.raises(Refusal, match="GRAPHICS_CONSOLE_NOT_FOUND"):
        passes.give(shown, ConsoleKind.SPICE, by=alice)
    told = passes.give(shown, ConsoleKind(Protocol.VNC.value), by=alice, session="mark")
    kept = ConsolePass.objects.get()
    assert (kept.digest, kept.session) == (ConsolePass.digest_of(told.reveal()), "mark")


def test_who_asked_and_has_not_come_until_the_ticket_expires_keeps_nobody_out(
    shown: VM, alice: User, bob: User, engine: Consoles
) -> None:
    tickets.issue(shown, by=alice, seconds=60)
    VM.objects.update(console_until=timezone.now())
    tickets.issue(shown, by=bob)
    assert fresh(shown).console_user == bob


def test_who_has_come_keeps_the_console_until_he_leaves(
    shown: VM, host: Host, alice: User, bob: User, engine: Consoles
) -> None:
    tickets.issue(shown, by=alice, seconds=60)
    screens.seen(host, shown.pk, left=False)
    assert fresh(shown).console_until is None
    with pytest.raises(Refusal, match="FORCE_RECONNECT"):
        tickets.issue(shown, by=bob)
    screens.seen(host, shown.pk, left=True)
    tickets.issue(shown, by=bob)
    told = AuditEvent.objects.filter(code__startswith="VM_CONSOLE").order_by("id").values_list("code", "actor_name")
    assert list(told) == [("VM_CONSOLE_CONNECTED", "alice"), ("VM_CONSOLE_DISCONNECTED", "alice")]
