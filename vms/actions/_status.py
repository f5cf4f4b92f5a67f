"""The columns that lists and search read: one function makes them from what is observed, configured and under way."""

from collections.abc import Sequence
from typing import Final

from vms.domain import lifecycle
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.models import ACTIVE, VM, Cluster, DiskStatus, Host, Job, JobState, screens
from vms.models.texts import fold

from . import access
from ._changes import changed
from ._texts import sync_texts

# What a machine that is off shows in place of that.
_BY_DISKS: Final[dict[str, Status]] = {DiskStatus.LOCKED: Status.IMAGE_LOCKED, DiskStatus.ILLEGAL: Status.IMAGE_ILLEGAL}
# More are never active at once: one that works on the machine, and one that waits for its guest.
_LATEST: Final = 4


def project(vm: VM) -> None:
    """Write the projected columns of a locked VM, and the texts that it is found by."""
    show(vm, _latest(vm))
    vm.save(update_fields=VM.PROJECTED_FIELDS)
    sync_texts(vm)
    changed(vm)


def show(vm: VM, jobs: Sequence[Job] = ()) -> None:
    """Set the projected columns of a row that is saved afterwards; its latest jobs are given, the newest first."""
    run, verb = vm.run, _at_work(jobs)
    shown = run.spec.console if run and Status(vm.observed) not in NOT_RUNNING else None
    vm.status = lifecycle.shown(Status(vm.observed), verb).value
    if vm.status == Status.DOWN:
        vm.status = _BY_DISKS.get(vm.disk_state, Status.DOWN).value
    vm.busy = verb is not None
    vm.failure = {"verb": jobs[0].verb, "error": jobs[0].error} if jobs and jobs[0].state == JobState.FAILED else None
    vm.pending_names = list(vm.pending_changes)
    vm.pending = bool(vm.pending_names)
    vm.run_once = run is not None and run.once is not None
    vm.running_graphics = screens.word(shown.graphics) if shown else ""
    vm.running_video = shown.video.value if shown and shown.video else ""
    vm.access = access.of(vm).rating.value
    vm.cluster_name = fold(vm.cluster.name)
    vm.host_name = fold(vm.host.name) if vm.host and vm.running else ""


def renamed(place: Cluster | Host) -> None:
    """Have the machines there be sorted and found by the place's new name."""
    if isinstance(place, Cluster):
        place.vms.update(cluster_name=fold(place.name))
    else:
        place.vms.exclude(host_name="").update(host_name=fold(place.name))


def active_verb(vm: VM) -> Verb | None:
    """The verb of the job that is at work on the machine, the exclusive one before one that waits for the guest."""
    return _at_work(_latest(vm))


def _latest(vm: VM) -> list[Job]:
    return list(Job.objects.filter(machine=vm.pk, verb__in=list(Verb)).order_by("-created_at", "-id")[:_LATEST])


def _at_work(jobs: Sequence[Job]) -> Verb | None:
    active = {job.exclusive: Verb(job.verb) for job in reversed(jobs) if job.state in ACTIVE}
    return active.get(True) or active.get(False)
