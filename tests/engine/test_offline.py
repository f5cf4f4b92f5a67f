"""Prepare for headless on the disks of a machine that is off: what it says before, what it changes, who ends it half
way, and what it refuses.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.engine.conftest import DATABASE, Running, comes_to, fresh
from tests.engine.test_preparations import CHANGED, LOOKED, UNDONE, Guests, at, eventually, over, why
from tests.factories import machine
from vms.actions import cancelling, disks, fleet, power, preparations, storage
from vms.domain.disks import GIB, DiskFormat
from vms.domain.errors import Refusal
from vms.domain.hosts import NoOffline
from vms.domain.preparation import Stage, Way
from vms.engine import service
from vms.hypervisors.base import Progress
from vms.hypervisors.memory import MemoryHypervisor
from vms.hypervisors.memorymachine import SPACIOUS
from vms.models import VM, Disk, DiskStatus, Host, Job, Preparation, StorageDomain, StorageStatus, User

pytestmark = DATABASE


class Systems:
    """What lies on the disks of machines, as far as a program that is run in it tells."""

    def __init__(self, hypervisor: MemoryHypervisor) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.answers: dict[str, str | Refusal] = {"look": LOOKED, "change": CHANGED, "undo": UNDONE}
        self.hangs = False
        hypervisor.store.systems = self._run

    def _run(self, program: str, write: bool, progress: Progress) -> str:
        task = program.split()[0].removeprefix("TASK=")
        assert "OFFLINE=yes" in program
        self.asked.append((task, write))
        assert progress(40)
        while self.hangs:
            if not progress(70):
                raise Refusal("JOB_CANCELLED")
        progress(95)
        answer = self.answers[task]
        if isinstance(answer, Refusal):
            raise answer
        return answer


@pytest.fixture
def hypervisor() -> MemoryHypervisor:
    return MemoryHypervisor(replace(SPACIOUS, no_offline=None))


@pytest.fixture
def systems(hypervisor: MemoryHypervisor, monkeypatch: pytest.MonkeyPatch) -> Systems:
    monkeypatch.setattr(service, "HOUSEKEEPING", 0.05)
    return Systems(hypervisor)


@pytest.fixture
def guests(hypervisor: MemoryHypervisor) -> Guests:
    return Guests(hypervisor)


def with_disk(vm: VM, by: User, **how: object) -> Disk:
    storage.ensure_one()
    eventually(lambda: StorageDomain.objects.filter(status=StorageStatus.ACTIVE).exists(), "there is storage")
    raw = {"format": DiskFormat.RAW, "shareable": True} if how.pop("shareable", False) else {}
    row = disks.create_in(
        vm, "root", domain=StorageDomain.objects.get(), size=GIB, by=by, how={"bootable": True, **how}, **raw
    )
    eventually(lambda: fresh(row.disk).status == DiskStatus.OK, "its disk")
    disk: Disk = fresh(row.disk)
    return disk


@pytest.fixture
def installed(engine: Running, vm: VM, admin: User, systems: Systems) -> VM:
    """A machine that is off, with a disk that something lies on."""
    with_disk(vm, admin)
    there: VM = fresh(vm)
    return there


def by_its_disks(vm: VM, by: User, **how: bool) -> Preparation:
    return preparations.begin(fresh(vm), by=by, way=Way.OFFLINE, **how)


def test_a_machine_that_is_off_is_prepared_and_undone_on_its_disks(
    installed: VM, admin: User, guests: Guests, systems: Systems, hypervisor: MemoryHypervisor
) -> None:
    looked = at(by_its_disks(installed, admin), Stage.CONFIRM)
    assert (looked.loader, looked.changes, systems.asked) == ("debian", "+GRUB_TERMINAL", [("look", False)])
    assert hypervisor.starts == 0, "it was never run for it"
    preparations.confirm(looked, by=admin)
    at(looked, Stage.LOGIN)
    guests.prompt(installed)
    done = over(looked)
    there = comes_to(installed, "up")
    assert (done.outcome, done.kept, systems.asked[1:]) == ("done", True, [("change", True)])
    assert (there.console.headless, there.console.serial, there.running_graphics) == (True, True, "")
    job = Job.objects.filter(verb="prepare_offline").latest("created_at")
    names = list(job.steps.values_list("name", flat=True))
    assert names == ["prepare_offline", "find_system", "run_offline", "write_disks"]
    power.stop(there, by=admin)
    comes_to(installed, "down")
    preparations.undo(done, by=admin)
    assert over(done).outcome == "undone"
    assert (comes_to(installed, "down").console, systems.asked[2:]) == (installed.console, [("undo", True)])


def test_what_was_prepared_on_its_disks_is_undone_by_an_agent_that_answers(
    installed: VM, admin: User, guests: Guests, systems: Systems
) -> None:
    preparation = by_its_disks(installed, admin, alone=True)
    at(preparation, Stage.LOGIN)
    guests.prompt(installed)
    guests.boot(installed)
    eventually(lambda: fresh(installed).agent == "now", "its agent answers")
    preparations.undo(over(preparation), by=admin)
    assert over(preparation).outcome == "undone"
    assert (guests.tasks, len(systems.asked)) == (["undo"], 2)


def test_a_machine_that_runs_is_switched_off_before_only_where_that_is_allowed(
    installed: VM, admin: User, systems: Systems
) -> None:
    power.start(installed, by=admin)
    comes_to(installed, "up")
    with pytest.raises(Refusal, match="PREPARE_MUST_BE_OFF"):
        by_its_disks(installed, admin)
    preparation = by_its_disks(installed, admin, may_power_off=True)
    at(preparation, Stage.CONFIRM)
    power.start(comes_to(installed, "down"), by=admin)
    comes_to(installed, "up")
    preparations.confirm(fresh(preparation), by=admin)
    assert why(preparation) == "PREPARE_MUST_BE_OFF", "somebody has started it meanwhile"
    assert systems.asked == [("look", False)]


@pytest.mark.parametrize("door", ["wizard", "tasks"])
def test_an_appliance_that_hangs_is_called_off_and_nothing_is_changed(
    door: str, installed: VM, admin: User, systems: Systems
) -> None:
    looked = at(by_its_disks(installed, admin), Stage.CONFIRM)
    systems.hangs = True
    preparations.confirm(looked, by=admin)
    eventually(lambda: Job.objects.filter(verb="prepare_offline", progress=70).exists(), "it is at it")
    with pytest.raises(Refusal):
        power.start(fresh(installed), by=admin)
    if door == "wizard":
        preparations.cancel(fresh(looked), by=admin)
    else:
        cancelling.cancel(Job.objects.get(verb="prepare_offline", state="started"), by=admin)
    assert over(looked).outcome == "cancelled"
    assert (comes_to(installed, "down").console, fresh(looked).undoable) == (installed.console, False)


def test_what_came_to_its_end_in_spite_of_a_cancellation_can_be_undone(
    installed: VM, admin: User, systems: Systems
) -> None:
    looked = at(by_its_disks(installed, admin), Stage.CONFIRM)
    systems.hangs = True
    preparations.confirm(looked, by=admin)
    eventually(lambda: Job.objects.filter(verb="prepare_offline", progress=70).exists(), "it is at it")
    job = Job.objects.get(verb="prepare_offline", state="started")
    preparations.cancel(fresh(looked), by=admin)
    Job.objects.filter(pk=job.pk).update(cancelling=False)  # it was written to the disks by then
    preparations.heard(job, 0, CHANGED)
    assert (fresh(looked).outcome, fresh(looked).undoable) == ("cancelled", True)
    systems.hangs = False


@pytest.mark.parametrize(
    "no",
    [
        Refusal("OFFLINE_ENCRYPTED"),
        Refusal("OFFLINE_FILE_SYSTEM", None, device="/dev/sda1", message="not clean with errors"),
        Refusal("OFFLINE_HANGS", None, seconds=480),
    ],
)
def test_what_is_found_on_the_disks_ends_it_and_nothing_is_changed(
    no: Refusal, installed: VM, admin: User, systems: Systems
) -> None:
    systems.answers["look"] = no
    preparation = by_its_disks(installed, admin)
    assert why(preparation) == no.code
    assert not fresh(preparation).undoable
    assert fresh(installed).console == installed.console


def test_a_change_that_fails_leaves_nothing_to_undo(installed: VM, admin: User, systems: Systems) -> None:
    systems.answers["change"] = Refusal("STORAGE_FULL", None, host="", message="")
    preparation = by_its_disks(installed, admin, alone=True)
    assert why(preparation) == "STORAGE_FULL"
    assert not fresh(preparation).undoable


def test_disks_that_it_may_not_write_to_or_has_not_are_refused(
    engine: Running, vm: VM, admin: User, systems: Systems
) -> None:
    with pytest.raises(Refusal, match="OFFLINE_UNAVAILABLE"):
        by_its_disks(vm, admin)
    disk = with_disk(vm, admin, read_only=True)
    with pytest.raises(Refusal, match="OFFLINE_READ_ONLY"):
        by_its_disks(vm, admin)
    other = machine("other", by=admin)
    with_disk(other, admin, shareable=True)
    with pytest.raises(Refusal, match="OFFLINE_READ_ONLY"):
        by_its_disks(other, admin)
    Disk.objects.filter(pk=disk.pk).update(status=DiskStatus.LOCKED)
    with pytest.raises(Refusal, match="DISKS_LOCKED"):
        by_its_disks(vm, admin)
    assert systems.asked == []


def test_a_host_that_cannot_says_what_it_lacks(installed: VM, host: Host, admin: User, systems: Systems) -> None:
    assert preparations.way_for(installed) == Way.OFFLINE, "no agent of it has ever answered"
    for reason in NoOffline:
        row = fresh(host)
        row.capabilities = replace(SPACIOUS, no_offline=reason)
        row.save(update_fields=["capability_document"])
        with pytest.raises(Refusal) as refused:
            by_its_disks(installed, admin)
        assert refused.value.params == {"no_offline": reason.value}
        assert preparations.way_for(installed) == Way.AGENT


def test_a_fleet_reaches_guests_without_an_agent_on_their_disks(
    engine: Running, vm: VM, headless_vm: VM, admin: User, systems: Systems
) -> None:
    with_disk(vm, admin)
    for row, way in ((vm, Way.OFFLINE), (headless_vm, Way.AGENT)):
        begun = fleet.headless(fresh(row), admin, {"prepare": True}).preparation
        assert begun is not None
        assert begun.way == way, row


def test_an_engine_that_dies_over_it_is_followed_by_one_that_ends_it(
    start_engine: Callable[..., Running], vm: VM, admin: User, guests: Guests, systems: Systems
) -> None:
    first = start_engine()
    with_disk(vm, admin)
    preparation = by_its_disks(vm, admin, alone=True)
    systems.hangs = True
    eventually(lambda: systems.asked, "it is at it")
    job = Job.objects.get(verb="prepare_offline")
    Job.objects.filter(pk=job.pk).update(state="queued", lease_owner="")  # what its successor does with it
    first.stop()
    systems.hangs = False
    start_engine(ready=False)
    at(preparation, Stage.LOGIN)
    guests.prompt(vm)
    assert over(preparation).outcome == "done"
    assert fresh(job).attempts == 2
