"""Transfers of images: what may be done with one when, what becomes of the disk, and that nothing is left behind."""

import struct
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from tests.actions.test_disks import domain, files, hypervisor, now, refused, work
from tests.factories import person
from vms.actions import disks, power, transfers, uploads
from vms.domain.disks import MIB, DiskFormat
from vms.domain.transfers import Direction, Phase, TimeoutPolicy
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Disk, DiskStatus, Image, Job, StorageDomain, Transfer, User

__all__ = ["domain", "hypervisor", "work"]

pytestmark = pytest.mark.django_db
Work = Callable[[], None]
UP, DOWN, RAW, QCOW2 = Direction.UPLOAD, Direction.DOWNLOAD, DiskFormat.RAW, DiskFormat.QCOW2
SIZE = 2 * MIB


@pytest.fixture
def committed(work: Work, django_capture_on_commit_callbacks: Any) -> Callable[..., Any]:
    """Does something, and what follows once the database has it for good; then the engine's work."""

    def act(verb: Callable[..., Any] = lambda: None, *args: Any, **how: Any) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            made = verb(*args, **how)
        with django_capture_on_commit_callbacks(execute=True):
            work()
        return made

    return act


@pytest.fixture
def disk(domain: StorageDomain, admin: User, work: Work) -> Disk:
    """A raw disk that nobody has written to."""
    made = disks.create("data", domain=domain, size=SIZE, format=RAW, by=admin)
    work()
    return now(made)  # type: ignore[no-any-return]


def kept() -> list[str]:
    return sorted(path.name for path in settings.UPLOAD_DIR.iterdir()) if settings.UPLOAD_DIR.is_dir() else []


def put(row: Transfer, data: bytes) -> None:
    """What a client sends through the door."""
    with Path(uploads.path_for(row)).open("r+b") as file:
        file.write(data)
    assert transfers.went(row, len(data))


def guest_data(first: bytes = b"boot") -> bytes:
    return first.ljust(SIZE, b"\x01")


def test_what_was_uploaded_is_what_is_downloaded(
    disk: Disk, admin: User, committed: Callable[..., Any], hypervisor: MemoryHypervisor, domain: StorageDomain
) -> None:
    before = disk.image
    row = transfers.begin(disk, UP, by=admin)
    assert (now(disk).status, now(row).phase, row.size) == (DiskStatus.LOCKED, Phase.TRANSFERRING, SIZE)
    put(row, guest_data())
    committed(transfers.finalize, row, by=admin)
    after = now(disk)
    assert (now(row).phase, after.status, kept()) == (Phase.FINISHED_SUCCESS, DiskStatus.OK, [])
    assert before is not None
    assert after.image is not None
    assert after.image != before
    assert files(hypervisor, domain) == {after.image.name}, "what lay there before is gone"
    assert list(Image.objects.all()) == [after.image]
    assert hypervisor.store.contents[after.image.name] == guest_data()

    down = committed(transfers.begin, after, DOWN, by=admin)
    assert (now(down).phase, now(disk).status) == (Phase.TRANSFERRING, DiskStatus.OK)
    assert uploads.path_for(down).read_bytes() == guest_data()
    committed(transfers.finalize, down, by=admin)
    assert (now(down).phase, kept()) == (Phase.FINISHED_SUCCESS, [])


def test_an_upload_that_is_no_good_loses_nothing_and_leaves_nothing(
    disk: Disk, admin: User, committed: Callable[..., Any], hypervisor: MemoryHypervisor, domain: StorageDomain
) -> None:
    whole = committed(transfers.begin, disk, UP, by=admin)
    put(whole, guest_data())
    committed(transfers.finalize, whole, by=admin)
    there = now(disk).image
    backed = struct.pack(">4sIQIIQI", b"QFI\xfb", 3, 104, 8, 16, SIZE, 0)
    for bad, why in ((backed, "backing"), (b"KDMV", "other_format"), (b"\x1f\x8b", "other_format")):
        row = committed(transfers.begin, now(disk), UP, by=admin)
        put(row, guest_data(bad))
        committed(transfers.finalize, row, by=admin)
        failed = now(row)
        assert (failed.phase, failed.failure["params"]["image_why"]) == (Phase.FINISHED_FAILURE, why)
        assert (now(disk).status, now(disk).image, kept()) == (DiskStatus.OK, there, [])
        assert (files(hypervisor, domain), Image.objects.count()) == ({there.name}, 1)


def test_a_disk_that_was_made_for_an_upload_is_nothing_without_it(
    domain: StorageDomain, admin: User, committed: Callable[..., Any]
) -> None:
    for name, act, sent, status in (
        ("nothing came", transfers.cancel, b"", DiskStatus.OK),
        ("half came", transfers.cancel, b"half", DiskStatus.ILLEGAL),
        ("no image", transfers.finalize, b"PK\x03\x04", DiskStatus.ILLEGAL),
    ):
        disk = committed(disks.create, name, domain=domain, size=SIZE, format=RAW, by=admin)
        row = committed(transfers.begin, now(disk), UP, by=admin)
        if sent:
            put(row, sent)
        committed(act, row, by=admin)
        assert (name, now(disk).status, kept()) == (name, status, [])
        if status == DiskStatus.ILLEGAL:
            assert now(disk).failure["code"] in {"TRANSFER_CANCELLED", "IMAGE_ILLEGAL"}
            again = committed(transfers.begin, now(disk), UP, by=admin)
            put(again, guest_data())
            committed(transfers.finalize, again, by=admin)
            assert now(disk).status == DiskStatus.OK, "the same may be tried again"


