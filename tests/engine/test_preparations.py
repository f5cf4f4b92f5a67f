"""Prepare for headless from the first stage to the last: with a guest that obeys, lies, hangs or is not there, with an
engine that dies at every stage, and back again.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.engine.conftest import DATABASE, Running, comes_to, fresh
from tests.factories import machine
from tests.hypervisors.conftest import wait_until
from vms.actions import _stages, edit, jobs, power, preparations
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.guest import Guest
from vms.domain.preparation import Stage
from vms.engine import service, worker
from vms.hypervisors.base import Ran
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, AuditEvent, Host, Permission, Preparation, User

pytestmark = DATABASE

PATIENCE = 60.0  # seconds for one of many stages; a fraction of one on an idle machine


def eventually(condition: Callable[[], Any], what: str) -> Any:
    return wait_until(condition, PATIENCE, what)


LOOKED = "::loader=debian\n::changes\n+GRUB_TERMINAL\n::end\n"
CHANGED = "::loader=debian\n::kept=yes\n::changes\n+GRUB_TERMINAL\n::end\n"
UNDONE = "::loader=debian\n::changes\n-GRUB_TERMINAL\n::end\n"


class Guests:
    """Guests with an agent that comes when they have booted, and files that the script has changed or has not."""

    def __init__(self, hypervisor: MemoryHypervisor) -> None:
        self.hypervisor = hypervisor
        self.answers: dict[str, str] = {"look": LOOKED, "change": CHANGED, "undo": UNDONE}
        self.tasks: list[str] = []
        hypervisor.programs = self._answer

    def boot(self, vm: VM) -> None:
        """The guest has come up."""
        eventually(lambda: fresh(vm).status == "up", "it is up")
        self.hypervisor.agent_tells(vm.pk, Guest(agent=True))

    def prompt(self, vm: VM) -> None:
        """A log-in prompt stands on the serial line."""
        eventually(lambda: fresh(vm).status == "up", "it is up")
        VM.objects.filter(pk=vm.pk).update(login_seen_at=timezone.now())

    def _answer(self, _machine: Any, command: tuple[str, ...]) -> Ran:
        task = command[2].split()[0].removeprefix("TASK=")
        self.tasks.append(task)
        return Ran(0, self.answers[task])


@pytest.fixture
def guests(hypervisor: MemoryHypervisor, monkeypatch: pytest.MonkeyPatch) -> Guests:
    monkeypatch.setattr(service, "HOUSEKEEPING", 0.05)
    return Guests(hypervisor)


def at(preparation: Preparation, stage: Stage) -> Preparation:
    """The preparation, once it is at that stage."""
    eventually(lambda: (now := fresh(preparation)).stage == stage or not now.active, f"stage {stage}")
    there: Preparation = fresh(preparation)
    assert (there.stage, there.outcome) == (stage, "active"), there.error
    return there


def over(preparation: Preparation) -> Preparation:
    eventually(lambda: not fresh(preparation).active, "its end")
    there: Preparation = fresh(preparation)
    return there


def why(preparation: Preparation) -> str:
    """The code of what it failed with."""
    return str((over(preparation).error or {}).get("code"))


def codes(vm: VM) -> set[str]:
    return {
        code for code in AuditEvent.objects.filter(entity_id=vm.pk).values_list("code", flat=True) if "PREPAR" in code
    }


def prepared(vm: VM, guests: Guests, admin: User) -> Preparation:
    preparation = preparations.begin(vm, by=admin)
    guests.boot(vm)
    preparations.confirm(at(preparation, Stage.CONFIRM), by=admin)
    at(preparation, Stage.LOGIN)
    guests.prompt(vm)
    return over(preparation)


def test_a_machine_that_is_off_is_prepared_and_undone(engine: Running, vm: VM, admin: User, guests: Guests) -> None:
    preparation = preparations.begin(vm, by=admin)
    guests.boot(vm)
    once = fresh(vm)
    assert (once.run_once, once.running_graphics) == (True, "vnc")
    looked = at(preparation, Stage.CONFIRM)
    assert (looked.loader, looked.changes, guests.tasks) == ("debian", "+GRUB_TERMINAL", ["look"])
    preparations.confirm(looked, by=admin)
    at(preparation, Stage.LOGIN)
    guests.prompt(vm)
    done = over(preparation)
    there = comes_to(vm, "up")
    assert (done.outcome, done.kept, guests.tasks) == ("done", True, ["look", "change"])
    assert (there.console.headless, there.console.serial, there.running_graphics) == (True, True, "")
    power.shutdown(there, by=admin)
    comes_to(vm, "down")
    preparations.undo(done, by=admin)
    guests.boot(vm)
    undone = over(preparation)
    there = comes_to(vm, "down")
    assert (undone.outcome, undone.undoable, guests.tasks[2:]) == ("undone", False, ["undo"])
    assert there.console == vm.console
    assert codes(vm) == {"USER_PREPARES_VM", "VM_PREPARED", "USER_UNDOES_PREPARING_VM", "VM_PREPARING_UNDONE"}


def test_a_running_guest_that_answers_is_prepared_as_it_runs(
    engine: Running, vm: VM, admin: User, guests: Guests, hypervisor: MemoryHypervisor
) -> None:
    power.start(vm, by=admin)
    guests.boot(vm)
    eventually(lambda: fresh(vm).agent == "now", "its agent answers")
    assert prepared(comes_to(vm, "up"), guests, admin).outcome == "done"
    assert hypervisor.starts == 2, "it was not run once"
    undone = preparations.undo(Preparation.objects.get(), by=admin, may_power_off=True)
    eventually(lambda: fresh(vm).run_once, "it is run once, for its agent does not answer")
    guests.boot(vm)
    assert over(undone).outcome == "undone"
    assert comes_to(vm, "up").running_graphics == "vnc", "what ran runs again"


def test_a_guest_that_hangs_is_powered_off_only_where_that_was_allowed(
    engine: Running, headless_vm: VM, admin: User, guests: Guests
) -> None:
    power.start(headless_vm, by=admin)
    hung = comes_to(headless_vm, "up")
    with pytest.raises(Refusal, match="PREPARE_POWER_OFF_FIRST"):
        preparations.begin(hung, by=admin)
    preparation = preparations.begin(hung, by=admin, may_power_off=True)
    eventually(lambda: fresh(hung).run_once and fresh(hung).status == "up", "it runs once with a screen")
    guests.boot(hung)
    at(preparation, Stage.CONFIRM)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("::refused=no_grub\n::reason=\n", "PREPARE_NO_GRUB"),
        ("::refused=read_only\n::reason=/boot cannot be written to\n", "PREPARE_READ_ONLY"),
        ("I am your guest, trust me", "GUEST_AGENT_ANSWER_ILLEGAL"),
    ],
)
def test_what_the_guest_says_no_with_ends_it_and_nothing_is_changed(
    said: str, code: str, engine: Running, vm: VM, admin: User, guests: Guests
) -> None:
    guests.answers["look"] = said
    preparation = preparations.begin(vm, by=admin)
    guests.boot(vm)
    failed = over(preparation)
    assert (failed.outcome, failed.error and failed.error["code"], failed.undoable) == ("failed", code, False)
    assert not fresh(vm).console.headless
    event = AuditEvent.objects.get(code="VM_PREPARING_FAILED")
    assert (event.severity, event.params["reason"]) == ("error", code)


def test_a_guest_without_an_agent_and_a_boot_without_a_prompt_are_told(
    engine: Running, vm: VM, admin: User, guests: Guests
) -> None:
    preparation = preparations.begin(vm, by=admin)
    at(preparation, Stage.AGENT)
    Preparation.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert why(preparation) == "PREPARE_AGENT_MISSING"
    power.stop(comes_to(vm, "up"), by=admin)
    comes_to(vm, "down")
    again = preparations.begin(vm, by=admin)
    guests.boot(vm)
    preparations.confirm(at(again, Stage.CONFIRM), by=admin)
    at(again, Stage.LOGIN)
    Preparation.objects.filter(pk=again.pk).update(until=timezone.now() - timedelta(seconds=1))
    failed = over(again)
    assert (failed.error and failed.error["code"], failed.undoable) == ("PREPARE_LOGIN_NOT_SEEN", True)
    preparations.undo(failed, by=admin, may_power_off=True)
    eventually(lambda: fresh(vm).run_once, "it is run once, to be undone")
    guests.boot(vm)
    assert over(again).outcome == "undone"
    assert fresh(vm).console == vm.console


def test_alone_nobody_is_asked_but_an_encrypted_disk_ends_it(
    engine: Running, vm: VM, admin: User, guests: Guests
) -> None:
    preparation = preparations.begin(vm, by=admin, alone=True)
    guests.boot(vm)
    at(preparation, Stage.LOGIN)
    guests.prompt(vm)
    assert over(preparation).outcome == "done"
    other = machine("vault", by=admin)
    guests.answers["look"] = "::encrypted=yes\n" + LOOKED
    locked = preparations.begin(other, by=admin, alone=True)
    guests.boot(other)
    assert why(locked) == "PREPARE_ENCRYPTED"


def test_cancelling_leaves_the_guest_alone_and_the_machine_off(
    engine: Running, vm: VM, admin: User, guests: Guests
) -> None:
    preparation = preparations.begin(vm, by=admin)
    with pytest.raises(Refusal, match="PREPARE_UNDER_WAY"):
        preparations.begin(VM.objects.get(pk=vm.pk), by=admin, may_power_off=True)
    guests.boot(vm)
    preparations.cancel(at(preparation, Stage.CONFIRM), by=admin)
    assert comes_to(vm, "down").console == vm.console
    assert (fresh(preparation).outcome, guests.tasks) == ("cancelled", ["look"])
    with pytest.raises(Refusal, match="PREPARE_NOT_NOW"):
        preparations.confirm(preparation, by=admin)


@pytest.mark.parametrize("stage", [Stage.START, Stage.AGENT, Stage.LOOK, Stage.CHANGE, Stage.SHUT_DOWN, Stage.LOGIN])
def test_an_engine_that_dies_at_any_stage_is_followed_by_one_that_goes_on(
    stage: Stage,
    start_engine: Callable[..., Running],
    vm: VM,
    host: Host,
    admin: User,
    guests: Guests,
    hypervisor: MemoryHypervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It dies as soon as the stage is reached: what the stage asks for is recorded, and done by the next engine."""
    advance = preparations.advance
    dead: list[bool] = []

    def until_then() -> int:
        if not dead and Preparation.objects.filter(stage=stage).exists():
            dead.append(True)
            first.engine.stop()
        return 0 if dead else advance()

    monkeypatch.setattr(preparations, "advance", until_then)
    first = start_engine()
    preparation = preparations.begin(vm, by=admin, alone=True)
    eventually(lambda: dead or _helped(guests, vm), "its death")
    first.stop()
    monkeypatch.setattr(preparations, "advance", advance)
    start_engine(ready=False)
    eventually(lambda: _helped(guests, vm) and not fresh(preparation).active, "its end")
    assert fresh(preparation).outcome == "done", fresh(preparation).error
    assert fresh(vm).console.headless
    assert hypervisor.starts == 2, "once with a screen and once without"


