"""How boot files get to a daemon whose guests run as somebody else."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.hypervisors import obedient
from tests.hypervisors.conftest import SerialLine, wait_until
from tests.hypervisors.obeying import boot_dir, daemon, machine, opened
from vms.domain.errors import Refusal
from vms.domain.runonce import Run
from vms.hypervisors import private
from vms.hypervisors.private import PrivateDaemon

__all__ = ["boot_dir", "daemon", "opened"]


class StockDaemon(PrivateDaemon):
    """A daemon whose guests run as libvirt-qemu, which Debian lets open /dev/kvm.

    Where it may not and root may, libvirt 9.0 asks QEMU for its capabilities anew in every call (measured: 22 s each).
    """

    def _accounts(self) -> list[tuple[Path, Path]]:
        kvm, ours = Path("/dev/kvm"), self.home / "kvm"
        if kvm.exists() and not ours.exists():
            os.mknod(ours, stat.S_IFCHR, kvm.stat().st_rdev)
            ours.chmod(0o666)
        return [*super()._accounts(), *([(ours, kvm)] if kvm.exists() else [])]


@pytest.fixture
def stock_daemon(real_libvirt: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateDaemon]:
    """A daemon whose guests run as Debian's packages configure it."""
    kept = [line for line in private.QEMU_CONF.splitlines() if not line.startswith(("user", "group"))]
    monkeypatch.setattr(private, "QEMU_CONF", "\n".join(kept) + "\n")
    home = Path(tempfile.mkdtemp(prefix="hw-"))
    made = StockDaemon(home)
    made.start()
    yield made
    made.stop(guests=True)
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.hypervisor
def test_a_guest_that_runs_as_libvirt_qemu_boots_files_of_a_closed_directory(
    opened: Callable[..., Any], stock_daemon: PrivateDaemon, boot_dir: Path
) -> None:
    import libvirt

    from vms.hypervisors.bootfiles import PoolFiles

    boot_dir.chmod(0o700)
    driver = opened(stock_daemon.uri, boot_dir, PoolFiles)
    spec = machine()
    driver.start(Run(base=spec, job=uuid4()))
    (qemu,) = stock_daemon.guests
    assert Path(f"/proc/{qemu}").stat().st_uid != 0, "the point of the test"
    connection = libvirt.open(stock_daemon.uri)
    domain = connection.lookupByUUID(spec.id.bytes)
    line = SerialLine(domain)

    def echoes() -> bool:
        line.send(obedient.ANYTHING)
        return obedient.ANYTHING in line.text

    wait_until(echoes, what="the guest's echo")


@pytest.mark.hypervisor
def test_a_closed_directory_is_why_files_are_handed_over(
    opened: Callable[..., Any], stock_daemon: PrivateDaemon, boot_dir: Path
) -> None:
    boot_dir.chmod(0o700)
    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED"):
        opened(stock_daemon.uri, boot_dir).start(Run(base=machine(), job=uuid4()))


@pytest.mark.hypervisor
def test_files_are_handed_over_once_whole_and_anew_when_they_change(daemon: PrivateDaemon, boot_dir: Path) -> None:
    import libvirt

    from vms.hypervisors.bootfiles import PoolFiles

    connection = libvirt.open(daemon.uri)
    folder = daemon.home / "lib/headless-webadmin"

    def handed_over() -> Path:
        return folder / Path(PoolFiles(boot_dir).path(connection, obedient.NAME)).name

    first = handed_over()
    assert first.read_bytes() == (boot_dir / obedient.NAME).read_bytes()
    written = first.stat().st_mtime_ns
    assert handed_over() == first
    assert first.stat().st_mtime_ns == written
    first.write_bytes(bytes(first.stat().st_size))  # as after a death in the middle of it
    assert handed_over().read_bytes() == (boot_dir / obedient.NAME).read_bytes()
    (boot_dir / obedient.NAME).write_bytes(b"another kernel")
    assert handed_over() != first
    assert handed_over().read_bytes() == b"another kernel"
    with pytest.raises(Refusal, match="BOOT_FILE_MISSING"):
        PoolFiles(boot_dir).path(connection, "nowhere")
