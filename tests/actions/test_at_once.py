"""Many people at once: what must be counted once is, and nobody waits for somebody who waits for him."""

from functools import partial
from typing import Any

import pytest

from tests.actions.crowd import at_once
from tests.factories import person
from vms.actions import create, pools, reports
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.hosts import Capabilities
from vms.models import VM, Cluster, Host, Job, Permission, Pool, Template, User

pytestmark = pytest.mark.sql


@pytest.fixture
def crowded(shared: None) -> Pool:
    """A pool of eight in a cluster whose host is up, in a database that threads share."""
    root = User.objects.create_superuser("root")
    cluster = Cluster.objects.get(name="Default")
    reports.host_seen(Host.objects.create(name="local", cluster=cluster), Capabilities())
    return create.pool("desk", cluster=cluster, size=8, by=root)


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


def test_many_who_let_the_pool_grow_get_distinct_machines(crowded: Pool) -> None:
    root = User.objects.get(username="root")
    at_once([partial(pools.grow, crowded, 2, by=root)] * 4)
    assert set(crowded.vms.values_list("name", flat=True)) == {f"desk-{n}" for n in range(1, 17)}


def test_editing_types_pools_versions_and_machines_at_once_ends_without_a_deadlock(crowded: Pool) -> None:
    """They lock rows that refer to each other, from above and from below (PostgreSQL would end one of them)."""
    root = User.objects.get(username="root")
    kind = create.instance_type("Odd", changes=Changes(machine={"memory": 640}), by=root)
    first = create.template("golden", cluster=crowded.cluster, by=root)
    stateless = Changes(attributes={"stateless": True, "use_latest_version": True})
    machines = [
        create.vm(f"vm-{n}", cluster=crowded.cluster, template=first, instance_type=kind, changes=stateless, by=root)
        for n in range(6)
    ]
    calls: list[Any] = []
    for step, vm in enumerate(machines):
        calls += [
            partial(edit, vm, Changes(attributes={"comment": "seen", "instance_type": kind}), by=root),
            partial(edit, kind, Changes(machine={"memory": 700 + step}), by=root),
            partial(edit, crowded, Changes(machine={"memory": 900 + step}, apply_to_existing=True), by=root),
            partial(create.template, "golden", base=first, by=root),
        ]
    outcomes = at_once(calls)
    assert [one for one in outcomes if isinstance(one, str)] == []
    assert Template.objects.family(first).count() == 7
    kind.refresh_from_db()
    assert {vm.memory for vm in kind.vms.all()} == {kind.memory}
