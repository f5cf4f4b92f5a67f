"""What every store promises, by the same tests: libvirt's pools and volumes, and the dictionary."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest

from tests.needs import need
from vms.domain.disks import MIB, Backing, DiskFormat, Storage, StorageKind, Volume
from vms.domain.errors import Refusal
from vms.hypervisors.base import Store
from vms.hypervisors.memorystore import MemoryStore
from vms.hypervisors.private import PrivateDaemon

QCOW2, RAW = DiskFormat.QCOW2, DiskFormat.RAW


@pytest.fixture(params=["memory", pytest.param("libvirt", marks=pytest.mark.hypervisor)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    daemon: PrivateDaemon = request.getfixturevalue("private_daemon")
    from vms.hypervisors.bootfiles import LocalFiles, PoolFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    files = PoolFiles(tmp_path) if request.param == "elsewhere" else LocalFiles(tmp_path)
    here = Location(uri=daemon.uri, files=files, storage=tmp_path / "own")
    driver = LibvirtHypervisor(lambda: here, "private")
    driver.open(lambda _event: None)
    yield driver.store
    driver.close()


@pytest.fixture
def storage(store: Store, tmp_path: Path) -> Iterator[Storage]:
    made = Storage(id=uuid4(), path=str(tmp_path / "disks"))
    store.open(made)
    yield made
    store.close(made)


def volume(storage: Storage, name: str = "disk.qcow2", **more: object) -> Volume:
    return replace(Volume(storage=storage, name=name, size=8 * MIB), **more)  # type: ignore[arg-type]


def info(path: Path) -> dict[str, object]:
    """What qemu-img says of a file."""
    import json

    asked = subprocess.run(["qemu-img", "info", "--output=json", path], capture_output=True, check=True)
    told: dict[str, object] = json.loads(asked.stdout)
    return told


def test_storage_tells_its_room_and_is_opened_again(store: Store, storage: Storage) -> None:
    room = store.open(storage)
    assert 0 < room.available <= room.capacity
    store.create(volume(storage))
    store.close(storage)
    store.open(storage)
    assert set(store.names(storage)) == {"disk.qcow2"}


def test_a_volume_is_made_once_and_gone_once(store: Store, storage: Storage) -> None:
    for _again in range(2):
        store.create(volume(storage))
    assert set(store.names(storage)) == {"disk.qcow2"}
    for _again in range(2):
        store.delete(storage, "disk.qcow2")
    assert not store.names(storage)


def test_what_is_not_there_is_missed_by_name(store: Store, storage: Storage) -> None:
    for act in (
        lambda: store.used(volume(storage)),
        lambda: store.resize(volume(storage)),
        lambda: store.copy(volume(storage, "copy"), volume(storage)),
        lambda: store.read(volume(storage), BytesIO()),
        lambda: store.create(volume(storage, "thin", backing=Backing(name="disk.qcow2", format=QCOW2))),
    ):
        with pytest.raises(Refusal) as caught:
            act()
        assert (caught.value.code, caught.value.params["image"]) == ("IMAGE_MISSING", "disk.qcow2")
    assert not store.names(storage)


def test_content_comes_back_as_it_was_written(store: Store, storage: Storage) -> None:
    content = bytes(range(256)) * 4096
    written = volume(storage, "data.raw", format=RAW, size=len(content))
    for _again in range(2):
        store.write(written, BytesIO(content))
    back = BytesIO()
    store.read(written, back)
    assert back.getvalue() == content


@pytest.mark.parametrize("store", ["libvirt"], indirect=True)
@pytest.mark.hypervisor
def test_gaps_of_what_is_written_take_no_room(store: Store, storage: Storage) -> None:
    content = bytes(8 * MIB) + b"x" * MIB + bytes(8 * MIB)
    sparse = volume(storage, "a.raw", format=RAW, size=len(content))
    full = replace(sparse, name="b.raw", sparse=False)
    for each in (sparse, full):
        store.write(each, BytesIO(content))
        back = BytesIO()
        store.read(each, back)
        assert back.getvalue() == content
    assert MIB <= store.used(sparse) <= 2 * MIB
    assert store.used(full) >= len(content)


@pytest.mark.parametrize("store", ["memory", "libvirt", "elsewhere"], indirect=True)
@pytest.mark.hypervisor
def test_copies_and_uploads_tell_how_far_they_are_and_leave_nothing_when_they_are_called_off(
    store: Store, storage: Storage
) -> None:
    content = b"x" * 24 * MIB
    source, copy = (
        volume(storage, "a.raw", format=RAW, size=len(content)),
        volume(storage, "b.qcow2", size=len(content)),
    )
    told: list[int] = []
    store.write(source, BytesIO(content), noting(told))
    assert told == sorted(told)
    assert told[-1] == 99
    with pytest.raises(Refusal, match="JOB_CANCELLED"):
        store.copy(copy, source, lambda _percent: False)
    with pytest.raises(Refusal, match="JOB_CANCELLED"):
        store.write(replace(source, name="c.raw"), BytesIO(content), lambda percent: percent < 50)
    assert set(store.names(storage)) == {"a.raw"}
    told.clear()
    store.copy(copy, source, noting(told))
    assert told == sorted(told)
    back = BytesIO()
    store.copy(replace(source, name="d.raw"), copy)
    store.read(replace(source, name="d.raw"), back)
    assert back.getvalue() == content


@pytest.mark.parametrize("store", ["libvirt"], indirect=True)
@pytest.mark.hypervisor
def test_a_directory_that_is_there_keeps_its_permissions_and_what_lies_in_it(store: Store, tmp_path: Path) -> None:
    """It may be /tmp: nobody else is to be locked out of what becomes a storage domain."""
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o1777)
    (there / "letter").write_text("of somebody else's")
    used = Storage(id=uuid4(), path=str(there))
    store.open(used)
    store.close(used)
    assert (oct(there.stat().st_mode), (there / "letter").read_text()) == ("0o41777", "of somebody else's")


@pytest.mark.parametrize("store", ["libvirt"], indirect=True)
@pytest.mark.hypervisor
def test_a_directory_that_has_gone_is_missed_and_not_replaced(store: Store, tmp_path: Path) -> None:
    """An empty one in its place would take new images for those that are to come back."""
    there = tmp_path / "there"
    used = Storage(id=uuid4(), path=str(there))
    store.open(used)
    store.create(volume(used))
    there.rename(tmp_path / "away")
    for _again in range(2):
        with pytest.raises(Refusal, match="HYPERVISOR_REFUSED"):
            store.open(used)
    assert not there.exists()
    (tmp_path / "away").rename(there)
    store.open(used)
    assert set(store.names(used)) == {"disk.qcow2"}
    store.close(used)


def noting(told: list[int]) -> Callable[[int], bool]:
    def note(percent: int) -> bool:
        told.append(percent)
        return True

    return note


def test_what_an_image_begins_as_is_told_by_itself(store: Store, storage: Storage) -> None:
    base, child = volume(storage), volume(storage, "child.qcow2", backing=Backing(name="disk.qcow2", format=QCOW2))
    for each in (base, child):
        store.create(each)
    assert (store.begins_as(base), store.begins_as(child)) == (None, "disk.qcow2")
    store.rebase(replace(child, backing=None))
    assert store.begins_as(child) is None, "whatever it is said to begin as"


def test_a_copy_has_the_same_content_and_a_repeated_one_too(store: Store, storage: Storage) -> None:
    source = volume(storage, "data.raw", format=RAW, size=MIB)
    store.write(source, BytesIO(b"first".ljust(MIB, b"\0")))
    copy = replace(source, name="copy.raw")
    store.copy(copy, source)
    store.write(source, BytesIO(b"later".ljust(MIB, b"\0")))
    store.copy(copy, source)
    back = BytesIO()
    store.read(copy, back)
    assert back.getvalue().startswith(b"later")


@pytest.mark.parametrize("store", ["libvirt"], indirect=True)
@pytest.mark.hypervisor
def test_images_are_what_they_are_said_to_be(store: Store, storage: Storage) -> None:
    """By QEMU's own tool: formats, sizes, what takes room, and what begins as another one."""
    home = Path(storage.path)
    store.create(volume(storage))
    store.create(volume(storage, "full.raw", format=RAW, sparse=False))
    store.create(volume(storage, "thin.raw", format=RAW))
    store.create(volume(storage, "child.qcow2", backing=Backing(name="thin.raw", format=RAW)))
    store.copy(volume(storage, "flat.qcow2"), volume(storage, "child.qcow2"))
    store.resize(volume(storage, size=16 * MIB))
    told = {name: info(home / name) for name in store.names(storage)}
    assert {name: one["format"] for name, one in told.items()} == {name: name.rpartition(".")[2] for name in told}
    assert told["disk.qcow2"]["virtual-size"] == 16 * MIB
    assert told["full.raw"]["actual-size"] >= 8 * MIB > store.used(volume(storage, "thin.raw"))  # type: ignore[operator]
    assert str(told["child.qcow2"]["full-backing-filename"]).endswith("/thin.raw")
    assert told["child.qcow2"]["backing-filename-format"] == "raw"
    assert "backing-filename" not in told["flat.qcow2"]


