"""Images by oVirt's SDK and its imageio client, in the order of its examples upload_disk.py and download_disk.py."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

if not os.environ.get("CI"):
    pytest.importorskip("ovirt_imageio", reason="oVirt's imageio client is not installed")
from ovirt_imageio import client
from ovirtsdk4 import services, types
from pytest_django.plugin import DjangoDbBlocker

from tests.api.installations import PATIENCE, Installation, installation
from tests.hypervisors.conftest import real_libvirt, wait_until

__all__ = ["real_libvirt"]
MIB = 1024 * 1024
PHASES = types.ImageTransferPhase


@pytest.fixture(scope="module", params=["memory", pytest.param("libvirt", marks=pytest.mark.hypervisor)])
def here(
    request: pytest.FixtureRequest, migrated_file: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Installation]:
    if request.param == "libvirt":
        request.getfixturevalue("real_libvirt")
    with installation(request.param, migrated_file, django_db_blocker) as running:
        yield running


@pytest.fixture
def system(here: Installation) -> Iterator[services.SystemService]:
    connection = here.connect()
    yield connection.system_service()
    connection.close()


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A QCOW2 file of 64 MiB with data at its beginning, in its middle and at its end."""
    path = tmp_path / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "64M"], check=True)
    writes = [word for at in ("0", "20M", "63M") for word in ("-c", f"write -q -P 0x5a {at} 1M")]
    subprocess.run(["qemu-io", "-f", "qcow2", *writes, str(path)], check=True)
    return path


def made(system: services.SystemService, name: str, format: types.DiskFormat) -> services.DiskService:
    (domain,) = system.storage_domains_service().list(search="name=local-storage")
    wait_until(
        lambda: (
            system.storage_domains_service().storage_domain_service(domain.id).get().status
            == types.StorageDomainStatus.ACTIVE
        ),
        *(PATIENCE, "the storage"),
    )
    wish = types.Disk(
        name=name,
        format=format,
        provisioned_size=64 * MIB,
        sparse=True,
        storage_domains=[types.StorageDomain(id=domain.id)],
    )
    disk = system.disks_service().disk_service(system.disks_service().add(wish).id)
    whole(disk)
    return disk


def whole(disk: services.DiskService) -> None:
    wait_until(lambda: disk.get().status == types.DiskStatus.OK, PATIENCE, "the disk")


def begun(system: services.SystemService, **wish: object) -> tuple[services.ImageTransferService, types.ImageTransfer]:
    transfers = system.image_transfers_service()
    service = transfers.image_transfer_service(transfers.add(types.ImageTransfer(**wish)).id)
    wait_until(lambda: service.get().phase != PHASES.INITIALIZING, PATIENCE, "the transfer")
    return service, service.get()


def ended(service: services.ImageTransferService, phase: types.ImageTransferPhase) -> None:
    seen = wait_until(
        lambda: told if (told := service.get().phase) in {phase, PHASES.FINISHED_FAILURE} else None, PATIENCE, "the end"
    )
    assert seen == phase


def same(one: Path, other: Path) -> bool:
    return subprocess.run(["qemu-img", "compare", "-q", str(one), str(other)], check=False).returncode == 0


def test_an_image_is_brought_to_a_disk_and_fetched_again(
    here: Installation, system: services.SystemService, image: Path, tmp_path: Path
) -> None:
    for format in (types.DiskFormat.COW, types.DiskFormat.RAW):
        disk = made(system, f"disk-{format.value}", format)
        about = types.Disk(id=disk.get().id)
        up = {"direction": types.ImageTransferDirection.UPLOAD, "format": types.DiskFormat.RAW}
        service, told = begun(system, disk=about, inactivity_timeout=30, **up)
        assert disk.get().status == types.DiskStatus.LOCKED
        assert system.hosts_service().host_service(told.host.id).get().name
        client.upload(str(image), told.transfer_url, None, secure=False, proxy_url=told.proxy_url)
        service.finalize()
        ended(service, PHASES.FINISHED_SUCCESS)
        whole(disk)

        down = {"direction": types.ImageTransferDirection.DOWNLOAD, "format": types.DiskFormat.RAW}
        service, told = begun(system, disk=about, **down)
        fetched = tmp_path / f"fetched-{format.value}.qcow2"
        client.download(told.transfer_url, str(fetched), None, fmt="qcow2", secure=False)
        assert same(image, fetched)
        with client.ImageioClient(told.transfer_url, secure=False) as there:
            extents = list(there.extents())
        assert sum(extent.length for extent in extents if not extent.zero) < 8 * MIB
        service.finalize()
        ended(service, PHASES.FINISHED_SUCCESS)
        with pytest.raises(Exception, match="ticket is not valid"):
            client.ImageioClient(told.transfer_url, secure=False)
