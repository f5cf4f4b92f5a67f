"""Removing machines: what is protected, running, built in or still used stays."""

import pytest

from tests.actions.runs import asked, claimed, down, fresh, up
from vms.actions import create, jobs, power
from vms.actions.edit import edit
from vms.actions.remove import remove
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.lifecycle import ALLOWED, Status, Verb
from vms.models import (
    ACTIVE,
    VM,
    AuditEvent,
    Cluster,
    Device,
    Hardware,
    Host,
    InstanceType,
    Job,
    JobState,
    Permission,
    Pool,
    Template,
    User,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture(params=["vm", "template", "pool", "instance_type"])
def row(request: pytest.FixtureRequest, cluster: Cluster, admin: User, host: Host) -> Hardware:
    where = {} if request.param == "instance_type" else {"cluster": cluster}
    made: Hardware = getattr(create, request.param)("web", by=admin, **where)
    return made


def there(row: Hardware) -> bool:
    return type(row)._default_manager.filter(pk=row.pk).exists()


def test_what_nobody_needs_goes_with_its_devices_and_rights(row: Hardware, admin: User) -> None:
    owner = {VM: "vm", Template: "template", Pool: "pool", InstanceType: "instance_type"}[type(row)]
    key = row.pk
    remove(row, by=admin)
    assert not type(row)._default_manager.filter(pk=key).exists()
    assert not Device.objects.filter(**{owner: key}).exists()
    assert not Permission.objects.filter(**{owner: key}).exists()


def test_the_removal_is_told_under_the_name_it_had(row: Hardware, admin: User) -> None:
    key = row.pk
    remove(row, by=admin)
    event = AuditEvent.objects.first()
    assert event is not None
    assert (event.entity_id, event.entity_name, event.code.startswith("USER_REMOVE")) == (key, "web", True)


def test_what_is_protected_stays(row: Hardware, admin: User) -> None:
    edit(row, Changes(attributes={"delete_protected": True}), by=admin)
    with pytest.raises(Refusal, match="DELETE_PROTECTION"):
        remove(row, by=admin)
    assert there(row)


def test_a_removed_one_cannot_be_removed_again(row: Hardware, admin: User) -> None:
    twice = type(row)._default_manager.get(pk=row.pk)
    remove(row, by=admin)
    with pytest.raises(Refusal, match="NOT_FOUND"):
        remove(twice, by=admin)


def test_blank_stays(admin: User) -> None:
    with pytest.raises(Refusal, match="BUILT_IN"):
        remove(Template.objects.get(), by=admin)
    assert Template.objects.exists()


@pytest.mark.parametrize("status", Status)
def test_a_machine_goes_only_in_the_states_that_allow_it(vm: VM, admin: User, status: Status) -> None:
    VM.objects.filter(pk=vm.pk).update(observed=status, status=status)
    if status in ALLOWED[Verb.REMOVE]:
        remove(vm, by=admin)
    else:
        with pytest.raises(Refusal, match="STATUS_ILLEGAL"):
            remove(vm, by=admin)
    assert there(vm) == (status not in ALLOWED[Verb.REMOVE])


def test_a_machine_that_is_being_worked_on_stays(vm: VM, admin: User) -> None:
    """Its state does not tell: a job may have no effect on it yet."""
    Job.objects.create(machine=vm.pk, verb="undefine", exclusive=True)
    with pytest.raises(Refusal, match="OBJECT_LOCKED"):
        remove(vm, by=admin)


def test_a_machine_that_a_host_knows_is_forgotten_there_too(vm: VM, host: Host, admin: User) -> None:
    down(up(vm, host, by=admin), host)
    key = vm.pk
    remove(fresh(vm), by=admin)
    job = claimed(host)
    assert (job.machine, job.verb) == (key, "undefine")
    assert jobs.finish(job)
    assert Job.objects.get(pk=job.pk).state == JobState.FINISHED


def test_a_machine_whose_host_is_gone_goes_without_it(vm: VM, host: Host, admin: User) -> None:
    down(up(vm, host, by=admin), host)
    host.delete()
    remove(fresh(vm), by=admin)
    assert not VM.objects.exists()


def test_a_machine_that_never_ran_is_unknown_to_every_host(vm: VM, admin: User) -> None:
    remove(vm, by=admin)
    assert Job.objects.count() == 0


def test_a_job_outlives_the_machine_that_it_removed(vm: VM, host: Host, admin: User) -> None:
    down(up(vm, host, by=admin), host)
    key = vm.pk
    remove(fresh(vm), by=admin)
    job = claimed(host)
    assert jobs.fail(job, Refusal("HOST_NOT_RESPONDING"))
    assert [(one.verb, one.machine_name) for one in Job.objects.filter(machine=key, state="failed")] == [
        ("undefine", "web")
    ]


@pytest.mark.parametrize("user", ["vm", "pool", "version"])
def test_a_template_in_use_stays_and_names_who_uses_it(cluster: Cluster, admin: User, host: Host, user: str) -> None:
    source = create.template("golden", cluster=cluster, by=admin)
    if user == "version":
        Template.objects.create(name="golden", cluster=cluster, base=source, version_number=2)
    else:
        getattr(create, user)("user", cluster=cluster, template=source, by=admin)
    events = AuditEvent.objects.count()
    with pytest.raises(Refusal, match="STILL_IN_USE") as refused:
        remove(source, by=admin)
    assert refused.value.params["users"] in {"user", "user, user-1", "golden (2)"}
    assert (there(source), AuditEvent.objects.count()) == (True, events)


def test_an_instance_type_leaves_its_machines_with_what_they_have(cluster: Cluster, admin: User, host: Host) -> None:
    chosen = create.instance_type("Odd", changes=Changes(machine={"memory": 777}), by=admin)
    vm = create.vm("web", cluster=cluster, instance_type=chosen, by=admin)
    remove(chosen, by=admin)
    assert (fresh(vm).instance_type, fresh(vm).memory) == (None, 777)


@pytest.fixture
def pool(cluster: Cluster, admin: User, host: Host) -> Pool:
    return create.pool("desk", cluster=cluster, size=2, by=admin)


def test_a_pool_goes_with_its_machines(pool: Pool, admin: User) -> None:
    remove(pool, by=admin)
    assert (Pool.objects.count(), VM.objects.count()) == (0, 0)


def test_a_pool_with_a_machine_that_runs_stays_whole(pool: Pool, admin: User, host: Host) -> None:
    up(VM.objects.get(name="desk-2"), host, by=admin)
    with pytest.raises(Refusal, match="STATUS_ILLEGAL"):
        remove(pool, by=admin)
    assert VM.objects.filter(pool=pool).count() == 2


def test_a_machine_of_a_pool_goes_only_with_it(pool: Pool, admin: User) -> None:
    with pytest.raises(Refusal, match="VM_IN_POOL"):
        remove(pool.vms.first() or VM(), by=admin)


def test_a_start_that_nobody_has_begun_keeps_the_machine(vm: VM, admin: User) -> None:
    power.start(vm, by=admin)
    with pytest.raises(Refusal, match="STATUS_ILLEGAL"):
        remove(vm, by=admin)


def test_a_name_is_free_again(vm: VM, admin: User, cluster: Cluster) -> None:
    remove(vm, by=admin)
    assert create.vm("web", cluster=cluster, by=admin).name == "web"


def test_nothing_goes_on_asking_a_guest_that_is_no_more(vm: VM, host: Host, admin: User) -> None:
    power.shutdown(up(vm, host, by=admin), by=admin)
    asked(host)
    down(vm, host)
    key = vm.pk
    remove(fresh(vm), by=admin)
    assert [job.verb for job in Job.objects.filter(machine=key, state__in=ACTIVE)] == ["undefine"]


def test_a_machine_whose_shutdown_the_engine_has_yet_to_begin_stays(vm: VM, host: Host, admin: User) -> None:
    running = up(vm, host, by=admin)
    power.shutdown(running, by=admin)
    down(running, host)
    with pytest.raises(Refusal, match="OBJECT_LOCKED"):
        remove(fresh(vm), by=admin)
