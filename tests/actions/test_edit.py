"""Changing what is configured: what is stale is refused, and what runs keeps its shape."""

from dataclasses import replace
from typing import Any

import pytest

from tests.actions.runs import choosing, claimed, down, fresh, seen, settled, up
from tests.actions.shapes import GRAPHICAL_NOW, HEADLESS_NOW
from tests.factories import headless
from vms.actions import create, jobs, power
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import HEADLESS, SPICE, VNC, Console, Offer, Protocol, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.domain.machine import VmType
from vms.domain.parts import Topology
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, AuditEvent, Cluster, Hardware, Host, Job, JobState, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def columns(**values: Any) -> Changes:
    return Changes(console=lambda console, _offer: replace(console, **values))


def spice(console: Console, offer: Offer) -> Console:
    return console.showing(SPICE, console.video, offer)


@pytest.fixture(params=["vm", "template", "pool", "instance_type"])
def row(request: pytest.FixtureRequest, cluster: Cluster, admin: User, host: Host) -> Hardware:
    """One of each kind, with VNC."""
    where = {} if request.param == "instance_type" else {"cluster": cluster}
    made: Hardware = getattr(create, request.param)("web", by=admin, **where)
    return made


def again(row: Hardware) -> Hardware:
    return type(row)._default_manager.get(pk=row.pk)


# -- every kind


def test_every_kind_becomes_headless_and_remembers_what_it_showed(row: Hardware, admin: User) -> None:
    edit(row, HEADLESS_NOW, by=admin)
    assert again(row).console.headless
    edit(row, GRAPHICAL_NOW, by=admin)
    assert (again(row).console.graphics, again(row).console.video) == (VNC, Video.VGA)


def test_what_is_not_named_stays(row: Hardware, admin: User) -> None:
    edit(row, Changes(machine={"memory": 2000}, attributes={"comment": "first"}), by=admin)
    edit(row, Changes(console=headless), by=admin)
    found = again(row)
    assert (found.memory, found.comment, found.console.headless) == (2000, "first", True)


def test_every_edit_raises_the_version(row: Hardware, admin: User) -> None:
    for memory in (2000, 3000):
        row = edit(row, Changes(machine={"memory": memory}), by=admin)
    assert (row.version, again(row).version) == (3, 3)


def test_an_edit_of_what_somebody_else_has_edited_is_refused(row: Hardware, admin: User) -> None:
    edit(row, Changes(machine={"memory": 2000}, version=1), by=admin)
    with pytest.raises(Refusal, match="EDITED_MEANWHILE"):
        edit(row, Changes(machine={"memory": 3000}, version=1), by=admin)
    assert again(row).memory == 2000


def test_an_edit_from_the_future_is_refused_as_well(row: Hardware, admin: User) -> None:
    with pytest.raises(Refusal, match="EDITED_MEANWHILE"):
        edit(row, Changes(machine={"memory": 3000}, version=2), by=admin)


def test_whoever_keeps_no_version_edits_what_is_there(row: Hardware, admin: User) -> None:
    edit(row, Changes(machine={"memory": 2000}), by=admin)
    assert edit(row, Changes(machine={"cpu": Topology(sockets=2)}), by=admin).version == 3


@pytest.mark.parametrize(
    "changes",
    [
        Changes(),
        Changes(machine={"memory": 1024}),
        Changes(attributes={"comment": ""}),
        Changes(console=lambda console, _offer: console),
    ],
)
def test_an_edit_that_changes_nothing_leaves_no_trace(row: Hardware, admin: User, changes: Changes) -> None:
    events = AuditEvent.objects.count()
    edit(row, changes, by=admin)
    assert (again(row).version, AuditEvent.objects.count()) == (1, events)


