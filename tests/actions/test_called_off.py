"""Jobs on images that nobody wants any more: nothing of them stays, and nothing stays locked for them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.actions.runs import claimed, fresh
from tests.actions.test_copies import full
from tests.actions.test_disks import domain, files, hypervisor, now, refused, work
from tests.factories import person
from vms.actions import cancelling, create, disks, jobs, snapshots
from vms.domain.disks import GIB
from vms.domain.errors import Refusal
from vms.engine.worker import carry_out
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Disk, DiskStatus, Host, Image, Job, JobState, Snapshot, StorageDomain, Template, User

__all__ = ["domain", "full", "hypervisor", "work"]

pytestmark = pytest.mark.django_db
Work = Callable[[], None]


@pytest.fixture
def disk(domain: StorageDomain, admin: User, work: Work) -> Disk:
    made = disks.create("big", domain=domain, size=GIB, by=admin)
    work()
    there: Disk = now(made)
    return there


def call_off_half_way(monkeypatch: pytest.MonkeyPatch, by: User) -> None:
    """Somebody presses Cancel when a job says for the first time how far it is."""
    said = jobs.under_way

    def under_way(job: Job, percent: int) -> bool:
        if not Job.objects.get(pk=job.pk).cancelling:
            cancelling.cancel(job, by=by)
        return said(job, percent)

    monkeypatch.setattr(jobs, "under_way", under_way)


@pytest.mark.parametrize("when", ["queued", "half way"])
def test_a_copy_that_nobody_wants_is_gone_and_its_source_is_free(
    when: str,
    disk: Disk,
    admin: User,
    hypervisor: MemoryHypervisor,
    domain: StorageDomain,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = disks.copy(disk, "copy", by=admin)
    job = Job.objects.get(machine=copy.pk)
    if when == "queued":
        cancelling.cancel(job, by=admin)
    else:
        call_off_half_way(monkeypatch, admin)
    work()
    assert now(job).state == JobState.ABORTED
    assert list(Disk.objects.all()) == [disk]
    assert now(disk).status == DiskStatus.OK
    assert files(hypervisor, domain) == {image.name for image in Image.objects.all()} == {disk.image.name}  # type: ignore[union-attr]


def test_a_template_whose_copies_are_called_off_says_so_and_can_be_removed(
    full: VM, admin: User, work: Work, hypervisor: MemoryHypervisor, domain: StorageDomain
) -> None:
    template = create.template("golden", vm=full, by=admin)
    cancelling.cancel(Job.objects.get(verb="copy_disk"), by=admin)
    (made,) = Disk.objects.filter(attachments__template=template)
    assert (made.status, (made.failure or {})["code"]) == (DiskStatus.ILLEGAL, "JOB_CANCELLED")
    assert fresh(full).disk_state == DiskStatus.OK
    remove_template(template, admin)
    work()
    assert files(hypervisor, domain) == {image.name for image in Image.objects.all()}


def remove_template(template: Template, by: User) -> None:
    from vms.actions.remove import remove

    remove(Template.objects.get(pk=template.pk), by=by)


def test_a_disk_that_is_not_made_yet_is_called_off_and_gone(domain: StorageDomain, admin: User) -> None:
    made = disks.create("big", domain=domain, size=GIB, by=admin)
    cancelling.cancel(Job.objects.get(machine=made.pk), by=admin)
    assert not Disk.objects.exists()
    assert not Image.objects.exists()


def test_a_snapshot_that_waits_is_called_off_without_a_trace(full: VM, admin: User, work: Work) -> None:
    snapshots.take(full, "no", by=admin)
    cancelling.cancel(Job.objects.get(verb="take_snapshot"), by=admin)
    assert (Snapshot.objects.count(), Image.objects.count(), fresh(full).status) == (0, 1, "down")


def test_what_a_host_that_went_away_may_have_done_is_not_forgotten(full: VM, admin: User, host: Host) -> None:
    """A machine may write into the new images already: nobody may say that there are none."""
    snapshots.take(full, "perhaps", by=admin)
    job = claimed(host)
    jobs.retry(job)
    refused("JOB_CANNOT_BE_CANCELLED", cancelling.cancel, now(job), by=admin)
    assert Image.objects.count() == 2


def test_a_copy_whose_host_went_away_is_cleared_up_when_that_is_back(
    disk: Disk, admin: User, host: Host, hypervisor: MemoryHypervisor, domain: StorageDomain, work: Work
) -> None:
    copy = disks.copy(disk, "copy", by=admin)
    job = claimed(host)
    jobs.retry(job)
    cancelling.cancel(now(job), by=admin)
    assert now(copy).status == DiskStatus.LOCKED, "until the host says what became of it"
    work()
    assert not Disk.objects.filter(pk=copy.pk).exists()
    assert files(hypervisor, domain) == {image.name for image in Image.objects.all()}


def test_the_removal_of_a_snapshot_is_called_off_and_it_is_whole(
    full: VM, admin: User, work: Work, monkeypatch: pytest.MonkeyPatch, host: Host, hypervisor: MemoryHypervisor
) -> None:
    snapshot = snapshots.take(full, "stays", by=admin)
    work()
    snapshots.remove(now(snapshot), by=admin)
    with monkeypatch.context() as patch:
        call_off_half_way(patch, admin)
        carry_out(claimed(host), hypervisor)
    snapshots.preview(now(snapshot), by=admin)
    work()
    assert now(snapshot).status == "in_preview"


def test_who_may_change_a_disk_calls_off_what_others_asked_for(
    disk: Disk, admin: User, carol: User, host: Host
) -> None:
    operator = person("oscar", role="SuperUser")
    job: Any = Job.objects.get(machine=disks.copy(disk, "copy", by=admin).pk)
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        cancelling.cancel(job, by=carol)
    cancelling.cancel(job, by=operator)
    assert now(job).state == JobState.ABORTED