def test_every_verb_has_its_phases(disk: Disk, admin: User, committed: Callable[..., Any]) -> None:
    row = committed(transfers.begin, disk, UP, by=admin)
    refused("ACTION_TYPE_FAILED_DISKS_LOCKED", transfers.begin, now(disk), UP, by=admin)
    refused("TRANSFER_PHASE_ILLEGAL", transfers.resume, row, by=admin)
    first = transfers.ticket_of(now(row))
    assert transfers.redeem(first) == row
    transfers.pause(row, by=admin)
    refused("TRANSFER_NOT_OPEN", transfers.redeem, first)
    refused("TRANSFER_PHASE_ILLEGAL", transfers.pause, row, by=admin)
    refused("TRANSFER_PHASE_ILLEGAL", transfers.extend, row, by=admin)
    assert not transfers.went(now(row), 1), "whoever is at it ends"
    transfers.resume(row, by=admin)
    refused("TRANSFER_NOT_OPEN", transfers.redeem, first)
    second = transfers.ticket_of(now(row))
    assert transfers.redeem(second) == row
    transfers.extend(row, by=admin)
    committed(transfers.cancel, row, by=admin)
    assert (now(row).phase, now(disk).status) == (Phase.FINISHED_CLEANUP, DiskStatus.OK)
    for verb in (transfers.extend, transfers.pause, transfers.resume, transfers.cancel, transfers.finalize):
        refused("TRANSFER_PHASE_ILLEGAL", verb, row, by=admin)
    for ticket in (second, "", "x" * 400, second[:-1] + "0", f"{row.pk}-", f"{row.pk}"):
        refused("TRANSFER_NOT_OPEN", transfers.redeem, ticket)


def test_a_client_that_is_silent_for_too_long_is_given_up(
    disk: Disk, admin: User, committed: Callable[..., Any], domain: StorageDomain
) -> None:
    cases = (
        (UP, TimeoutPolicy.LEGACY, Phase.PAUSED_SYSTEM),
        (UP, TimeoutPolicy.CANCEL, Phase.FINISHED_CLEANUP),
        (DOWN, TimeoutPolicy.LEGACY, Phase.FINISHED_CLEANUP),
        (DOWN, TimeoutPolicy.PAUSE, Phase.PAUSED_SYSTEM),
    )
    for direction, policy, phase in cases:
        row = committed(transfers.begin, now(disk), direction, silence=10, policy=policy, by=admin)
        committed(transfers.expire)
        assert now(row).phase == Phase.TRANSFERRING
        ticket = transfers.ticket_of(now(row))
        Transfer.objects.filter(pk=row.pk).update(active_at=timezone.now() - timedelta(seconds=11))
        refused("TRANSFER_NOT_OPEN", transfers.redeem, ticket)
        committed(transfers.expire)
        assert (direction, policy, now(row).phase) == (direction, policy, phase)
        Transfer.objects.filter(pk=row.pk).update(active_at=timezone.now() - timedelta(days=2))
        committed(transfers.expire)
        assert not Transfer.objects.filter(pk=row.pk, phase=Phase.PAUSED_SYSTEM).exists()
        assert (now(disk).status, kept()) == (DiskStatus.OK, [])
    Transfer.objects.update(active_at=timezone.now() - transfers.KEPT)
    committed(transfers.expire)
    assert not Transfer.objects.exists()


def test_what_others_have_or_begin_with_is_not_replaced(
    disk: Disk, vm: VM, admin: User, committed: Callable[..., Any]
) -> None:
    disks.attach(vm, disk, by=admin)
    committed(power.start, vm, by=admin)
    for direction in (UP, DOWN):
        refused("ACTION_TYPE_FAILED_STILL_IN_USE", transfers.begin, now(disk), direction, by=admin)
    refused("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", transfers.begin, now(disk), DOWN, by=person("carol"))
    assert (Transfer.objects.count(), kept(), now(disk).status) == (0, [], DiskStatus.OK)


def test_what_cannot_be_is_refused(disk: Disk, admin: User) -> None:
    for field, how in (
        ("format", {"format": QCOW2}),
        ("inactivity_timeout", {"silence": -1}),
        ("inactivity_timeout", {"silence": 10**9}),
    ):
        assert refused("ILLEGAL_VALUE", transfers.begin, disk, UP, by=admin, **how).field == field
    assert not Job.objects.filter(verb="import_disk").exists()


def test_a_download_that_nobody_wants_any_more_is_dropped_when_it_is_ready(
    disk: Disk, admin: User, work: Work, committed: Callable[..., Any]
) -> None:
    row = transfers.begin(disk, DOWN, by=admin)
    transfers.cancel(row, by=admin)
    committed()
    assert (now(row).phase, now(disk).status, kept()) == (Phase.FINISHED_CLEANUP, DiskStatus.OK, [])


def test_a_cd_is_known_by_its_disks_id(
    domain: StorageDomain, admin: User, committed: Callable[..., Any], hypervisor: MemoryHypervisor
) -> None:
    disk = committed(disks.create, "rescue.iso", domain=domain, size=SIZE, format=RAW, content="iso", by=admin)
    row = committed(transfers.begin, now(disk), UP, by=admin)
    put(row, (bytes(32769) + b"CD001").ljust(SIZE, b"\0"))
    committed(transfers.finalize, row, by=admin)
    assert (now(row).phase, files(hypervisor, domain)) == (Phase.FINISHED_SUCCESS, {f"{disk.pk}.raw"})
