"""Images by oVirt's SDK and its imageio client, in the order of its examples upload_disk.py and download_disk.py."""

import json
import os
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import pytest
from lxml import etree

if not os.environ.get("CI"):
    pytest.importorskip("ovirt_imageio", reason="oVirt's imageio client is not installed")
from ovirt_imageio import client
from ovirtsdk4 import services, types

from tests.api.installations import PASSWORD, PATIENCE, USERNAME, Installation, here
from tests.hypervisors.conftest import real_libvirt, wait_until

__all__ = ["here", "real_libvirt"]
MIB = 1024 * 1024
BLANK = "00000000-0000-0000-0000-000000000000"
PHASES = types.ImageTransferPhase


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


class GoClient:
    """What oVirt's Go client sends, by which Terraform's provider works: its headers, its bodies, in its order."""

    HEADERS: ClassVar = {
        "User-Agent": "GoSDK/4.4.3",
        "Version": "4",
        "Content-Type": "application/xml",
        "Accept": "application/xml",
        "Connection": "close",
    }

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url).netloc
        form = {"grant_type": "password", "scope": "ovirt-app-api", "username": USERNAME, "password": PASSWORD}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        answer = self._send("POST", "/ovirt-engine/sso/oauth/token", urlencode(form).encode(), headers)
        self._told = {**self.HEADERS, "Authorization": f"Bearer {json.loads(answer)['access_token']}"}

    def __call__(self, method: str, path: str, body: str = "") -> Any:
        """The document that comes back; whatever is no success fails the test."""
        return etree.fromstring(self._send(method, f"/ovirt-engine/api{path}", body.encode(), self._told))

    def raw(self, method: str, url: str, body: bytes = b"") -> bytes:
        """A request to where an image goes."""
        return self._send(method, urlsplit(url).path, body, {"content-type": "application/octet-stream"})

    def until(self, path: str, word: str) -> Any:
        """Ask until a thing is in a status or phase."""

        def there() -> list[Any]:
            told = self("GET", path)
            return [told] if told.xpath("string(status | phase)") == word else []

        return wait_until(there, PATIENCE, f"{path} {word}")[0]

    def finished(self, correlation: str) -> None:
        """No job of the request is under way any more."""
        at = f"/jobs?search=correlation_id%3D{correlation}"
        wait_until(
            lambda: (found := self("GET", at).xpath("job/status/text()")) and set(found) == {"finished"},
            *(PATIENCE, "the jobs"),
        )

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        line = HTTPConnection(self._place, timeout=30)
        line.request(method, path, body, headers)
        answer = line.getresponse()
        data = answer.read()
        line.close()
        assert answer.status in {200, 201, 202}, (method, path, answer.status, data[:500])
        return data


@pytest.fixture
def go(here: Installation) -> GoClient:
    made = GoClient(here.url)
    wait_until(lambda: made("GET", "/storagedomains").xpath("storage_domain[status='active']"), PATIENCE, "the storage")
    return made


def storage(go: GoClient) -> str:
    """Where disks are to lie, as its bodies say it."""
    (domain,) = go("GET", "/storagedomains").xpath("storage_domain[name='local-storage']/@id")
    return f'<storage_domains><storage_domain id="{domain}"/></storage_domains>'


def disk_of(go: GoClient, name: str, correlation: str) -> str:
    """A disk that it has made."""
    body = (
        f"<disk><alias>{name}</alias><format>cow</format><initial_size>{64 * MIB}</initial_size>"
        f"<provisioned_size>{64 * MIB}</provisioned_size><sparse>true</sparse>{storage(go)}</disk>"
    )
    disk: str = go("POST", f"/disks?correlation_id={correlation}", body).get("id")
    told = go.until(f"/disks/{disk}", "ok")
    assert all(told.find(name) is not None for name in ("alias", "format", "provisioned_size", "total_size", "sparse"))
    go.finished(correlation)
    return disk


