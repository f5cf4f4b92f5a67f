"""The first boot of machines: handed down, told once, otherwise for one run, and its secrets in no trail."""

import json
from email import message_from_bytes
from typing import Any

import pytest

from tests.actions.runs import choosing, down, fresh, up
from vms.actions import create, initial, power
from vms.actions.edit import edit
from vms.actions.initial import Otherwise
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.runonce import ConsoleChoice
from vms.domain.secret import Secret
from vms.models import VM, AuditEvent, Cluster, Host, Job, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

SECRET = "s3cret-of-alice"
WORDS = {"initialization/user_name": "alice", "initialization/custom_script": "password: hidden-in-a-script"}


def said(words: dict[str, Any] | None = None, password: str = SECRET) -> Changes:
    attributes = {"kept": WORDS if words is None else words, "initialization_password": Secret(password)}
    return Changes(attributes=attributes)


def user_data(vm: VM, job: Job) -> str:
    parts = message_from_bytes(initial.files(fresh(vm), job)["user-data"])
    return "".join(part.get_payload(decode=True).decode() for part in parts.walk() if not part.is_multipart())  # type: ignore[union-attr]


def test_the_first_run_is_told_and_later_ones_only_when_asked(vm: VM, host: Host, admin: User) -> None:
    edit(vm, said(), by=admin)
    job = power.start(fresh(vm), by=admin)
    told = user_data(vm, job)
    assert SECRET in told
    assert '"user": "alice"' in told
    initial.told(vm, job)
    power.stop(fresh(vm), by=admin)
    again = power.start(fresh(vm), by=admin)
    assert initial.files(fresh(vm), again) == {}
    power.stop(fresh(vm), by=admin)
    assert "user-data" in initial.files(fresh(vm), power.start(fresh(vm), by=admin, initialize=True))


def test_a_machine_with_nothing_to_tell_gets_no_cd_unless_asked(vm: VM, host: Host, admin: User) -> None:
    assert initial.files(vm, power.start(vm, by=admin)) == {}
    power.stop(fresh(vm), by=admin)
    assert "meta-data" in initial.files(fresh(vm), power.start(fresh(vm), by=admin, initialize=True))
    power.stop(fresh(vm), by=admin)
    edit(fresh(vm), said(), by=admin)
    assert initial.files(fresh(vm), power.start(fresh(vm), by=admin, initialize=False)) == {}


def test_one_run_may_be_told_otherwise_and_what_it_was_is_put_away(vm: VM, host: Host, admin: User) -> None:
    edit(vm, said(), by=admin)
    otherwise = Otherwise({"initialization/user_name": "bob"}, Secret("another-secret"))
    job = power.run_once(fresh(vm), choosing(ConsoleChoice.HEADLESS), by=admin, otherwise=otherwise)
    job.refresh_from_db()
    told = user_data(vm, job)
    assert '"user": "bob"' in told
    assert "another-secret" in told
    assert "hidden-in-a-script" in told, "what is not said is as configured"
    assert "another-secret" not in json.dumps(job.params)
    initial.told(vm, job)
    job.refresh_from_db()
    assert not job.sealed
    assert fresh(vm).kept == WORDS


def test_a_template_hands_its_first_boot_down_and_so_does_a_clone(vm: VM, cluster: Cluster, admin: User) -> None:
    edit(vm, said(), by=admin)
    template = create.template("base", vm=fresh(vm), by=admin)
    more = {"initialization/host_name": "web"}
    heir = create.vm("heir", cluster=cluster, template=template, changes=Changes(attributes={"kept": more}), by=admin)
    assert fresh(heir).kept == {**WORDS, **more}
    assert fresh(heir).initialization_password == Secret(SECRET)
    assert not fresh(heir).initialized
    member = create.pool("row", cluster=cluster, template=template, by=admin).vms.get()
    for row in (member, create.clone(fresh(vm), "copy", by=admin)):
        assert (row.kept, row.initialization_password) == (WORDS, Secret(SECRET))


def test_what_makes_no_sense_is_refused_and_nothing_is_saved(vm: VM, host: Host, admin: User) -> None:
    with pytest.raises(Refusal) as no:
        edit(vm, said({"initialization/dns_servers": "somewhere"}), by=admin)
    assert no.value.field == "initialization_dns_servers"
    otherwise = Otherwise({"initialization/host_name": "not a host"})
    with pytest.raises(Refusal):
        power.run_once(vm, choosing(ConsoleChoice.HEADLESS), by=admin, otherwise=otherwise)
    assert (fresh(vm).kept, Job.objects.count()) == ({}, 0)


def test_no_secret_is_in_the_trail_or_in_a_job(vm: VM, host: Host, admin: User) -> None:
    edit(vm, said(), by=admin)
    down(up(fresh(vm), host, by=admin), host)
    trail = json.dumps(list(AuditEvent.objects.values("before", "after", "params")), default=str)
    jobs = json.dumps(list(Job.objects.values("params", "error")), default=str)
    for text in (trail, jobs):
        assert SECRET not in text
        assert "hidden-in-a-script" not in text
    assert AuditEvent.objects.filter(code="USER_UPDATE_VM", entity_id=vm.pk).exists()
