"""The first boot by REST: `initialization` on machines, templates and one start, with a password that is never told."""

import json

import pytest

from tests.api.caller import Caller
from tests.api.test_resources import made
from vms.actions import create, initial
from vms.domain.secret import Secret
from vms.models import VM, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

SECRET = "s3cret-of-alice"
INITIALIZATION = {"user_name": "alice", "root_password": SECRET, "host_name": "web.example.org"}


def told(vm: VM, job: Job) -> str:
    return initial.files(VM.objects.get(pk=vm.pk), Job.objects.get(pk=job.pk))["user-data"].decode()


def test_a_password_is_heard_kept_encrypted_and_never_told(api: Caller, vm: VM, host: Host, admin: User) -> None:
    answer = api.put(f"/vms/{vm.pk}", "vm", {"initialization": INITIALIZATION})
    assert (answer.at("initialization/user_name"), answer.status) == ("alice", 200)
    row = VM.objects.get(pk=vm.pk)
    assert row.initialization_password == Secret(SECRET)
    create.template("base", vm=row, by=admin)
    for path in (f"/vms/{vm.pk}", "/vms", "/templates?search=name%3Dbase", "/events"):
        assert SECRET not in api.get(path).text, path
    stored = VM.objects.filter(pk=vm.pk).values_list("kept", flat=True).get()
    assert SECRET not in json.dumps(stored)


def test_a_start_uses_cloud_init_once_by_itself_and_else_when_told(api: Caller, vm: VM, host: Host) -> None:
    api.put(f"/vms/{vm.pk}", "vm", {"initialization": INITIALIZATION})
    assert api.post(f"/vms/{vm.pk}/start").status == 200
    job = Job.objects.get(verb="start")
    assert SECRET in told(vm, job)
    VM.objects.filter(pk=vm.pk).update(initialized=True)
    for body, seeded in (({}, False), ({"use_cloud_init": True}, True), ({"use_initialization": True}, True)):
        api.post(f"/vms/{vm.pk}/stop")
        Job.objects.all().delete()
        VM.objects.filter(pk=vm.pk).update(status="down", busy=False)
        assert api.post(f"/vms/{vm.pk}/start", "action", body).status == 200
        assert bool(Job.objects.get(verb="start").params.get("seed")) == seeded, body


def test_one_start_may_say_otherwise(api: Caller, vm: VM, host: Host) -> None:
    inner = {"initialization": {"user_name": "bob", "root_password": "another-secret"}}
    assert api.post(f"/vms/{vm.pk}/start", "action", {"use_cloud_init": True, "vm": inner}).status == 200
    job = Job.objects.get(verb="run_once")
    assert "another-secret" in told(vm, job)
    assert "another-secret" not in json.dumps(job.params)
    assert VM.objects.get(pk=vm.pk).kept == {}


def test_other_ways_to_begin_are_refused(api: Caller, vm: VM, host: Host) -> None:
    for body in ({"use_sysprep": True}, {"use_ignition": True}, {"attach_wgt": True}):
        assert api.post(f"/vms/{vm.pk}/start", "action", body).status == 400
    both = {"use_cloud_init": True, "use_sysprep": True}
    assert api.post(f"/vms/{vm.pk}/start", "action", both).status == 409
    assert not Job.objects.exists()


def test_a_machine_is_made_with_its_first_boot(api: Caller, admin: User) -> None:
    made(
        api,
        "/vms",
        "vm",
        name="new",
        cluster={"name": "Default"},
        template={"name": "Blank"},
        initialization=INITIALIZATION,
    )
    row = VM.objects.get(name="new")
    assert initial.of(row).user == "alice"
    assert row.initialization_password == Secret(SECRET)