def test_a_script_that_an_engine_died_over_is_run_again(
    start_engine: Callable[..., Running],
    vm: VM,
    host: Host,
    admin: User,
    guests: Guests,
    hypervisor: MemoryHypervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The guest is changed and nobody was told: done twice, it comes to the same."""

    class Died(BaseException):
        pass

    def die(verb: str, point: str) -> None:
        if (verb, point) == ("prepare_guest", "called"):
            raise Died

    engine = start_engine()
    preparation = preparations.begin(vm, by=admin)
    guests.boot(vm)
    looked = at(preparation, Stage.CONFIRM)
    engine.stop()
    preparations.confirm(looked, by=admin)
    preparations.advance()
    job = jobs.claim("dead engine", [host.pk])
    hypervisor.open(lambda _event: None)
    assert job is not None
    with monkeypatch.context() as patch:
        patch.setattr(worker, "crash_point", die)
        with pytest.raises(Died):
            worker.carry_out(job, hypervisor)
    hypervisor.close()
    start_engine(ready=False)
    at(preparation, Stage.LOGIN)
    assert guests.tasks == ["look", "change", "change"]


def _helped(guests: Guests, vm: VM) -> bool:
    """The guest boots, and offers its log-in, whenever it is up."""
    there = fresh(vm)
    if there.status == "up" and there.agent != "now":
        guests.boot(vm)
    if there.status == "up" and not there.run_once:
        guests.prompt(vm)
    return there.status == "up" and not there.run_once


def test_a_fleet_boots_a_few_at_a_time_and_all_have_their_turn(engine: Running, admin: User, guests: Guests) -> None:
    machines = [machine(f"m{number}", by=admin) for number in range(_stages.AT_ONCE + 2)]
    begun = [preparations.begin(vm, by=admin, alone=True) for vm in machines]
    most = 0

    def all_over() -> bool:
        nonlocal most
        most = max(most, VM.objects.up().filter(run_once=True).count())
        for vm in machines:
            _helped(guests, vm)
        return not Preparation.objects.filter(outcome="active").exists()

    eventually(all_over, "every one is prepared")
    assert {fresh(preparation).outcome for preparation in begun} == {"done"}
    assert 0 < most <= _stages.AT_ONCE


def test_what_goes_wrong_in_one_holds_up_no_other(
    engine: Running, vm: VM, admin: User, guests: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = machine("other", by=admin)

    def wrong(*_: object) -> None:
        raise ValueError

    with monkeypatch.context() as patch:
        patch.setitem(_stages.STEPS, Stage.START, wrong)
        assert why(preparations.begin(vm, by=admin)) == "ENGINE_FAILED"
    guests_of = preparations.begin(other, by=admin)
    guests.boot(other)
    at(guests_of, Stage.CONFIRM)


def test_a_stateless_machine_would_forget_it(vm: VM, admin: User) -> None:
    edit.edit(vm, Changes(attributes={"stateless": True}), by=admin)
    with pytest.raises(Refusal, match="PREPARE_STATELESS"):
        preparations.begin(fresh(vm), by=admin)


def test_who_may_not_edit_and_run_it_prepares_nothing(vm: VM, bob: User, alice: User, guests: Guests) -> None:
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        preparations.begin(vm, by=bob)
    preparation = preparations.begin(vm, by=alice)
    for act in (preparations.confirm, preparations.cancel, preparations.undo):
        with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
            act(preparation, by=bob)


def test_rights_that_are_lost_on_the_way_end_it(engine: Running, vm: VM, alice: User, guests: Guests) -> None:
    preparation = preparations.begin(vm, by=alice)
    guests.boot(vm)
    looked = at(preparation, Stage.CONFIRM)
    preparations.confirm(looked, by=alice)
    at(preparation, Stage.LOGIN)
    Permission.objects.filter(user=alice).delete()
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        preparations.cancel(looked, by=alice)
