"""What can be done with machines: the jobs that actions record, and the runs that a start asks for."""

from typing import Any

import pytest

from tests.actions.runs import choosing, tell, up
from tests.api.caller import Caller
from tests.factories import person
from vms.actions import create, reports
from vms.domain.console import HEADLESS, SPICE, VNC, Video
from vms.domain.document import run_from_document
from vms.domain.hosts import Capabilities
from vms.domain.lifecycle import Status
from vms.domain.machine import HOST_PASSTHROUGH
from vms.domain.runonce import ConsoleChoice, Run
from vms.models import VM, Cluster, Host, Job, Permission, User

pytestmark = pytest.mark.django_db


def run_of(job: Job) -> Run:
    run = run_from_document(job.params["run"])
    assert run is not None
    return run


def started(api: Caller, machine: VM, /, **action: Any) -> Run:
    answer = api.post(f"/vms/{machine.pk}/start", "action", action)
    assert (answer.status, answer.at("status")) == (200, "complete"), answer.text
    return run_of(Job.objects.get(pk=answer.at("job/id")))


def test_a_start_is_a_plain_run(api: Caller, headless_vm: VM) -> None:
    run = started(api, headless_vm)
    assert (run.once, run.spec.console.graphics) == (None, HEADLESS)


def test_a_start_needs_no_body(api: Caller, headless_vm: VM) -> None:
    assert api.send("post", f"/vms/{headless_vm.pk}/start").status == 200


@pytest.mark.parametrize(
    ("inner", "graphics", "video"),
    [
        ({"display": {"type": "vnc"}}, VNC, Video.VGA),
        ({"display": {"type": "spice"}}, SPICE, Video.QXL),
        ({"display": {"video_type": "qxl"}}, SPICE, Video.QXL),
        ({"display": {"type": "vnc", "video_type": "qxl"}}, VNC, Video.QXL),
        ({"graphics_consoles": {"graphics_console": [{"protocol": "vnc"}]}}, VNC, Video.VGA),
        ({"placement_policy": {"hosts": {"host": [{"name": "local"}]}}}, HEADLESS, None),
        ({"os": {"boot": {"devices": {"device": ["hd"]}}}}, HEADLESS, None),
    ],
)
def test_a_machine_inside_a_start_is_run_once(
    api: Caller, headless_vm: VM, inner: Any, graphics: Any, video: Any
) -> None:
    run = started(api, headless_vm, pause=False, vm=inner)
    assert run.once is not None
    assert (run.spec.console.graphics, run.spec.console.video) == (graphics, video)
    assert VM.objects.get(pk=headless_vm.pk).console.headless


def test_a_machine_with_a_screen_may_run_once_without(api: Caller, vm: VM) -> None:
    assert started(api, vm, vm={"graphics_consoles": {}}).spec.console.headless


def test_a_run_once_takes_keyboard_serial_line_pause_and_rollback(api: Caller, headless_vm: VM) -> None:
    inner = {"display": {"type": "vnc", "keyboard_layout": "de"}, "console": {"enabled": True}}
    run = started(api, headless_vm, pause=True, volatile=True, vm=inner)
    assert (run.spec.console.keyboard, run.spec.console.serial) == ("de", True)
    assert (run.spec.start_paused, run.volatile) == (True, True)


def test_a_start_may_be_paused_without_a_machine_inside(api: Caller, vm: VM) -> None:
    assert started(api, vm, pause=True).spec.start_paused


@pytest.mark.parametrize(
    "inner",
    [
        {"initialization": {"host_name": "not a host"}},
        {"floppies": {"floppy": {"file": {"id": "x.vfd"}}}},
        {"os": {"cmdline": "quiet"}},  # without a kernel
        {"placement_policy": {"hosts": {"host": [{"name": "no such"}]}}},
    ],
)
def test_what_no_run_can_have_is_refused_rather_than_left_out(api: Caller, vm: VM, inner: Any) -> None:
    answer = api.post(f"/vms/{vm.pk}/start", "action", {"vm": inner})
    assert (answer.status, Job.objects.count()) == (400, 0)


def test_a_run_once_takes_whatever_else_the_dialog_offers(api: Caller, vm: VM, host: Host) -> None:
    reports.host_seen(host, Capabilities(machines=frozenset({"pc-q35-7.2"})))
    run = started(
        api,
        vm,
        vm={
            "os": {
                "kernel": "vmlinuz",
                "initrd": "initrd",
                "cmdline": "quiet",
                "boot": {"devices": {"device": ["cdrom", "hd"]}},
            },
            "bios": {"boot_menu": {"enabled": True}},
            "cdroms": {"cdrom": {"file": {"id": "x.iso"}}},
            "custom_emulated_machine": "pc-q35-7.2",
            "cpu": {"mode": "host_passthrough"},
            "custom_properties": {"custom_property": [{"name": "hugepages", "value": "2048"}]},
            "placement_policy": {"hosts": {"host": [{"id": str(host.pk)}]}},
            "display": {"type": "spice", "file_transfer_enabled": False, "copy_paste_enabled": False},
        },
    ).spec
    assert (run.boot.cd, run.boot.kernel, run.boot.initrd, run.boot.parameters) == (
        *("x.iso", "vmlinuz", "initrd"),
        "quiet",
    )
    assert (run.boot_order.text, run.boot_order.menu) == ("cdrom,hd", True)
    assert (run.emulated_machine, run.cpu_model, run.hosts) == ("pc-q35-7.2", HOST_PASSTHROUGH, (host.pk,))
    assert run.custom_properties == {"hugepages": "2048"}
    assert (run.console.file_transfer, run.console.copy_paste) == (False, False)
    assert VM.objects.get(pk=vm.pk).spec.boot.kernel == ""


