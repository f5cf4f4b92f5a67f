"""One machine and many who want it at once: one effect, one refusal for the rest, and nothing lost."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.actions.crowd import at_once, copied_database
from tests.actions.runs import seen
from tests.factories import headless, machine
from vms.actions import create, jobs, power, reports
from vms.actions._action import action
from vms.actions._audit import broken_link, chain, record
from vms.actions._authorise import ENGINE
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.errors import KINDS, Kind
from vms.domain.lifecycle import Status
from vms.models import VM, AuditEvent, Device, Host, Job, JobState, User

pytestmark = pytest.mark.sql


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> Iterator[None]:
    """Here, in place of a transaction that is rolled back: a copy that threads share and leave changed."""
    with django_db_blocker.unblock(), copied_database(tmp_path):
        yield


def codes(outcomes: list[Any]) -> Counter[str]:
    """How often each refusal was heard."""
    return Counter(one for one in outcomes if isinstance(one, str))


def fresh(vm: VM) -> VM:
    return VM.objects.get(pk=vm.pk)


def test_sixty_four_starts_are_one(vm: VM, admin: User) -> None:
    outcomes = at_once([partial(power.start, vm, by=admin)] * 64)
    job = Job.objects.get()
    assert [one for one in outcomes if isinstance(one, Job)] == [job]
    (refusal,) = codes(outcomes)
    assert (codes(outcomes)[refusal], KINDS[refusal]) == (63, Kind.CONFLICT)
    assert AuditEvent.objects.filter(code="USER_STARTED_VM").count() == 1
    assert fresh(vm).status == "wait_for_launch"


def test_even_without_a_look_at_the_state_there_is_one_job(vm: VM, host: Host) -> None:
    """The constraint keeps the promise by itself."""
    job = partial(Job.objects.create, machine=vm.pk, machine_name=vm.name, host=host, verb="start")
    outcomes = at_once([action(job)] * 16)
    assert (Job.objects.count(), codes(outcomes)) == (1, {"ACTION_TYPE_FAILED_OBJECT_LOCKED": 15})


def test_sixty_four_edits_are_all_there(vm: VM, admin: User) -> None:
    outcomes = at_once([partial(edit, vm, Changes(machine={"memory": 2000 + n}), by=admin) for n in range(64)])
    assert codes(outcomes) == {}
    events = list(AuditEvent.objects.filter(code="USER_UPDATE_VM").order_by("id"))
    assert [event.before["memory"] for event in events] == [1024, *(event.after["memory"] for event in events[:-1])]
    assert (fresh(vm).version, len(events), fresh(vm).memory) == (65, 64, events[-1].after["memory"])


def test_of_edits_of_the_same_version_the_first_wins(vm: VM, admin: User) -> None:
    changes = [Changes(machine={"memory": 2000 + n}, version=1) for n in range(16)]
    outcomes = at_once([partial(edit, vm, one, by=admin) for one in changes])
    assert codes(outcomes) == {"ACTION_TYPE_FAILED_EDITED_MEANWHILE": 15}
    (won,) = (one for one in outcomes if isinstance(one, VM))
    assert (fresh(vm).memory, fresh(vm).version) == (won.memory, 2)


def test_sixteen_machines_of_one_name_are_one(vm: VM, admin: User, host: Host) -> None:
    before = Device.objects.count()
    outcomes = at_once([partial(create.vm, "twin", cluster=host.cluster, by=admin)] * 16)
    assert codes(outcomes) == {"ACTION_TYPE_FAILED_NAME_ALREADY_USED": 15}
    twin = VM.objects.get(name="twin")
    assert Device.objects.count() == before + twin.devices.count()
    assert AuditEvent.objects.filter(code="USER_ADD_VM", entity_name="twin").count() == 1


def test_sixteen_who_take_one_job_are_one(vm: VM, admin: User, host: Host) -> None:
    power.start(vm, by=admin)
    outcomes = at_once([partial(jobs.claim, f"engine-{n}", [host.pk]) for n in range(16)])
    taken = [one for one in outcomes if one is not None]
    assert len(taken) == 1
    assert (Job.objects.get().attempts, Job.objects.get().lease_owner) == (1, taken[0].lease_owner)  # type: ignore[union-attr]


def test_many_jobs_are_taken_once_each(admin: User, host: Host) -> None:
    for number in range(12):
        power.start(machine(f"vm{number}", by=admin), by=admin)
    outcomes = at_once([partial(jobs.claim, f"engine-{n}", [host.pk]) for n in range(12)])
    assert len({one.machine for one in outcomes if isinstance(one, Job)}) == sum(one is not None for one in outcomes)
    assert set(Job.objects.values_list("attempts", flat=True)) <= {0, 1}


def test_edits_and_the_engines_reports_write_past_each_other(vm: VM, admin: User, host: Host) -> None:
    """Two writers, disjoint columns: neither puts the other's back."""
    states = [Status.POWERING_UP, Status.UP, Status.PAUSED, Status.UP] * 4
    calls: list[Any] = []
    for number, state in enumerate(states):
        calls.append(partial(edit, vm, Changes(machine={"memory": 2000 + number}), by=admin))
        calls.append(partial(reports.machine_seen, host, seen(vm, state)))
    assert codes(at_once(calls)) == {}
    reports.machine_seen(host, seen(vm, Status.UP))
    after = fresh(vm)
    assert (after.version, after.status, after.host) == (17, "up", host)
    last = AuditEvent.objects.filter(code="USER_UPDATE_VM").latest("id")
    assert after.memory == last.after["memory"]


def test_a_machine_is_started_or_removed_but_never_both(admin: User, host: Host) -> None:
    for number in range(4):
        vm = machine(f"vm{number}", by=admin)
        calls: list[Any] = [partial(power.start, vm, by=admin), partial(remove, vm, by=admin)]
        outcomes = at_once(calls * 4)
        waiting = Job.objects.filter(machine=vm.pk, state=JobState.QUEUED).count()
        assert waiting == VM.objects.filter(pk=vm.pk).count()
        assert sum(codes(outcomes).values()) == 7


def test_a_machine_becomes_headless_and_back_without_a_half_way(vm: VM, admin: User) -> None:
    def untick(console: Any, offer: Any) -> Any:
        return console.as_graphical(offer)

    calls: list[Any] = [partial(edit, vm, Changes(console=how), by=admin) for how in (headless, untick)] * 12
    assert codes(at_once(calls)) == {}
    kinds = set(vm.devices.filter(scope="configured").values_list("kind", flat=True))
    assert ("graphics" in kinds, "video" in kinds) == (not fresh(vm).console.headless,) * 2


def test_the_chain_holds_while_many_write_and_one_chains(vm: VM) -> None:
    before = AuditEvent.objects.count()
    writers: list[Any] = [partial(record, ENGINE, "VM_DOWN", vm)] * 32
    at_once([*writers[:16], chain, *writers[16:]])
    chain()
    assert AuditEvent.objects.exclude(sequence=None).count() == before + 32
    assert broken_link() is None