def test_the_go_client_brings_an_image_and_fetches_it(go: GoClient, image: Path) -> None:
    disk = disk_of(go, "go-image", "image_transfer_go")
    wish = f'<image_transfer><image id="{disk}"/></image_transfer>'
    transfer = go("POST", "/imagetransfers?correlation_id=image_transfer_go", wish)
    at, url = f"/imagetransfers/{transfer.get('id')}", transfer.findtext("transfer_url")
    go.until(at, "transferring")
    assert b"max_writers" in go.raw("OPTIONS", url)
    go.raw("PUT", url, image.read_bytes())
    go("POST", f"{at}/finalize?correlation_id=image_transfer_go", "<action/>")
    go.until(f"/disks/{disk}", "ok")
    go.finished("image_transfer_go")

    wish = f'<image_transfer><image id="{disk}"/><direction>download</direction><format>raw</format></image_transfer>'
    transfer = go("POST", "/imagetransfers?correlation_id=image_download_go", wish)
    at, url = f"/imagetransfers/{transfer.get('id')}", transfer.findtext("transfer_url")
    go.until(at, "transferring")
    data = go.raw("GET", url)
    assert (len(data), data[20 * MIB], data[5 * MIB]) == (64 * MIB, 0x5A, 0)
    go("POST", f"{at}/finalize?correlation_id=image_download_go", "<action/>")
    go("DELETE", f"/disks/{disk}")


def test_terraform_makes_machines_in_its_order(go: GoClient) -> None:
    (cluster,) = go("GET", "/clusters").xpath("cluster[name='Default']/@id")
    (profile,) = go("GET", "/vnicprofiles").xpath("vnic_profile[name='ovirtmgmt']/@id")
    disk = disk_of(go, "go-root", "disk_create_go-root")
    body = (
        f'<vm><cluster id="{cluster}"/><disk_attachments></disk_attachments><name>go-vm</name>'
        f'<template id="{BLANK}"/><type>server</type></vm>'
    )
    vm = go("POST", "/vms", body).get("id")
    body = f'<disk_attachment><disk id="{disk}"/><interface>virtio_scsi</interface><vm id="{vm}"/></disk_attachment>'
    row = go("POST", f"/vms/{vm}/diskattachments", body)
    assert (row.get("id"), row.find("vm").get("id"), row.find("disk").get("id")) == (disk, vm, disk)
    assert [row.findtext(name) for name in ("interface", "bootable", "active")] == ["virtio_scsi", "false", "true"]
    go("PUT", f"/vms/{vm}/diskattachments/{disk}", "<disk_attachment><bootable>true</bootable></disk_attachment>")
    body = f'<nic><name>eth0</name><vm id="{vm}"/><vnic_profile id="{profile}"/></nic>'
    card = go("POST", f"/vms/{vm}/nics", body)
    assert (card.find("vnic_profile").get("id"), bool(card.findtext("mac/address"))) == (profile, True)
    tag = go("POST", "/tags", "<tag><description>of Go</description><name>go</name></tag>").get("id")
    go("POST", f"/vms/{vm}/tags", f'<tag id="{tag}"/>')

    template = go("POST", "/templates", f'<template><name>go-template</name><vm id="{vm}"/></template>').get("id")
    told = go.until(f"/templates/{template}", "ok")
    assert (told.find("description") is not None, told.findtext("cpu/topology/cores")) == (True, "1")
    (copy,) = go("GET", f"/templates/{template}/diskattachments").xpath("disk_attachment/disk/@id")
    body = (
        f'<vm><cluster id="{cluster}"/><disk_attachments><disk_attachment><disk id="{copy}"><format>raw</format>'
        f"<sparse>true</sparse>{storage(go)}</disk></disk_attachment></disk_attachments><name>go-heir</name>"
        f'<template id="{template}"/></vm>'
    )
    heir = go("POST", "/vms?clone=true", body).get("id")
    go.until(f"/vms/{heir}", "down")
    (mine,) = go("GET", f"/vms/{heir}/diskattachments").xpath("disk_attachment/disk/@id")
    assert go("GET", f"/disks/{mine}").findtext("format") == "raw"
    go("POST", f"/vms/{heir}/start", "<action><use_cloud_init>false</use_cloud_init></action>")
    go.until(f"/vms/{heir}", "up")
    go("POST", f"/vms/{heir}/stop", "<action><force>true</force></action>")
    go.until(f"/vms/{heir}", "down")
    for path in (f"/vms/{heir}", f"/vms/{vm}/nics/{card.get('id')}", f"/vms/{vm}/diskattachments/{disk}", f"/vms/{vm}"):
        go("DELETE", path)
    go("DELETE", f"/templates/{template}")
    go("DELETE", f"/disks/{disk}")
