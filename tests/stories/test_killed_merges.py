"""A merge of images that is cut off by a death: of the guest's QEMU, or of libvirt's daemon. Nothing is lost by it."""

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.hypervisors.conftest import guest_files, real_libvirt, wait_until
from tests.stories.test_disk_guests import booted, frozen, line_of, opened_over, storage, volume_of
from vms.domain.errors import Refusal
from vms.domain.lifecycle import NOT_RUNNING
from vms.domain.runonce import Run
from vms.hypervisors.guest import GuestFiles
from vms.hypervisors.private import PrivateDaemon

__all__ = ["guest_files", "real_libvirt", "storage"]

pytestmark = pytest.mark.guests


@pytest.fixture
def daemon(real_libvirt: None, tmp_path: Path) -> Iterator[PrivateDaemon]:
    started = PrivateDaemon(tmp_path / "libvirt")
    started.start()
    yield started
    started.stop(guests=True)


@pytest.fixture
def driver(daemon: PrivateDaemon, guest_files: GuestFiles, tmp_path: Path) -> Iterator[Any]:
    opened = opened_over(daemon, guest_files, tmp_path / "own")
    yield opened
    opened.close()


def test_a_death_in_the_middle_of_a_merge_loses_nothing(
    driver: Any, storage: Any, daemon: PrivateDaemon, tmp_path: Path
) -> None:
    root, run, line = booted(driver, storage, daemon)
    line.ask("dd if=/dev/urandom of=/dev/vda bs=1M count=15 conv=fsync 2>/dev/null", 60)
    was = line.ask("md5sum /dev/vda", 60)
    over, run = frozen(driver, run)

    # The daemon dies; QEMU goes on, and so does what the next engine begins again.
    killed: list[int] = []

    def kill_daemon(percent: int) -> bool:
        if not killed and percent:
            killed.append(daemon.pid or 0)
            os.kill(killed[0], signal.SIGKILL)
        return True

    slowly(daemon, run)
    with pytest.raises(Refusal, match="HOST_NOT_RESPONDING"):
        driver.pull(run.base.id, over, None, kill_daemon)
    wait_until(lambda: not daemon.running, 20, "the end of the daemon")
    daemon.start()
    driver.open(lambda _event: None)

    # Then QEMU dies, and the images are what they were before the merge.
    guest = int((tmp_path / f"libvirt/run/qemu/{run.base.name}.pid").read_text())

    def kill_guest(_percent: int) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(guest, signal.SIGKILL)
        return True

    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED"):
        driver.pull(run.base.id, over, None, kill_guest)
    wait_until(lambda: driver.observe(run.base.id).status in NOT_RUNNING, 20, "the end of the guest")
    assert driver.store.begins_as(volume_of(storage, over)) == root.volume
    driver.store.rebase(replace(volume_of(storage, over), backing=None))
    driver.store.delete(storage, root.volume)
    again = Run(base=run.base, job=uuid4())
    driver.start(again)
    assert line_of(daemon, run.spec).ask("md5sum /dev/vda", 60) == was


def slowly(daemon: PrivateDaemon, run: Run) -> None:
    """Begin the merge at a pace at which it takes seconds; whoever wants it waits for that."""
    import libvirt

    domain = libvirt.open(daemon.uri).lookupByUUID(run.base.id.bytes)
    domain.blockRebase("vda", None, 1, 0)  # MiB a second
