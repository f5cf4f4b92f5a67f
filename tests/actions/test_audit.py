"""The audit trail: one event for each thing that happened, whole, chained, and never changed."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db.models import F

from tests.actions.runs import choosing, claimed, seen, tell, up
from tests.factories import headless, machine
from vms.actions import consoles, create, jobs, power
from vms.actions._audit import _digest, broken_link, chain, coming_from, correlation_id, record
from vms.actions._authorise import ENGINE
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.lifecycle import Status
from vms.domain.parts import Topology
from vms.domain.runonce import ConsoleChoice
from vms.domain.secret import Secret
from vms.models import VM, AuditEvent, Cluster, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

Act = Callable[[VM, User], object]

MAKING: dict[str, tuple[Callable[[Cluster, User], object], str]] = {
    "vm": (lambda cluster, by: create.vm("new", cluster=cluster, by=by), "USER_ADD_VM"),
    "template": (lambda cluster, by: create.template("new", cluster=cluster, by=by), "USER_ADD_VM_TEMPLATE"),
    "pool": (lambda cluster, by: create.pool("new", cluster=cluster, size=3, by=by), "USER_ADD_VM_POOL"),
    "instance_type": (lambda cluster, by: create.instance_type("new", by=by), "USER_ADD_INSTANCE_TYPE"),
}
# verb: the state it wants, what it does, and the code of its event
VERBS: dict[str, tuple[str, Act, str]] = {
    "start": ("down", lambda vm, by: power.start(vm, by=by), "USER_STARTED_VM"),
    "run_once": ("down", lambda vm, by: power.run_once(vm, choosing(ConsoleChoice.VNC), by=by), "USER_STARTED_VM"),
    "resume": ("paused", lambda vm, by: power.resume(vm, by=by), "USER_RESUME_VM"),
    "shutdown": ("up", lambda vm, by: power.shutdown(vm, by=by), "USER_INITIATED_SHUTDOWN_VM"),
    "stop": ("up", lambda vm, by: power.stop(vm, by=by), "USER_STOP_VM"),
    "reboot": ("up", lambda vm, by: power.reboot(vm, by=by), "USER_REBOOT_VM"),
    "reset": ("up", lambda vm, by: power.reset(vm, by=by), "USER_RESET_VM"),
    "suspend": ("up", lambda vm, by: power.suspend(vm, by=by), "USER_SUSPEND_VM"),
    "edit": ("down", lambda vm, by: edit(vm, Changes(console=headless), by=by), "USER_UPDATE_VM"),
    "edit running": ("up", lambda vm, by: edit(vm, Changes(console=headless), by=by), "USER_UPDATE_VM"),
    "attach": ("down", lambda vm, by: consoles.attach(vm, Protocol.SPICE, by=by), "USER_UPDATE_VM"),
    "detach": ("down", lambda vm, by: consoles.detach(vm, Protocol.VNC, by=by), "USER_UPDATE_VM"),
    "remove": ("down", lambda vm, by: remove(vm, by=by), "USER_REMOVE_VM_FINISHED"),
}


def new_events(act: Callable[[], object]) -> list[AuditEvent]:
    """What an action recorded, the first thing first."""
    there = set(AuditEvent.objects.values_list("pk", flat=True))
    act()
    return list(AuditEvent.objects.exclude(pk__in=there).order_by("id"))


def the_event(act: Callable[[], object]) -> AuditEvent:
    """What was recorded, a warning that nobody can reach the machine left aside (test_access)."""
    (event,) = [event for event in new_events(act) if event.code != "VM_LOCKED_OUT"]
    return event


def in_state(vm: VM, host: Host, state: str, by: User) -> VM:
    if state == "down":
        return vm
    running = up(vm, host, by=by)
    return running if state == "up" else tell(running, host, Status.PAUSED, run=running.run)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_recorded_once_with_who_what_and_whence(vm: VM, host: Host, admin: User, verb: str) -> None:
    state, act, code = VERBS[verb]
    vm = in_state(vm, host, state, admin)
    key = vm.pk
    with coming_from("192.0.2.7", "corr-1"):
        event = the_event(lambda: act(vm, admin))
    assert (event.code, event.actor, event.actor_name, event.severity) == (code, admin, "admin", "normal")
    assert (event.address, event.correlation_id) == ("192.0.2.7", "corr-1")
    assert (event.entity_kind, event.entity_id, event.entity_name) == ("vm", key, "web")


@pytest.mark.parametrize("kind", MAKING)
def test_making_is_recorded_once_whatever_comes_with_it(host: Host, admin: User, kind: str) -> None:
    make, code = MAKING[kind]
    event = the_event(lambda: make(host.cluster, admin))
    assert (event.code, event.entity_name) == (code, "new")
    assert event.entity_kind == kind.replace("_", "")


def test_an_edit_records_what_changed_and_nothing_else(vm: VM, admin: User) -> None:
    changes = Changes(machine={"memory": 2048, "cpu": Topology(cores=2)}, attributes={"comment": "new"})
    event = the_event(lambda: edit(vm, changes, by=admin))
    assert event.before == {"memory": 1024, "cpu.cores": 1, "comment": ""}
    assert event.after == {"memory": 2048, "cpu.cores": 2, "comment": "new"}


def test_becoming_headless_is_recorded_in_words(vm: VM, admin: User) -> None:
    event = the_event(lambda: edit(vm, Changes(console=headless), by=admin))
    assert event.before == {"console.graphics": ["vnc"], "console.video": "vga"}
    assert event.after == {"console.graphics": [], "console.video": None}


def test_a_chosen_template_is_recorded_by_its_name(vm: VM, admin: User, host: Host) -> None:
    chosen = create.instance_type("Special", by=admin)
    event = the_event(lambda: edit(vm, Changes(attributes={"instance_type": chosen}), by=admin))
    assert (event.before, event.after) == ({"instance_type": None}, {"instance_type": "Special"})


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_refused_is_not_recorded(vm: VM, host: Host, admin: User, carol: User, verb: str) -> None:
    state, act, _code = VERBS[verb]
    vm = in_state(vm, host, state, admin)

    def attempt() -> None:
        with pytest.raises(Refusal):
            act(vm, carol)

    assert new_events(attempt) == []


def test_what_the_engine_does_is_recorded_as_its_own(vm: VM, host: Host) -> None:
    event = the_event(lambda: power.start(vm, by=ENGINE))
    assert (event.actor, event.actor_name) == (None, "engine")
    assert Job.objects.get().created_by is None


def test_a_person_who_is_removed_is_still_named(vm: VM, host: Host, bob: User) -> None:
    event = the_event(lambda: power.start(vm, by=bob))
    chain()
    bob.delete()
    event.refresh_from_db()
    assert (event.actor, event.actor_name, broken_link()) == (None, "bob", None)


# -- where a request came from


def test_a_job_carries_the_id_of_the_request_that_wanted_it(vm: VM, host: Host, admin: User) -> None:
    with coming_from("192.0.2.7", "corr-1"):
        assert power.start(vm, by=admin).correlation_id == "corr-1"


def test_a_request_without_an_id_gets_one_for_all_it_causes(vm: VM, admin: User) -> None:
    with coming_from(None, ""):
        first = the_event(lambda: edit(vm, Changes(machine={"memory": 2000}), by=admin))
        second = the_event(lambda: edit(vm, Changes(machine={"memory": 3000}), by=admin))
    assert len(first.correlation_id) == 32
    assert first.correlation_id == second.correlation_id


def test_requests_are_told_apart_and_end(vm: VM) -> None:
    with coming_from("192.0.2.7", "outer"):
        with coming_from("192.0.2.8", "inner"):
            assert correlation_id() == "inner"
        assert correlation_id() == "outer"
    assert correlation_id() == ""


def test_another_thread_is_another_request() -> None:
    with coming_from("192.0.2.7", "here"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(correlation_id).result() == ""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("unknown", None),
        ("192.0.2.7:5678", None),
        ("", None),
        (None, None),
    ],
)
def test_only_what_is_an_address_is_kept_as_one(vm: VM, admin: User, given: str | None, kept: str | None) -> None:
    with coming_from(given, "corr-1"):
        event = the_event(lambda: edit(vm, Changes(machine={"memory": 2000}), by=admin))
    assert AuditEvent.objects.get(pk=event.pk).address == kept


def test_an_id_that_is_too_long_is_cut(vm: VM, admin: User) -> None:
    with coming_from(None, "x" * 500):
        assert the_event(lambda: edit(vm, Changes(machine={"memory": 2000}), by=admin)).correlation_id == "x" * 50


# -- for ever


def test_an_event_is_never_changed_nor_removed(vm: VM) -> None:
    event = record(ENGINE, "VM_DOWN", vm)
    event.code = "VM_DOWN_ERROR"
    with pytest.raises(TypeError, match="never changed"):
        event.save()
    with pytest.raises(TypeError, match="never changed"):
        AuditEvent.objects.get(pk=event.pk).save(update_fields=["code"])
    with pytest.raises(TypeError, match="never removed"):
        event.delete()
    assert AuditEvent.objects.get(pk=event.pk).code == "VM_DOWN"


@pytest.fixture
def story(vm: VM, host: Host, admin: User) -> list[AuditEvent]:
    """A dozen events, all in the chain."""
    with coming_from("192.0.2.7", "corr-1"):
        for memory in range(1100, 1106):
            edit(vm, Changes(machine={"memory": memory}), by=admin)
        up(vm, host, by=admin)
    chain()
    found = list(AuditEvent.objects.order_by("sequence"))
    assert len(found) >= 9
    return found


def test_the_chain_numbers_from_one_without_a_gap_and_only_once(story: list[AuditEvent]) -> None:
    assert [event.sequence for event in story] == list(range(1, len(story) + 1))
    assert len({event.hash for event in story}) == len(story)
    assert (chain(), broken_link()) == (0, None)


def test_the_chain_goes_on_where_it_was(story: list[AuditEvent], vm: VM) -> None:
    record(ENGINE, "VM_DOWN", vm)
    assert (chain(), broken_link()) == (1, None)
    assert AuditEvent.objects.order_by("sequence").last().sequence == len(story) + 1  # type: ignore[union-attr]


def test_a_thousand_events_are_chained_at_a_time(vm: VM) -> None:
    events = [AuditEvent(at=vm.created_at, code="VM_DOWN", actor_name="engine", entity_kind="vm") for _ in range(1001)]
    AuditEvent.objects.bulk_create(events)
    waiting = AuditEvent.objects.count()
    assert (chain(), chain(), chain()) == (1000, waiting - 1000, 0)
    assert broken_link() is None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("code", "USER_STOP_VM"),
        ("severity", "error"),
        ("actor_name", "mallory"),
        ("address", "198.51.100.1"),
        ("correlation_id", "other"),
        ("entity_kind", "pool"),
        ("entity_id", "11111111-1111-1111-1111-111111111111"),
        ("entity_name", "other"),
        ("before", {"memory": 1}),
        ("after", {"memory": 1}),
        ("params", {"verb": "stop"}),
        ("hash", "0" * 64),
    ],
)
def test_any_change_of_any_event_shows(story: list[AuditEvent], column: str, value: Any) -> None:
    for event in story:
        kept = AuditEvent.objects.filter(pk=event.pk).values(column).get()
        AuditEvent.objects.filter(pk=event.pk).update(**{column: value})
        assert broken_link() == event.sequence
        AuditEvent.objects.filter(pk=event.pk).update(**kept)
    assert broken_link() is None


def test_another_time_shows(story: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=story[3].pk).update(at=story[4].at)
    assert broken_link() == 4


def test_an_event_that_is_taken_out_shows(story: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=story[3].pk).delete()
    assert broken_link() == 4


def test_an_event_that_is_taken_out_shows_even_if_the_rest_moves_up(story: list[AuditEvent]) -> None:
    AuditEvent.objects.filter(pk=story[3].pk).delete()
    for event in story[4:]:
        AuditEvent.objects.filter(pk=event.pk).update(sequence=F("sequence") - 1)
    assert broken_link() == 4


def test_two_events_that_change_places_show(story: list[AuditEvent]) -> None:
    first, second = story[3], story[4]
    for event, sequence in ((first, None), (second, 4), (first, 5)):
        AuditEvent.objects.filter(pk=event.pk).update(sequence=sequence)
    assert broken_link() == 4


def test_a_change_that_was_given_a_hash_of_its_own_shows_in_the_next_event(story: list[AuditEvent]) -> None:
    """Each hash covers the one before it: whoever changes one event has to change all that follow."""
    event, before = story[3], story[2]
    event.code = "USER_STOP_VM"
    AuditEvent.objects.filter(pk=event.pk).update(code=event.code, hash=_digest(event, 4, before.hash))
    assert broken_link() == 5


# -- no secrets


def test_a_secret_cannot_be_recorded(vm: VM) -> None:
    with pytest.raises(TypeError):
        record(ENGINE, "VM_DOWN", vm, password=Secret("correct horse"))


def test_no_event_of_a_whole_life_holds_a_secret(vm: VM, host: Host, admin: User) -> None:
    Host.objects.filter(pk=host.pk).update(password=Secret("correct horse"))
    edit(vm, Changes(console=headless), by=admin)
    running = up(vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    power.stop(running, by=admin)
    jobs.finish(claimed(host), seen(running, Status.DOWN))
    written = json.dumps(list(AuditEvent.objects.values()), default=str) + json.dumps(
        list(Job.objects.values()), default=str
    )
    stored = list(Host.objects.values_list("password", flat=True))
    assert not any(word in written for word in ("correct horse", "admin-password", admin.password, str(stored[0])))


def test_an_event_is_written_with_the_change_or_not_at_all(vm: VM, admin: User, monkeypatch: Any) -> None:
    from vms.actions import _shape

    def full(*_: Any, **__: Any) -> None:
        raise Refusal("ENGINE_FAILED")

    monkeypatch.setattr(_shape, "record", full)
    with pytest.raises(Refusal, match="ENGINE_FAILED"):
        edit(vm, Changes(machine={"memory": 2000}), by=admin)
    assert VM.objects.get(pk=vm.pk).memory == 1024


def test_a_name_that_was_changed_is_told_as_it_is_now(admin: User, host: Host) -> None:
    vm = machine("before", by=admin)
    event = the_event(lambda: edit(vm, Changes(machine={"name": "after"}), by=admin))
    assert (event.entity_name, event.before, event.after) == ("after", {"name": "before"}, {"name": "after"})
