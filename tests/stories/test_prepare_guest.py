"""A real Debian as it is installed, whose GRUB hangs without a screen: found out, prepared, reached on its serial line,
and everything put back.
"""

import faulthandler
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import distribution
from tests.engine.conftest import fresh
from tests.factories import machine
from tests.hypervisors.conftest import debian, wait_until
from tests.needs import need
from tests.stories.test_real_guest import (
    Installation,
    _database,
    boot,
    comes_to,
    guest_files,
    home,
    installation,
    owner,
    real_libvirt,
    with_serial,
)
from vms.actions import disks, fleet, many, power, preparations
from vms.domain.console import Console, Offer
from vms.domain.disks import GIB
from vms.domain.doctor import Finding
from vms.domain.parts import Topology
from vms.domain.preparation import Stage, Way
from vms.hypervisors.appliance import why_none
from vms.models import VM, Image, Job, Preparation, StorageDomain, StorageStatus, User

__all__ = ["_database", "debian", "guest_files", "home", "installation", "owner", "real_libvirt"]

pytestmark = pytest.mark.guests

WITHIN = 300.0  # seconds for a boot with all that belongs to it; fifty on an idle machine


def headless_with_serial(console: Console, _offer: Offer) -> Console:
    return replace(console, serial=True).as_headless()


@pytest.fixture
def unhurried() -> None:
    """Five boots of a real system take longer than the suite gives a test that hangs."""
    faulthandler.dump_traceback_later(3 * WITHIN, exit=True)


@pytest.fixture
def vm(installation: Installation, owner: User, debian: dict[str, Path]) -> Iterator[VM]:
    """Headless, with a disk on which a Debian lies that was never told so; off when it is not needed any more."""
    made = machine(
        f"old-{VM.objects.count()}", by=owner, console=headless_with_serial, memory=512, cpu=Topology(cores=2)
    )
    wait_until(lambda: StorageDomain.objects.filter(status=StorageStatus.ACTIVE).exists(), 30, "there is storage")
    row = disks.create_in(made, "root", domain=StorageDomain.objects.get(), size=GIB, by=owner, how={"bootable": True})
    (image,) = Image.objects.filter(disk=row.disk)
    wait_until(lambda: fresh(row.disk).status == "ok", 30, "its disk")
    (volume,) = installation.home.rglob(image.name)
    distribution.overlay(debian["default"], volume)
    yield made
    if fresh(made).status != "down":
        power.stop(fresh(made), by=owner)
        comes_to(made, "down")


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


@pytest.mark.usefixtures("unhurried")
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


def file_on(disk: Path, path: str) -> str:
    """What a file in the guest's file system says; empty where there is none."""
    raw = disk.with_suffix(".looked-at")
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(disk), str(raw)], check=True)
    asks = ["debugfs", "-R", f"cat {path}", f"{raw}?offset={distribution.START}"]
    done = subprocess.run(asks, capture_output=True, text=True, check=False)
    raw.unlink()
    return done.stdout


@pytest.mark.usefixtures("unhurried")
def test_a_debian_whose_agent_never_answered_is_prepared_on_its_disk_and_put_back(
    vm: VM, owner: User, installation: Installation
) -> None:
    need(f"libguestfs lacks its {lacking}" if (lacking := why_none()) else None)
    assert preparations.way_for(fresh(vm)) == Way.OFFLINE
    preparation = preparations.begin(fresh(vm), by=owner, way=Way.OFFLINE)
    looked = comes_through(preparation, lambda row: row.stage == Stage.CONFIRM, "what would be changed")
    (volume,) = installation.home.rglob(Image.objects.get(disk__attachments__vm=vm).name)
    for part in ("+++ /etc/default/grub.d/90-headless.cfg", '+GRUB_TERMINAL="serial console"', "serial-getty@ttyS0"):
        assert part in looked.changes, looked.changes
    assert not file_on(volume, "/etc/default/grub.d/90-headless.cfg"), "nothing is changed before somebody says yes"

    preparations.confirm(looked, by=owner)
    done = comes_through(preparation, lambda row: row.outcome == "done", "its log-in prompt, headless")
    assert (comes_to(vm, "up").running_graphics, finding(vm), done.kept) == ("", Finding.LOG_IN, True)
    assert installation.seen(vm).headless

    power.stop(comes_to(vm, "up"), by=owner)
    comes_to(vm, "down")
    preparations.undo(fresh(done), by=owner)
    undone = comes_through(preparation, lambda row: row.outcome == "undone", "its disk is as it was")
    assert (undone.way, fresh(vm).console) == (Way.OFFLINE, vm.console)
    assert "terminal_output gfxterm" in file_on(volume, "/boot/grub/grub.cfg")
    assert not file_on(volume, "/etc/default/grub.d/90-headless.cfg")
    assert not list((installation.home / "storage" / "offline").iterdir()), "nothing is left behind"


def carried_out(job: Job) -> Job:
    """The run, once each machine has been dealt with and has done what it was asked for."""

    def over() -> bool:
        return not fresh(job).active and not any(step.led_to and step.led_to.active for step in job.steps.all())

    wait_until(over, WITHIN, "the end of the run")
    done: Job = fresh(job)
    return done


def booted(vm: VM) -> None:
    wait_until(lambda: fresh(vm).agent == "now", WITHIN, "it has booted")


def has_screen(vm: VM) -> None:
    wait_until(lambda: fresh(vm).running_graphics == "vnc", WITHIN, "it has its screen again")


def test_fifty_machines_lose_their_screens_in_one_run_and_get_them_back(
    installation: Installation, owner: User
) -> None:
    """Two of them run a real guest and restart; the run reports on each."""
    parts = {"memory": 192, "boot": boot(), "console": with_serial}
    fifty = [machine(f"fleet-{number:02}", by=owner, **parts) for number in range(50)]
    run_, off = fifty[:2], fifty[2:]
    for vm in run_:
        power.start(vm, by=owner)
    for vm in run_:
        comes_to(vm, "up")
        booted(vm)
    machines = VM.objects.filter(name__startswith="fleet-")
    run = carried_out(many.ask("headless", machines, by=owner, serial=True, restart=True))
    assert list(run.steps.values_list("state", flat=True)) == ["finished"] * 50
    assert not [vm for vm in machines.all() if not vm.console.headless]
    for vm in run_:
        assert comes_to(vm, "up").running_graphics == ""
        assert installation.seen(vm).headless
    undone = carried_out(many.undo(run, by=owner, restart=True))
    assert list(undone.steps.values_list("state", flat=True)) == ["finished"] * 50
    assert fleet.undoable(run).count() == 50
    for vm in run_:
        has_screen(vm)
    assert [fresh(vm).console for vm in off] == [vm.console for vm in off]
