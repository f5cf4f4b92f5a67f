"""The columns that lists and search read: one function makes them from what is observed, configured and under way."""

from vms.domain import lifecycle
from vms.domain.lifecycle import NOT_RUNNING, Status, Verb
from vms.models import ACTIVE, VM, Cluster, Host, Job
from vms.models.texts import fold

from . import access
from ._texts import sync_texts


def project(vm: VM) -> None:
    """Write the projected columns of a locked VM, and the texts that it is found by."""
    show(vm, active_verb(vm))
    vm.save(update_fields=VM.PROJECTED_FIELDS)
    sync_texts(vm)


def show(vm: VM, active: Verb | None = None) -> None:
    """Set the projected columns of a row that is saved afterwards; `active` is the verb of the job at work on it."""
    run, pending = vm.run, bool(vm.pending_changes)
    shown = run.spec.console if run and Status(vm.observed) not in NOT_RUNNING else None
    vm.status = lifecycle.shown(Status(vm.observed), active).value
    vm.pending = pending
    vm.run_once = run is not None and run.once is not None
    vm.running_graphics = "+".join(sorted(shown.graphics)) if shown else ""
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
    verbs = dict(
        Job.objects.filter(machine=vm.pk, state__in=ACTIVE, verb__in=list(Verb))
        .order_by("exclusive", "created_at")
        .values_list("exclusive", "verb")
    )
    verb = verbs.get(True) or verbs.get(False)
    return Verb(verb) if verb else None