@pytest.mark.parametrize("store", ["libvirt"], indirect=True)
@pytest.mark.hypervisor
def test_a_full_disk_is_told_and_leaves_nothing(store: Store, private_daemon: PrivateDaemon, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    inside = ["nsenter", "-t", str(private_daemon.pid), "-m"]
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    mounted = subprocess.run([*inside, *mount], check=False).returncode == 0
    need(None if mounted else "a small file system cannot be mounted here")
    storage = Storage(id=uuid4(), path=str(small))
    try:
        with pytest.raises(Refusal, match="STORAGE_FULL"):
            store.create(volume(storage, "full.raw", format=RAW, sparse=False))
        with pytest.raises(Refusal, match="STORAGE_FULL"):
            store.write(volume(storage, "up.raw", format=RAW), BytesIO(b"x" * 8 * MIB))
        assert not store.names(storage)
    finally:
        store.close(storage)
        subprocess.run([*inside, "umount", small], check=True)


@pytest.mark.parametrize("store", ["libvirt"], indirect=True)
@pytest.mark.hypervisor
def test_storage_that_cannot_be_had_is_refused_in_libvirts_words(store: Store) -> None:
    # Without the host's tools it is their name that is missed.
    for nowhere, words in (
        (Storage(id=uuid4(), kind=StorageKind.LVM, path="no-such-group"), "no-such-group|/pvs|/vgchange"),
        (
            Storage(id=uuid4(), kind=StorageKind.NFS, address="127.0.0.1", path="/no-such-export"),
            "no-such-export|mount",
        ),
    ):
        with pytest.raises(Refusal) as caught:
            store.open(nowhere)
        assert re.search(words, str(caught.value.params["message"]))
        store.close(nowhere)


@pytest.mark.parametrize("store", ["libvirt"], indirect=True)
@pytest.mark.hypervisor
def test_an_image_that_is_merged_shows_what_it_showed_and_needs_no_other(store: Store, storage: Storage) -> None:
    home = Path(storage.path)
    base = volume(storage, "base.raw", format=RAW, size=MIB)
    store.write(base, BytesIO(b"below".ljust(MIB, b"\0")))
    child = volume(storage, "child.qcow2", size=MIB, backing=Backing(name="base.raw", format=RAW))
    store.create(child)
    for _again in range(2):
        store.rebase(replace(child, backing=None))
    store.delete(storage, "base.raw")
    assert "backing-filename" not in info(home / "child.qcow2")
    flat, back = volume(storage, "flat.raw", format=RAW, size=MIB), BytesIO()
    store.copy(flat, child)
    store.read(flat, back)
    assert back.getvalue().startswith(b"below")


@pytest.fixture(params=["nfs", "lvm"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """A storage that this machine serves itself, where its kernel can; skipped with what is missing where it cannot."""
    if request.param == "nfs":
        there = Path("/proc/filesystems").read_text().split()
        missing = [what for what in ("nfs", "nfsd") if what not in there] or [*missing_tools("exportfs", "mount.nfs")]
        if missing:
            pytest.skip(f"no NFS on this machine: {', '.join(missing)} is missing")
        export = tmp_path / "export"
        export.mkdir()
        subprocess.run(["exportfs", "-o", "rw,no_root_squash,insecure,fsid=7", f"127.0.0.1:{export}"], check=True)
        yield Storage(id=uuid4(), kind=StorageKind.NFS, address="127.0.0.1", path=str(export))
        subprocess.run(["exportfs", "-u", f"127.0.0.1:{export}"], check=True)
        return
    missing = [] if "device-mapper" in Path("/proc/misc").read_text() else ["the kernel's device mapper"]
    if missing := [*missing, *missing_tools("vgcreate", "losetup")]:
        pytest.skip(f"no LVM on this machine: {', '.join(missing)} is missing")
    file, group = tmp_path / "group", f"headless-{uuid4().hex[:8]}"
    file.write_bytes(b"")
    subprocess.run(["truncate", "-s", "128M", file], check=True)
    found = subprocess.run(["losetup", "--find", "--show", file], check=True, capture_output=True, text=True)
    device = found.stdout.strip()
    subprocess.run(["vgcreate", "-q", group, device], check=True)
    yield Storage(id=uuid4(), kind=StorageKind.LVM, path=group)
    subprocess.run(["vgremove", "-qff", group], check=False)
    subprocess.run(["losetup", "-d", device], check=True)


def missing_tools(*names: str) -> list[str]:
    return [name for name in names if shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin") is None]


@pytest.mark.parametrize("store", ["libvirt"], indirect=True)
@pytest.mark.hypervisor
def test_storage_that_is_no_directory_keeps_what_directories_keep(store: Store, shared: Storage) -> None:
    room = store.open(shared)
    assert 0 < room.available <= room.capacity
    try:
        one, two = (volume(shared, f"{name}.raw", format=RAW, size=MIB) for name in ("one", "two"))
        for each in (one, two):
            store.create(each)
        store.write(one, BytesIO(b"kept".ljust(MIB, b"\0")))
        store.copy(two, one)
        back = BytesIO()
        store.read(two, back)
        assert back.getvalue().startswith(b"kept")
        store.resize(replace(one, size=8 * MIB))
        for each in (one, two):
            store.delete(shared, each.name)
        assert not store.names(shared)
    finally:
        store.close(shared)
