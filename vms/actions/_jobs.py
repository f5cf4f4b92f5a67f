"""Jobs are recorded with the change that wants them; the engine is woken once that is committed."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from vms.domain.errors import Refusal
from vms.domain.lifecycle import Verb
from vms.models import ACTIVE, VM, Disk, Host, Job, JobState, StorageDomain, User
from vms.wire.client import EngineClient

from ._audit import correlation_id
from ._authorise import Actor

# Verbs of the engine's own, beside those of `Verb`.
SET_REBOOT = "set_reboot"
UNDEFINE = "undefine"
PREPARE_GUEST = "prepare_guest"
PREPARE_OFFLINE = "prepare_offline"
PLUG = "plug"
OPEN_STORAGE = "open_storage"
CLOSE_STORAGE = "close_storage"
CREATE_DISK = "create_disk"
COPY_DISK = "copy_disk"
RESIZE_DISK = "resize_disk"
REMOVE_DISK = "remove_disk"
DEFINE = "define"
NORMALISE = "normalise"
PLUG_NICS = "plug_nics"
IMPORT_DISK = "import_disk"
EXPORT_DISK = "export_disk"
DROP_IMAGE = "drop_image"
TAKE_SNAPSHOT = "take_snapshot"
PREVIEW_SNAPSHOT = "preview_snapshot"
COMMIT_SNAPSHOT = "commit_snapshot"
UNDO_SNAPSHOT = "undo_snapshot"
REMOVE_SNAPSHOT = "remove_snapshot"
DROP_LAYERS = "drop_layers"


def enqueue(vm: VM, verb: Verb | str, *, by: Actor, host: Host | None, exclusive: bool = True, **params: Any) -> Job:
    """Record a job in the present transaction; a second exclusive one violates a constraint and is refused.

    Refused, too, without a host: no engine would ever take it, and it would keep others from the machine.
    """
    job = Job.objects.create(
        machine=vm.pk,
        machine_name=vm.name,
        host=host,
        verb=str(verb),
        params=params,
        exclusive=exclusive,
        priority=vm.priority,
        created_by=by if isinstance(by, User) else None,
        correlation_id=correlation_id(),
    )
    if host is None:
        raise Refusal("ACTION_TYPE_FAILED_VDS_VM_CLUSTER", None, cluster=vm.cluster.name)
    transaction.on_commit(wake)
    return job


def enqueue_on(
    row: Disk | StorageDomain, verb: str, *, by: Actor, host: Host, exclusive: bool = True, **params: Any
) -> Job:
    """Record a job on storage in the present transaction; a second exclusive one on the same row is refused."""
    job = Job.objects.create(
        machine=row.pk,
        machine_name=row.name[:64],
        host=host,
        verb=verb,
        params=params,
        exclusive=exclusive,
        created_by=by if isinstance(by, User) else None,
        correlation_id=correlation_id(),
    )
    transaction.on_commit(wake)
    return job


def requests(vm: VM) -> QuerySet[Job]:
    """The machine's requests to its guest that are still open: asked once or more, not yet followed."""
    return Job.objects.filter(machine=vm.pk, exclusive=False, state__in=ACTIVE, verb__in=(Verb.SHUTDOWN, Verb.REBOOT))


def call_off(jobs: QuerySet[Job]) -> bool:
    """End jobs without carrying them out; False when none was left to end."""
    return bool(jobs.update(state=JobState.ABORTED, finished_at=timezone.now()))


def wake() -> None:
    """Tell the engine to look for jobs now; nothing is lost when none is there."""
    EngineClient(settings.RUN_DIR).wake()
