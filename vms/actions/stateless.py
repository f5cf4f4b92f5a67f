"""Runs that leave nothing behind: what they write goes to images over the disks, which are dropped at their end.

Whose a layer is, the rows say: nothing has to be remembered by an engine that may die.
"""

from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.models import VM, Disk, DiskStatus, Image, Job, Snapshot, SnapshotKind, SnapshotStatus

from . import snapshots, storage
from ._authorise import ENGINE, Actor
from ._disks import attachments
from ._jobs import DROP_LAYERS, enqueue
from ._usable import set_status
from .snapshotted import freeze

# After these refusals of a start it may run all the same.
_PERHAPS = frozenset({"HOST_NOT_RESPONDING", "MACHINE_NOT_RESPONDING", "ENGINE_FAILED"})


def begin(vm: VM, *, by: Actor) -> None:
    """Have a locked machine that is about to start write to layers that go with the run; the start makes them."""
    before = snapshots.begin(vm, "Stateless", kind=SnapshotKind.STATELESS, by=by)
    layers = snapshots.lay_over(vm, None)
    if not layers:
        before.delete()
        return
    for layer in layers:
        freeze(layer, before)
        set_status(Disk.objects.get(pk=layer.disk_id), DiskStatus.OK)
    Snapshot.objects.filter(pk=before.pk).update(status=SnapshotStatus.OK)
    _look_again(vm)


def end(vm: VM) -> None:
    """Have a locked machine that is off be as it was before its stateless run, if that was one."""
    before = vm.snapshots.filter(kind=SnapshotKind.STATELESS).first()
    if before is None:
        return
    for image in before.images.select_related("disk"):
        disk = Disk.objects.get(pk=image.disk_id)
        set_status(disk, DiskStatus(disk.status), image=image, size=image.size)
    before.delete()
    if idle := _idle(vm):
        host = storage.worker_of(idle[0].disk.domain)
        enqueue(vm, DROP_LAYERS, by=ENGINE, host=host, exclusive=False, images=snapshots.keys(idle))
    _look_again(vm)


def layers(vm: VM) -> list[Image]:
    """The layers that go with the present run, or the one that is about to begin."""
    rows = Image.objects.select_related("disk__domain", "parent__disk__domain")
    written = Disk.objects.filter(attachments__vm=vm).values("image")
    return list(rows.filter(pk__in=written, parent__snapshot__vm=vm, parent__snapshot__kind=SnapshotKind.STATELESS))


def dropped(job: Job) -> None:
    """The layers of a run are gone."""
    Image.objects.filter(pk__in=job.params["images"]).delete()


def not_started(job: Job, code: str) -> None:
    """A stateless run that has certainly not begun leaves nothing behind."""
    vm = VM.objects.select_for_update().filter(pk=job.machine).first()
    if vm is not None and code not in _PERHAPS and Status(vm.observed) in NOT_RUNNING:
        end(vm)


def _idle(vm: VM) -> list[Image]:
    """Images that nothing rests on: those of this run, and of any before that could not be dropped."""
    disks = [row.disk for row in attachments(vm)]
    rows = Image.objects.select_related("disk__domain").filter(disk__in=disks, snapshot=None, children=None)
    return list(rows.exclude(pk__in=[disk.image_id for disk in disks]))


def _look_again(vm: VM) -> None:
    vm.refresh_from_db(fields=("disk_document", "disk_state", "version"))