def test_a_name_in_use_is_refused_at_the_name(row: Hardware, admin: User, cluster: Cluster) -> None:
    kind = row._meta.model_name or ""
    where = {} if kind == "instancetype" else {"cluster": cluster}
    getattr(create, "instance_type" if kind == "instancetype" else kind)("taken", by=admin, **where)
    with pytest.raises(Refusal, match="NAME_ALREADY_USED") as refused:
        edit(row, Changes(machine={"name": "taken"}), by=admin)
    assert (refused.value.field, again(row).name) == ("name", "web")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (columns(video=None), "video_type"),
        (columns(graphics=HEADLESS), "video_type"),
        (columns(graphics=SPICE), "video_type"),
        (columns(monitors=4), "monitors"),
        (columns(keyboard="klingon"), "keyboard"),
        (Changes(machine={"memory": 1}), "memory"),
        (Changes(attributes={"comment": "\0"}), "comment"),
        (Changes(attributes={"cluster": None}), "cluster"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field_and_nothing_changes(
    row: Hardware, admin: User, changes: Changes, field: str
) -> None:
    before = again(row).spec
    with pytest.raises(Refusal) as refused:
        edit(row, changes, by=admin)
    assert (refused.value.field, again(row).spec, again(row).version) == (field, before, 1)


def test_an_edit_of_something_else_is_not_refused_for_the_display(
    admin: User, cluster: Cluster, vm: VM, host: Host
) -> None:
    """Its level may have been changed since: whoever edits the memory is not told of the card."""
    edit(vm, Changes(machine={"firmware": Firmware.UEFI}), by=admin)
    edit(vm, columns(video=Video.BOCHS), by=admin)
    cluster.level = "4.2"
    cluster.save(update_fields=["level"])
    assert edit(fresh(vm), Changes(machine={"memory": 2000}), by=admin).memory == 2000


@pytest.mark.parametrize("changes", [Changes(machine={"firmware": Firmware.BIOS}), columns(video=Video.CIRRUS)])
def test_an_edit_of_the_display_is_checked_against_the_cluster(admin: User, vm: VM, changes: Changes) -> None:
    edit(vm, Changes(machine={"firmware": Firmware.UEFI}), by=admin)
    edit(vm, columns(video=Video.BOCHS), by=admin)
    with pytest.raises(Refusal, match="DISPLAY_TYPE_IS_NOT_SUPPORTED") as refused:
        edit(vm, changes, by=admin)
    assert refused.value.field == "video_type"


def test_a_purpose_that_recommends_another_card_keeps_one_that_fits(admin: User, vm: VM) -> None:
    assert edit(vm, Changes(machine={"vm_type": VmType.DESKTOP}), by=admin).console.video == Video.VGA


# -- a machine that runs (engine-behaviour 11: 47 to 56)


def test_a_running_machine_keeps_its_shape_and_its_run_is_untouched(running: VM, admin: User) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    after = fresh(running)
    assert (after.running, after.running_graphics, after.running_video) == (running.running, "vnc", "vga")
    assert (after.console.headless, after.pending) == (True, True)


def test_what_waits_for_a_restart_is_listed_by_name(running: VM, admin: User) -> None:
    edit(running, Changes(machine={"memory": 2000}, console=headless), by=admin)
    assert set(fresh(running).pending_changes) == {"memory", "headless", "video_type", "graphics_protocol"}


def test_editing_back_leaves_nothing_waiting(running: VM, admin: User) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    edit(running, GRAPHICAL_NOW, by=admin)
    assert (fresh(running).pending, fresh(running).pending_changes) == (False, ())


@pytest.mark.parametrize("attributes", [{"comment": "new"}, {"description": "new"}, {"delete_protected": True}])
def test_what_no_guest_sees_takes_effect_at_once(running: VM, admin: User, attributes: dict[str, Any]) -> None:
    edit(running, Changes(attributes=attributes), by=admin)
    assert not fresh(running).pending


def test_a_reboot_with_something_pending_is_cold(running: VM, admin: User, host: Host) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    settled(running, host)
    assert power.reboot(running, by=admin).params["cold"] is True


def test_the_guests_own_reboot_is_made_to_end_the_run_while_something_is_pending(
    running: VM, admin: User, host: Host
) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    assert list(waiting(running)) == ["set_reboot"]


def test_editing_back_lets_the_guest_reboot_by_itself_again(running: VM, admin: User, host: Host) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    jobs.finish(claimed(host), seen(running, Status.UP, run=running.run, cold_reboot=True))
    edit(running, GRAPHICAL_NOW, by=admin)
    assert list(waiting(running)) == ["set_reboot"]


def test_nothing_is_asked_of_the_engine_when_nothing_is_pending(running: VM, admin: User) -> None:
    edit(running, Changes(attributes={"comment": "new"}), by=admin)
    assert list(waiting(running)) == []


def test_off_and_on_again_applies_what_was_pending(running: VM, admin: User, host: Host) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    settled(running, host)
    down(running, host, Ended.STOPPED)
    after = up(running, host, by=admin)
    assert (after.running_graphics, after.running_video, after.pending) == ("", "", False)


def test_switching_the_serial_line_off_is_applied_too(vm: VM, host: Host, admin: User) -> None:
    """oVirt stores it and never applies it (engine-behaviour 4)."""
    edit(vm, columns(serial=True), by=admin)
    running = up(vm, host, by=admin)
    edit(running, columns(serial=False), by=admin)
    assert fresh(running).pending_changes == ("serial",)
    settled(running, host)
    down(running, host)
    assert "console" not in kinds_of_run(up(running, host, by=admin))


def kinds_of_run(vm: VM) -> set[str]:
    return set(vm.devices.filter(scope="running").values_list("kind", flat=True))


def test_what_is_pending_stays_so_over_suspend_and_resume(running: VM, admin: User, host: Host) -> None:
    edit(running, HEADLESS_NOW, by=admin)
    settled(running, host)
    power.suspend(running, by=admin)
    jobs.finish(claimed(host), seen(running, Status.SUSPENDED, ended=Ended.SAVED))
    assert (fresh(running).status, fresh(running).pending) == ("suspended", True)
    power.resume(running, by=admin)
    jobs.finish(claimed(host), seen(running, Status.UP, run=running.run))
    assert (fresh(running).running_graphics, fresh(running).pending) == ("vnc", True)


def test_a_suspended_machine_is_edited_without_troubling_the_engine(running: VM, admin: User, host: Host) -> None:
    """There is no guest to set anything on: the run goes on, and is looked at again, when it is resumed."""
    power.suspend(running, by=admin)
    jobs.finish(claimed(host), seen(running, Status.SUSPENDED, ended=Ended.SAVED))
    edit(running, HEADLESS_NOW, by=admin)
    assert list(waiting(running)) == []
    power.resume(running, by=admin)
    jobs.finish(claimed(host), seen(running, Status.UP, run=running.run))
    assert list(waiting(running)) == ["set_reboot"]


def waiting(vm: VM) -> Any:
    return Job.objects.filter(machine=vm.pk, state=JobState.QUEUED).values_list("verb", flat=True)


def test_the_last_console_of_a_running_machine_may_go(running: VM, admin: User) -> None:
    edit(running, Changes(console=lambda console, _offer: console.without_graphics(Protocol.VNC)), by=admin)
    after = fresh(running)
    assert (after.console.headless, after.running_graphics, after.endpoints) == (True, "vnc", running.endpoints)


def test_what_is_laid_over_one_run_does_not_hide_what_is_pending(headless_vm: VM, host: Host, admin: User) -> None:
    once = up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    assert (once.pending, once.running_graphics) == (False, "vnc")
    edit(once, Changes(console=spice), by=admin)
    assert set(fresh(once).pending_changes) >= {"headless", "graphics_protocol"}


@pytest.mark.parametrize("status", Status)
def test_a_machine_can_be_edited_in_every_state(vm: VM, admin: User, status: Status) -> None:
    VM.objects.filter(pk=vm.pk).update(observed=status, status=status)
    assert edit(vm, HEADLESS_NOW, by=admin).console.headless
