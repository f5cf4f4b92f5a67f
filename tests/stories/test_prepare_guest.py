"""A real Debian as it is installed, whose GRUB hangs without a screen: found out, prepared, reached on its serial line,
and everything put back.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import distribution
from tests.engine.conftest import fresh
from tests.factories import machine
from tests.hypervisors.conftest import debian, wait_until
from tests.stories.test_real_guest import (
    Installation,
    _database,
    comes_to,
    guest_files,
    home,
    installation,
    owner,
    real_libvirt,
)
from vms.actions import disks, power, preparations
from vms.domain.console import Console, Offer
from vms.domain.disks import GIB
from vms.domain.doctor import Finding
from vms.domain.parts import Topology
from vms.domain.preparation import Stage
from vms.models import VM, Image, Preparation, StorageDomain, StorageStatus, User

__all__ = ["_database", "debian", "guest_files", "home", "installation", "owner", "real_libvirt"]

pytestmark = pytest.mark.guests

WITHIN = 300.0  # seconds for a boot with all that belongs to it; fifty on an idle machine


def headless_with_serial(console: Console, _offer: Offer) -> Console:
    return replace(console, serial=True).as_headless()


@pytest.fixture
def vm(installation: Installation, owner: User, debian: dict[str, Path]) -> VM:
    """Headless, with a disk on which a Debian lies that was never told so."""
    made = machine("old", by=owner, console=headless_with_serial, memory=512, cpu=Topology(cores=2))
    wait_until(lambda: StorageDomain.objects.filter(status=StorageStatus.ACTIVE).exists(), 30, "there is storage")
    row = disks.create_in(made, "root", domain=StorageDomain.objects.get(), size=GIB, by=owner, how={"bootable": True})
    (image,) = Image.objects.filter(disk=row.disk)
    wait_until(lambda: fresh(row.disk).status == "ok", 30, "its disk")
    (volume,) = installation.home.rglob(image.name)
    distribution.overlay(debian["default"], volume)
    return made


def finding(vm: VM) -> Finding | None:
    diagnosis = fresh(vm).diagnosis
    return diagnosis.finding if diagnosis else None


def comes_through(preparation: Preparation, condition: Any, what: str) -> Preparation:
    """The preparation, once the condition holds of it; at its end without that, its reason."""

    def there() -> bool:
        row = fresh(preparation)
        return condition(row) or row.outcome in {"failed", "cancelled"}

    wait_until(there, WITHIN, what)
    row: Preparation = fresh(preparation)
    assert condition(row), (row.stage, row.outcome, row.error)
    return row


def test_a_debian_that_hangs_is_prepared_and_put_back(vm: VM, owner: User, installation: Installation) -> None:
    power.start(vm, by=owner)
    wait_until(lambda: finding(vm) == Finding.GRUB_HANGS, WITHIN, "the hang is found out")

    preparation = preparations.begin(fresh(vm), by=owner, may_power_off=True)
    looked = comes_through(preparation, lambda row: row.stage == Stage.CONFIRM, "what would be changed")
    once = fresh(vm)
    assert (once.run_once, once.running_graphics, looked.loader) == (True, "vnc", "debian")
    for part in ("+++ /etc/default/grub.d/90-headless.cfg", '+GRUB_TERMINAL="serial console"', "console=ttyS0,115200"):
        assert part in looked.changes, looked.changes

    preparations.confirm(looked, by=owner)
    done = comes_through(preparation, lambda row: row.outcome == "done", "its log-in prompt, headless")
    up = comes_to(vm, "up")
    assert (up.running_graphics, up.run_once, finding(vm)) == ("", False, Finding.LOG_IN)
    assert installation.seen(vm).headless

    wait_until(lambda: fresh(vm).agent == "now", WITHIN, "its agent")
    preparations.undo(done, by=owner)
    comes_through(preparation, lambda row: row.outcome == "undone", "everything is as it was")
    wait_until(lambda: finding(vm) == Finding.GRUB_HANGS, WITHIN, "it hangs as before")
