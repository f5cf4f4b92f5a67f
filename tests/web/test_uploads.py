"""Images and CDs that people upload: what is taken, what is refused, and that nothing is left of what was refused."""

import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.actions.test_disks import domain, files, hypervisor, work
from tests.needs import need
from vms.domain.disks import MIB
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, Disk, Image, Job, StorageDomain, User

__all__ = ["domain", "hypervisor", "work"]

pytestmark = pytest.mark.django_db
Work = Callable[[], None]


@pytest.fixture
def committed(work: Work, django_capture_on_commit_callbacks: Any) -> Work:
    """The same, with what is done once the database has it for good."""

    def all_of_it() -> None:
        with django_capture_on_commit_callbacks(execute=True):
            work()

    return all_of_it


@pytest.fixture
def browser(admin: User, client: Client) -> Client:
    client.force_login(admin)
    return client


def iso() -> bytes:
    return bytes(32768) + b"\x01CD001\x01" + bytes(2041)


def qcow2(**changed: Any) -> bytes:
    """The header of an image, with fields changed."""
    told = {"version": 3, "backing": 0, "size": 64 * MIB, "encryption": 0, "features": 0, **changed}
    begin = struct.pack(">4sIQIIQI", b"QFI\xfb", told["version"], told["backing"], 0, 16, told["size"], 0)
    return begin.ljust(72, b"\0") + struct.pack(">Q", told["features"]) + bytes(4096)


def upload(browser: Client, domain: StorageDomain, file_name: str, data: bytes, **more: str) -> Any:
    file = SimpleUploadedFile(file_name, data)
    return browser.post("/disks/upload", {"file": file, "domain": domain.pk, "content": "data", **more})


def kept() -> list[Path]:
    return list(settings.UPLOAD_DIR.iterdir()) if settings.UPLOAD_DIR.is_dir() else []


def test_a_cd_is_uploaded_and_laid_into_a_drive(
    browser: Client, vm: VM, domain: StorageDomain, hypervisor: MemoryHypervisor, committed: Work
) -> None:
    answer = upload(browser, domain, "rescue.iso", iso(), content="iso")
    assert answer.status_code == 302, answer.context["form"].errors
    assert len(kept()) == 1
    committed()
    disk = Disk.objects.get()
    assert (disk.name, disk.status, disk.size, kept()) == ("rescue.iso", "ok", len(iso()), [])
    assert hypervisor.store.contents[f"{disk.pk}.raw"] == iso()
    form = browser.get(f"/vms/{vm.pk}/edit").context["form"]
    assert (str(disk.pk), "rescue.iso") in form.fields["cd"].choices
    posted = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    assert browser.post(f"/vms/{vm.pk}/edit", {**posted, "cd": str(disk.pk)}).status_code == 302
    assert VM.objects.get(pk=vm.pk).spec.boot.cd == str(disk.pk)
    assert "rescue.iso" in browser.get(f"/vms/{vm.pk}/").content.decode()
    browser.post(f"/disks/{disk.pk}/remove")
    assert Disk.objects.exists(), "it lies in a drive"


def test_an_image_that_is_not_what_it_says_is_refused_and_leaves_nothing(
    browser: Client, domain: StorageDomain, hypervisor: MemoryHypervisor, committed: Work
) -> None:
    bad: tuple[tuple[str, bytes, dict[str, str], str], ...] = (
        ("a.iso", b"no cd" * 100, {"content": "iso"}, "ISO 9660"),
        ("a.qcow2", qcow2(backing=104), {}, "backing file"),
        ("a.qcow2", qcow2(features=4), {}, "another file"),
        ("a.qcow2", qcow2(size=1), {}, "size"),
        ("a.qcow2", qcow2(version=7), {}, "another format"),
        ("a.qcow2", b"QFI\xfb", {}, "middle of its header"),
        ("a.vmdk", b"KDMV" + bytes(4096), {}, "another format"),
        ("a.gz", b"\x1f\x8b" + bytes(4096), {}, "another format"),
        ("a\x01.raw", bytes(4096), {"name": "two\nlines"}, "printable"),
    )
    for name, content, more, why in bad:
        answer = upload(browser, domain, name, content, **more)
        assert (answer.status_code, why in answer.content.decode()) == (422, True), (name, why)
    assert (Disk.objects.count(), Image.objects.count(), kept(), files(hypervisor, domain)) == (0, 0, [], set())
    assert not Job.objects.filter(verb="import_disk").exists()


def test_qemus_own_tool_has_the_last_word(
    browser: Client, domain: StorageDomain, hypervisor: MemoryHypervisor, committed: Work, tmp_path: Path
) -> None:
    need(None if shutil.which("qemu-img") else "qemu-img is not installed")
    whole = tmp_path / "whole.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", whole, "8M"], check=True)
    assert upload(browser, domain, "whole.qcow2", whole.read_bytes()).status_code == 302
    assert upload(browser, domain, "broken.qcow2", qcow2()).status_code == 302
    committed()
    good, bad = Disk.objects.get(name="whole.qcow2"), Disk.objects.get(name="broken.qcow2")
    assert (good.status, good.size, good.format) == ("ok", 8 * MIB, "qcow2")
    assert (bad.status, (bad.failure or {}).get("code"), bad.image) == ("illegal", "IMAGE_ILLEGAL", None)
    assert (kept(), files(hypervisor, domain)) == ([], {good.image.name if good.image else ""})


def test_an_upload_that_is_cut_leaves_nothing(browser: Client, domain: StorageDomain) -> None:
    line = "--cut"
    body = f'{line}\r\nContent-Disposition: form-data; name="file"; filename="a.iso"\r\n\r\n'.encode() + iso()[:1000]
    answer = browser.generic("POST", "/disks/upload", body, content_type="multipart/form-data; boundary=cut")
    assert answer.status_code in {400, 422}
    assert (Disk.objects.count(), kept()) == (0, [])
