"""Images on their way by HTTP: begun, kept alive, paused, given up and ended, and who holds a ticket for one."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from vms.domain.disks import DiskFormat
from vms.domain.errors import Refusal
from vms.domain.transfers import (
    LONGEST_SILENCE,
    OPEN,
    PAUSED,
    SILENCE,
    Direction,
    Phase,
    TimeoutPolicy,
    check_silence,
    most,
)
from vms.domain.transfers import require as require_phase
from vms.models import ActionGroup, Disk, DiskContent, DiskStatus, Image, Transfer, User

from . import storage, uploads
from ._action import action, locked
from ._audit import record
from ._authorise import ENGINE, Actor
from ._disks import authorise_disk
from ._jobs import EXPORT_DISK, IMPORT_DISK, enqueue_on
from ._usable import require_at_rest, require_replaceable, require_usable, set_status

KEPT: Final = timedelta(minutes=30)  # how long one that has ended is told of
_SALT: Final = "vms.transfers"


@action
def begin(
    disk: Disk,
    direction: Direction,
    *,
    format: DiskFormat | None = None,
    image: Image | None = None,
    silence: int = SILENCE,
    policy: TimeoutPolicy = TimeoutPolicy.LEGACY,
    shallow: bool = False,
    by: Actor,
) -> Transfer:
    """Begin to bring an image to a disk, or to fetch what is on it, as it is or as an earlier `image` of it was.

    `format` is that of the bytes on the way: raw ones are what a guest sees, whatever the disk's format. Uploads keep
    the disk locked until they have ended; a download until what is fetched has been put aside.
    """
    check_silence(silence)
    disk = locked(disk)
    authorise_disk(by, ActionGroup.EDIT_DISK_PROPERTIES, disk)
    require_usable(disk, whole=direction == Direction.DOWNLOAD)
    require_at_rest(disk)
    storage.require_active(disk.domain)
    row = Transfer(
        disk=disk,
        direction=direction,
        format=format or disk.format,
        inactivity_timeout=silence,
        timeout_policy=policy,
        shallow=shallow,
        host=storage.worker_of(disk.domain),
        created_by=by if isinstance(by, User) else None,
    )
    _check_format(row)
    (_begin_upload if row.uploads else _begin_download)(row, image or disk.image, by)
    record(by, "TRANSFER_IMAGE_INITIATED", disk, direction=direction.value)
    return row


def _begin_upload(row: Transfer, _image: Image | None, _by: Actor) -> None:
    require_replaceable(row.disk)
    row.phase, row.size = Phase.TRANSFERRING, most(row.disk.size, exact=row.format == DiskFormat.RAW)
    row.save(force_insert=True)
    set_status(row.disk, DiskStatus.LOCKED)
    uploads.room_for(0)
    with uploads.path_for(row).open("xb") as file:
        if row.format == DiskFormat.RAW:
            file.truncate(row.disk.size)


def _begin_download(row: Transfer, image: Image | None, by: Actor) -> None:
    if row.shallow and image is not None and image.parent_id:
        raise Refusal("ILLEGAL_VALUE", "shallow", value="true", allowed="false, for what begins with another image")
    row.image, row.size = image, image.size if image else 0
    uploads.room_for(row.disk.used)
    row.save(force_insert=True)
    set_status(row.disk, DiskStatus.LOCKED)
    assert row.host is not None
    enqueue_on(row.disk, EXPORT_DISK, by=by, host=row.host, transfer=str(row.pk))


def _check_format(row: Transfer) -> None:
    formats = {DiskFormat.RAW.value, row.disk.format} if row.uploads else {one.value for one in DiskFormat}
    if row.disk.content == DiskContent.ISO:
        formats = {DiskFormat.RAW.value}
    if row.format not in formats:
        raise Refusal("ILLEGAL_VALUE", "format", value=str(row.format)[:20], allowed=", ".join(sorted(formats)))


@action
def extend(row: Transfer, *, by: Actor) -> Transfer:
    """Say that the client is still there."""
    row = _changeable(row, "extend", by)
    _save(row, active_at=timezone.now())
    return row


@action
def pause(row: Transfer, *, by: Actor) -> Transfer:
    """No more bytes go until it is resumed, with another ticket."""
    row = _changeable(row, "pause", by)
    _save(row, phase=Phase.PAUSED_USER)
    record(by, "TRANSFER_IMAGE_PAUSED", row.disk, direction=row.direction)
    return row


@action
def resume(row: Transfer, *, by: Actor) -> Transfer:
    """Go on where it was; the tickets of before are good for nothing."""
    row = _changeable(row, "resume", by)
    _save(row, phase=Phase.TRANSFERRING, session=row.session + 1, active_at=timezone.now())
    return row


@action
def cancel(row: Transfer, *, by: Actor) -> Transfer:
    """Give it up: what was on its way is gone, and what was on the disk stays."""
    row = _changeable(row, "cancel", by)
    _cancel(row, by)
    return row


@action
def finalize(row: Transfer, *, by: Actor) -> Transfer:
    """The client has sent or fetched all: an upload is looked at and laid on the storage, a download forgotten."""
    row = _changeable(row, "finalize", by)
    if not row.uploads:
        _end(row, Phase.FINISHED_SUCCESS)
        record(by, "TRANSFER_IMAGE_SUCCEEDED", row.disk, direction=row.direction)
        return row
    disk = locked(row.disk)
    storage.require_active(disk.domain)
    # Beside the image that is there, so that nothing is lost where this one proves no good; a CD has one name alone.
    image = disk.image if disk.content == DiskContent.ISO else _beside(disk)
    _save(row, phase=Phase.FINALIZING_SUCCESS, image=image)
    told: dict[str, Any] = {"transfer": str(row.pk), "file": uploads.path_for(row).name, "format": row.format}
    enqueue_on(disk, IMPORT_DISK, by=by, host=storage.worker_of(disk.domain), **told)
    return row


def _beside(disk: Disk) -> Image:
    return Image.objects.create(disk=disk, format=disk.format, size=disk.size)


# -- who comes with a ticket


def ticket_of(row: Transfer) -> str:
    """What opens the transfer to whoever shows it; written down nowhere."""
    mark = salted_hmac(_SALT, f"{row.pk}/{row.session}", algorithm="sha256").hexdigest()
    return f"{row.pk}-{mark}"


def redeem(ticket: str) -> Transfer:
    """The transfer that a ticket opens; refused where that is paused, has ended, or was silent for too long."""
    key, mark = ticket[:36], ticket[37:]
    try:
        row = Transfer.objects.select_related("disk").filter(pk=UUID(key), phase=Phase.TRANSFERRING).first()
    except ValueError:
        row = None
    if row is None or row.silent or not constant_time_compare(ticket_of(row)[37:], mark):
        raise Refusal("TRANSFER_NOT_OPEN")
    return row


def went(row: Transfer, reached: int) -> bool:
    """Bytes have gone, as far as that; False when no more may."""
    mine = Transfer.objects.filter(pk=row.pk, phase=Phase.TRANSFERRING, session=row.session)
    return bool(mine.update(active_at=timezone.now(), reached=Greatest("reached", reached)))


# -- what the engine does and tells


def expire() -> None:
    """End or pause those whose clients are gone, and forget those that ended a while ago."""
    now = timezone.now()
    for row in Transfer.objects.filter(phase=Phase.TRANSFERRING):
        if row.silent:
            _went_silent(row)
    for row in Transfer.objects.filter(phase__in=PAUSED, active_at__lt=now - timedelta(seconds=LONGEST_SILENCE)):
        _give_up(row)
    if Transfer.objects.exclude(phase__in=OPEN).filter(active_at__lt=now - KEPT).delete()[0]:
        uploads.tidy()


@action
def _went_silent(row: Transfer) -> None:
    row = locked(row)
    if row.phase != Phase.TRANSFERRING or not row.silent:
        return
    if TimeoutPolicy(row.timeout_policy).pauses(Direction(row.direction)):
        _save(row, phase=Phase.PAUSED_SYSTEM)
        record(ENGINE, "TRANSFER_IMAGE_PAUSED", row.disk, severity="warning", direction=row.direction)
    else:
        _cancel(row, ENGINE)


@action
def _give_up(row: Transfer) -> None:
    row = locked(row)
    if row.phase in PAUSED:
        _cancel(row, ENGINE)


def put_aside(key: str) -> None:
    """What is to be fetched has been put aside: from now on it goes, and the disk is free."""
    row = _row(key)
    if row is None:
        return
    _free(row.disk)
    if row.phase != Phase.INITIALIZING:  # nobody wants it any more
        _drop(row)
        return
    _save(row, phase=Phase.TRANSFERRING, size=uploads.path_for(row).stat().st_size, active_at=timezone.now())


def laid(key: str) -> Image | None:
    """What came is on the storage: the image that was there before and is needed no more, if any."""
    row = _row(key)
    if row is None:
        return None
    before, disk = row.disk.image, locked(row.disk)
    disk.image, disk.blank = row.image, False
    disk.save(update_fields=["image", "blank"])
    _end(row, Phase.FINISHED_SUCCESS)
    record(ENGINE, "TRANSFER_IMAGE_SUCCEEDED", disk, direction=row.direction)
    return before if before != row.image else None


def failed(key: str, refusal: Refusal) -> None:
    """It came to nothing; the disk is as it was."""
    row = _row(key)
    if row is None:
        return
    image, told = row.image, refusal.as_document()
    _end(row, Phase.FINISHED_FAILURE, failure=told)
    record(
        *(ENGINE, "TRANSFER_IMAGE_FAILED", row.disk),
        severity="error",
        direction=row.direction,
        reason=told["code"],
        params=told["params"],
    )
    if not row.uploads:
        _free(row.disk)
        return
    if image is not None and image.pk != row.disk.image_id:
        image.delete()
    _stays(row, refusal)


# -- inside


def _changeable(row: Transfer, verb: str, by: Actor) -> Transfer:
    row = locked(row)
    authorise_disk(by, ActionGroup.EDIT_DISK_PROPERTIES, row.disk)
    require_phase(verb, Phase(row.phase))
    return row


def _row(key: str) -> Transfer | None:
    return Transfer.objects.select_for_update(of=("self",)).select_related("disk").filter(pk=key).first()


def _save(row: Transfer, **columns: object) -> None:
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(update_fields=list(columns))


def _cancel(row: Transfer, by: Actor) -> None:
    prepared = row.phase != Phase.INITIALIZING  # else the engine is at it, and drops it itself
    _end(row, Phase.FINISHED_CLEANUP, drop=prepared)
    record(by, "TRANSFER_IMAGE_CANCELLED", row.disk, direction=row.direction)
    if row.uploads:
        _stays(row, Refusal("TRANSFER_CANCELLED"))


def _end(row: Transfer, phase: Phase, *, drop: bool = True, failure: object = None) -> None:
    _save(row, phase=phase, active_at=timezone.now(), failure=failure)
    if drop:
        _drop(row)


def _drop(row: Transfer) -> None:
    path = uploads.path_for(row)
    transaction.on_commit(lambda: path.unlink(missing_ok=True))


def _stays(row: Transfer, refusal: Refusal) -> None:
    """The disk is as it was before; one that was made for what never came whole is nothing to start from."""
    disk = locked(row.disk)
    never = disk.blank and row.reached
    status = DiskStatus.ILLEGAL if never else DiskStatus.OK
    set_status(disk, status, failure=refusal.as_document() if never else None)


def _free(disk: Disk) -> None:
    disk = locked(disk)
    if disk.status == DiskStatus.LOCKED:
        set_status(disk, DiskStatus.OK)