@pytest.mark.parametrize("inner", [{"stateless": False}, {"cdroms": {}}, {"os": {}}])
def test_what_asks_for_nothing_is_no_reason_to_refuse(api: Caller, vm: VM, inner: Any) -> None:
    started(api, vm, vm=inner)


def test_two_ways_to_initialise_at_once_are_a_conflict(api: Caller, vm: VM) -> None:
    answer = api.post(f"/vms/{vm.pk}/start", "action", {"use_cloud_init": True, "use_sysprep": True})
    assert (answer.status, answer.at("status")) == (409, "failed")
    # Nobody has sysprep here.
    assert api.post(f"/vms/{vm.pk}/start", "action", {"use_sysprep": True}).status == 400
    assert api.post(f"/vms/{vm.pk}/start", "action", {"use_cloud_init": False}).status == 200


@pytest.mark.parametrize(
    ("verb", "status", "recorded"),
    [
        ("stop", Status.UP, "stop"),
        ("shutdown", Status.UP, "shutdown"),
        ("reboot", Status.UP, "reboot"),
        ("reset", Status.UP, "reset"),
        ("suspend", Status.UP, "suspend"),
        ("shutdown", Status.PAUSED, "stop"),
        ("start", Status.PAUSED, "resume"),
        ("start", Status.SUSPENDED, "resume"),
    ],
)
def test_an_action_is_a_job(
    api: Caller, vm: VM, host: Host, admin: User, verb: str, status: Status, recorded: str
) -> None:
    running = up(vm, host, by=admin)
    tell(vm, host, status, run=running.run)
    answer = api.post(f"/vms/{vm.pk}/{verb}", "action", {"reason": "for a test"})
    assert (answer.status, answer.at("status")) == (200, "complete")
    job = Job.objects.get(pk=answer.at("job/id"))
    assert (job.verb, job.created_by) == (recorded, admin)
    assert api.get(f"/jobs/{job.pk}").at("status") == "started"


@pytest.mark.parametrize("verb", ["stop", "shutdown", "reboot", "reset", "suspend"])
def test_a_machine_that_is_off_takes_no_such_action(api: Caller, vm: VM, verb: str) -> None:
    answer = api.post(f"/vms/{vm.pk}/{verb}")
    assert (answer.status, answer.at("status"), Job.objects.count()) == (409, "failed", 0)
    assert answer.fault[0] == "Operation Failed"
    assert answer.fault[1].startswith("[")


def test_a_machine_that_runs_is_not_removed_and_not_run_once(api: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin, overlay=choosing(ConsoleChoice.SPICE))
    assert api.delete(f"/vms/{vm.pk}").status == 409
    assert api.post(f"/vms/{vm.pk}/start", "action", {"vm": {}}).status == 409


def test_a_clone_has_its_source_s_console_and_another_name(api: Caller, headless_vm: VM) -> None:
    answer = api.post(f"/vms/{headless_vm.pk}/clone", "action", {"vm": {"name": "second"}})
    assert answer.status == 200
    made = VM.objects.get(name="second")
    assert (made.console.headless, answer.at("vm/id")) == (True, str(made.pk))
    assert api.post(f"/vms/{headless_vm.pk}/clone").status == 400


def test_somebody_takes_a_machine_of_a_pool(language: str, admin: User, cluster: Cluster, host: Host) -> None:
    pool = create.pool("row", cluster=cluster, size=1, by=admin)
    dave = Caller(person("dave", role="UserRole", pool=pool), language)
    answer = dave.post(f"/vmpools/{pool.pk}/allocatevm")
    assert (answer.status, answer.at("vm/name")) == (200, "row-1")
    assert Permission.objects.filter(user=dave.user, vm=answer.at("vm/id")).exists()
    assert dave.post(f"/vmpools/{pool.pk}/allocatevm").status == 409


def test_a_machine_leaves_its_pool(api: Caller, admin: User, cluster: Cluster, host: Host) -> None:
    member = create.pool("row", cluster=cluster, size=1, by=admin).vms.get()
    assert api.post(f"/vms/{member.pk}/detach").status == 200
    assert VM.objects.get(pk=member.pk).pool is None


def test_a_job_tells_its_steps_and_its_end(api: Caller, vm: VM, host: Host, admin: User) -> None:
    up(vm, host, by=admin)
    (job,) = api.get("/jobs?search=status=finished").all("job")
    assert (job["description"], job["status"]) == ("Run: web", "finished")
    assert api.get(f"/jobs/{job['id']}/steps").status == 200
