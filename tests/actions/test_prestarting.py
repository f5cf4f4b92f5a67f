"""Machines of a pool that wait, running, for whoever takes one: how many, when another begins, and that none storms."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from tests.actions.runs import down, fresh, settled, started
from vms.actions import create, jobs, pools, prestarting
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.models import VM, AuditEvent, Cluster, Host, Job, JobState, Pool, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@contextmanager
def later(passed: timedelta) -> Iterator[None]:
    """So long after now."""
    with mock.patch.object(timezone, "now", return_value=timezone.now() + passed):
        yield


def wanting(count: int) -> Changes:
    return Changes(attributes={"prestarted_vms": count})


@pytest.fixture
def pool(cluster: Cluster, host: Host, admin: User) -> Pool:
    """Four machines, of which two are to wait."""
    return create.pool("desk", cluster=cluster, size=4, changes=wanting(2), by=admin)


def carried_out(host: Host) -> list[VM]:
    """Every start that is queued becomes a machine that is up."""
    begun = [
        VM.objects.get(pk=key) for key in Job.objects.filter(state=JobState.QUEUED).values_list("machine", flat=True)
    ]
    return [started(vm, host) for vm in reversed(begun)]


def test_so_many_are_kept_running_and_no_more(pool: Pool, host: Host) -> None:
    assert prestarting.keep() == 2
    assert prestarting.keep() == 0, "those that are being started count"
    carried_out(host)
    assert prestarting.keep() == 0
    assert (pool.vms.ready().count(), pool.vms.idle().count(), pool.vms.free().count()) == (2, 2, 4)


def test_who_takes_one_has_it_at_once_and_another_begins(pool: Pool, host: Host, dora: User) -> None:
    prestarting.keep()
    ready = {vm.pk for vm in carried_out(host)}
    vm = pools.take(pool, by=dora)
    assert vm.pk in ready
    assert (vm.status, Job.objects.filter(machine=vm.pk).count()) == (Status.UP, 1), "nothing is started for it again"
    assert prestarting.keep() == 1
    assert carried_out(host)[0].pk not in ready


def test_what_is_given_back_reverts_and_is_started_again_when_it_is_needed(
    pool: Pool, host: Host, dora: User, admin: User
) -> None:
    prestarting.keep()
    carried_out(host)
    vm = pools.take(pool, by=dora)
    prestarting.keep()
    carried_out(host)
    pools.give_back(vm, by=dora)
    settled(vm, host)
    with later(timedelta(hours=1)):  # long after its start
        assert down(fresh(vm), host, Ended.STOPPED).status == Status.DOWN
    assert prestarting.keep() == 0
    edit(pool, wanting(3), by=admin)
    assert prestarting.keep() == 1


def test_without_one_that_is_ready_one_is_started_for_who_takes_it(pool: Pool, dora: User) -> None:
    vm = pools.take(pool, by=dora)
    assert vm.status == Status.WAIT_FOR_LAUNCH or Job.objects.get(machine=vm.pk).created_by == dora


def test_starts_that_fail_are_tried_later_each_time_and_one_by_one(pool: Pool, host: Host, admin: User) -> None:
    edit(pool, wanting(4), by=admin)
    assert prestarting.keep() == 4
    while (job := jobs.claim("engine", [host.pk])) is not None:
        jobs.fail(job, Refusal("MACHINE_NOT_RESPONDING", None, name=job.machine_name))
    events = AuditEvent.objects.filter(code=prestarting.FAILED, entity_id=pool.pk)
    assert events.count() == 4
    assert prestarting.keep() == 0
    rest = prestarting.FIRST_REST * 2**3
    with later(rest - timedelta(seconds=5)):
        assert prestarting.keep() == 0
    with later(rest + timedelta(seconds=5)):
        assert prestarting.keep() == 1
    with later(prestarting.FORGIVEN + timedelta(minutes=1)):
        assert prestarting.keep() == 3, "nothing has failed for a while"


def test_a_start_that_no_host_takes_is_no_storm_either(pool: Pool, host: Host) -> None:
    Host.objects.filter(pk=host.pk).update(maintenance=True)
    assert [prestarting.keep() for _second in range(3)] == [0, 0, 0]
    assert AuditEvent.objects.filter(code=prestarting.FAILED).count() == 1


def test_a_guest_that_ends_by_itself_at_once_is_not_started_over_and_over(pool: Pool, host: Host) -> None:
    prestarting.keep()
    for vm in carried_out(host):
        down(vm, host)
    assert prestarting.keep() == 0
    reasons = set(AuditEvent.objects.filter(code=prestarting.FAILED).values_list("params__reason", flat=True))
    assert reasons == {"PRESTARTED_VM_ENDED"}


def test_one_that_somebody_tries_out_does_not_wait(pool: Pool, host: Host, admin: User) -> None:
    prestarting.keep()
    vm = carried_out(host)[0]
    VM.objects.filter(pk=vm.pk).update(console_user=admin)
    assert vm not in pool.vms.ready()
    assert prestarting.keep() == 1


def test_no_more_can_wait_than_there_are(pool: Pool, cluster: Cluster, admin: User) -> None:
    no = "ACTION_TYPE_FAILED_PRESTARTED_VMS_CANNOT_EXCEED_VMS_COUNT"
    with pytest.raises(Refusal, match=no):
        edit(pool, wanting(5), by=admin)
    with pytest.raises(Refusal, match=no):
        create.pool("small", cluster=cluster, size=1, changes=wanting(2), by=admin)
    both: dict[str, Any] = {"prestarted_vms": 5, "size": 5}
    assert edit(pool, Changes(attributes=both), by=admin).prestarted_vms == 5
    with pytest.raises(Refusal, match="ILLEGAL_VALUE"):
        edit(pool, wanting(-1), by=admin)


def test_a_pool_that_wants_none_is_left_alone(cluster: Cluster, host: Host, admin: User) -> None:
    create.pool("plain", cluster=cluster, size=2, by=admin)
    assert prestarting.keep() == 0


def test_looking_takes_one_query_while_all_is_well(pool: Pool, host: Host, django_assert_num_queries: Any) -> None:
    prestarting.keep()
    carried_out(host)
    with django_assert_num_queries(1):
        prestarting.keep()
