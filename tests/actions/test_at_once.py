"""Many people at once: what must be counted once is, and nobody waits for somebody who waits for him."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.actions.crowd import at_once, copied_database
from tests.factories import machine, person
from vms.actions import affinity, create, pools, power, reports
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.hosts import Capabilities
from vms.models import VM, Cluster, Host, Job, Permission, Pool, Template, User

pytestmark = pytest.mark.sql


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> Iterator[None]:
    """Here, in place of a transaction that is rolled back: a copy that threads share and leave changed."""
    with django_db_blocker.unblock(), copied_database(tmp_path):
        yield


@pytest.fixture
def crowded(cluster: Cluster, host: Host, admin: User) -> Pool:
    """A pool of eight."""
    return create.pool("desk", cluster=cluster, size=8, by=admin)


def test_sixteen_people_take_eight_machines(crowded: Pool) -> None:
    people = [person(f"person-{number}", role="UserRole", pool=crowded) for number in range(16)]
    outcomes = at_once([partial(pools.take, crowded, by=one) for one in people])
    taken = {vm.name for vm in outcomes if isinstance(vm, VM)}
    refused = [code for code in outcomes if isinstance(code, str)]
    assert (taken, refused) == ({f"desk-{n}" for n in range(1, 9)}, ["ACTION_TYPE_FAILED_NO_AVAILABLE_POOL_VMS"] * 8)
    assert Permission.objects.filter(vm__pool=crowded).values("vm").distinct().count() == 8
    assert Job.objects.filter(verb="start").count() == 8


def test_one_person_with_many_hands_takes_no_more_than_allowed(crowded: Pool) -> None:
    greedy = person("greedy", role="UserRole", pool=crowded)
    outcomes = at_once([partial(pools.take, crowded, by=greedy)] * 6)
    assert [isinstance(one, VM) for one in outcomes].count(True) == 1
    assert {one for one in outcomes if isinstance(one, str)} == {"VM_POOL_CANNOT_ATTACH_TO_MORE_VMS_FROM_POOL"}


def test_many_who_let_the_pool_grow_get_distinct_machines(crowded: Pool, admin: User) -> None:
    at_once([partial(pools.grow, crowded, 2, by=admin)] * 4)
    assert set(crowded.vms.values_list("name", flat=True)) == {f"desk-{n}" for n in range(1, 17)}


def test_editing_types_pools_versions_and_machines_at_once_ends_without_a_deadlock(crowded: Pool, admin: User) -> None:
    """They lock rows that refer to each other, from above and from below (PostgreSQL would end one of them)."""
    kind = create.instance_type("Odd", changes=Changes(machine={"memory": 640}), by=admin)
    first = create.template("golden", cluster=crowded.cluster, by=admin)
    stateless = Changes(attributes={"stateless": True, "use_latest_version": True})
    machines = [
        create.vm(f"vm-{n}", cluster=crowded.cluster, template=first, instance_type=kind, changes=stateless, by=admin)
        for n in range(6)
    ]
    calls: list[Any] = []
    for step, vm in enumerate(machines):
        calls += [
            partial(edit, vm, Changes(attributes={"comment": "seen", "instance_type": kind}), by=admin),
            partial(edit, kind, Changes(machine={"memory": 700 + step}), by=admin),
            partial(edit, crowded, Changes(machine={"memory": 900 + step}, apply_to_existing=True), by=admin),
            partial(create.template, "golden", base=first, by=admin),
        ]
    outcomes = at_once(calls)
    assert [one for one in outcomes if isinstance(one, str)] == []
    assert Template.objects.family(first).count() == 7
    kind.refresh_from_db()
    assert {vm.memory for vm in kind.vms.all()} == {kind.memory}


def test_versions_that_are_made_at_once_are_numbered_one_after_the_other(cluster: Cluster, admin: User) -> None:
    base = create.template("golden", cluster=cluster, by=admin)
    made = at_once([partial(create.template, "golden", base=base, by=admin)] * 8)
    assert sorted(row.version_number for row in made if isinstance(row, Template)) == list(range(2, 10))


def test_two_hosts_take_no_more_than_they_have_however_many_start_at_once(host: Host, admin: User) -> None:
    for each in (host, Host.objects.create(name="other", cluster=host.cluster)):
        reports.host_seen(each, Capabilities(memory=1024))
    machines = [machine(f"vm-{number}", by=admin, memory=1024) for number in range(6)]
    outcomes = at_once([partial(power.start, vm, by=admin) for vm in machines])
    begun = [job.host for job in outcomes if isinstance(job, Job)]
    assert len(begun) == len(set(begun)) == 2
    assert [code for code in outcomes if isinstance(code, str)] == ["ACTION_TYPE_FAILED_VDS_VM_MEMORY"] * 4


def test_those_that_keep_apart_do_so_when_they_start_at_once(host: Host, admin: User) -> None:
    for each in (host, Host.objects.create(name="other", cluster=host.cluster)):
        reports.host_seen(each, Capabilities(memory=8192))
    machines = [machine(f"vm-{number}", by=admin, memory=64) for number in range(4)]
    affinity.create("apart", cluster=host.cluster, vms_rule="negative", vms=machines, by=admin)
    outcomes = at_once([partial(power.start, vm, by=admin) for vm in machines])
    begun = [job.host for job in outcomes if isinstance(job, Job)]
    assert len(begun) == len(set(begun)) == 2
