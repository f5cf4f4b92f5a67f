"""The database accepts exactly what the domain can build: every combination, on all four tables, on the real thing."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain, combinations, product
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Field

from vms.domain.console import HEADLESS, KEYBOARD_LAYOUTS, SPICE, SPICE_AND_VNC, VNC, Choice, Console, Graphics, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.machine import MEMORY_MIB, MachineSpec, VmType
from vms.domain.parts import CPUS, Boot, Topology
from vms.models import (
    VM,
    Cluster,
    Device,
    Disk,
    Hardware,
    InstanceType,
    Job,
    JobState,
    Network,
    Permission,
    Pool,
    Role,
    RolePermit,
    Step,
    StorageDomain,
    Template,
    User,
    VnicProfile,
)
from vms.models.devices import OWNERS
from vms.models.users import OBJECTS

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

KINDS: list[type[Hardware]] = [VM, Template, Pool, InstanceType]
GRAPHICS = (HEADLESS, VNC, SPICE, SPICE_AND_VNC)
Columns = tuple[Any, ...]

# Each row is tried by itself; one round trip for thousands of them.
TRY_ON_POSTGRESQL = """
CREATE FUNCTION pg_temp.try_all(target regclass, columns text, candidates jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE candidate jsonb;
BEGIN
    FOR candidate IN SELECT * FROM jsonb_array_elements(candidates) LOOP
        BEGIN
            EXECUTE format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM jsonb_populate_record(null::%1$s, $1)',
                target, columns) USING candidate;
        EXCEPTION WHEN check_violation THEN NULL;
        END;
    END LOOP;
END $$
"""


def accepted(kind: type[Hardware], names: tuple[str, ...], candidates: Iterable[Columns]) -> set[Columns]:
    """Which values of the named columns the table takes, in rows that are otherwise as new ones."""
    there = set(kind._default_manager.values_list("pk", flat=True))
    insert = _insert_on_postgresql if connection.vendor == "postgresql" else _insert_on_sqlite
    insert(kind, [dict(zip(names, values, strict=True)) for values in candidates])
    return set(kind._default_manager.exclude(pk__in=there).values_list(*names))


def _insert_on_postgresql(kind: type[Hardware], candidates: list[dict[str, Any]]) -> None:
    row = _new(kind)
    plain = {str(field.column): field.pre_save(row, add=True) for field in _written(kind)}
    rows = [
        {**plain, "id": UUID(int=number), "name": f"candidate-{number}", **values}
        for number, values in enumerate(candidates, start=1000)
    ]
    with connection.cursor() as cursor:
        cursor.execute(TRY_ON_POSTGRESQL)
        given = [kind._meta.db_table, ", ".join(plain), json.dumps(rows, default=str)]
        cursor.execute("SELECT pg_temp.try_all(%s, %s, %s)", given)
        cursor.execute("DROP FUNCTION pg_temp.try_all")


def _insert_on_sqlite(kind: type[Hardware], candidates: list[dict[str, Any]]) -> None:
    row = _new(kind)
    plain: dict[str, Any] = {
        str(field.column): field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in _written(kind)
    }
    rows = [
        tuple({**plain, "id": UUID(int=number).hex, "name": f"candidate-{number}", **values}.values())
        for number, values in enumerate(candidates, start=1000)
    ]
    columns, places = ", ".join(plain), ", ".join(["%s"] * len(plain))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT OR IGNORE INTO {kind._meta.db_table} ({columns}) VALUES ({places})", rows)  # noqa: S608


def _written(kind: type[Hardware]) -> list[Field]:
    """The columns that the database does not make by itself."""
    return [field for field in kind._meta.local_concrete_fields if not field.generated]


def _new(kind: type[Hardware]) -> Hardware:
    placed = {"cluster": Cluster.objects.get()} if kind in (VM, Pool) else {}
    return kind(**placed)


def built(names: tuple[str, ...], makers: Iterable[Callable[[], Any]], attribute: str) -> set[Columns]:
    """The columns of every value that the domain does not refuse to build."""
    found = set()
    for make in makers:
        row = VM(name="any")
        try:
            setattr(row, attribute, make())
        except Refusal:
            continue
        found.add(tuple(getattr(row, name) for name in names))
    return found


def machine(**parts: Any) -> MachineSpec:
    return MachineSpec(id=UUID(int=1), name="any", **parts)


def sized(sockets: int, cores: int, threads: int) -> MachineSpec:
    return machine(cpu=Topology(sockets=sockets, cores=cores, threads=threads))


def booting(kernel: str, initrd: str, parameters: str) -> MachineSpec:
    return machine(boot=Boot(kernel=kernel, initrd=initrd, parameters=parameters))


def showing(graphics: Graphics, video: Video | None, monitors: int, before: tuple[Graphics, Video] | None) -> Console:
    return Console(graphics=graphics, video=video, monitors=monitors, before=Choice(*before) if before else None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_console_is_stored_exactly_if_it_can_exist(kind: type[Hardware]) -> None:
    names = ("display_type", "vnc", "spice", "monitors", "last_display_type", "last_graphics")
    displays = ("none", *Video, "", "virtio", "NONE")
    remembered = ("", "vnc", "spice", "spice+vnc", "vnc+spice", "none")
    candidates = product(displays, (False, True), (False, True), range(6), displays, remembered)
    choices = (None, *product(GRAPHICS, Video))
    possible = [partial(showing, *parts) for parts in product(GRAPHICS, (None, *Video), range(6), choices)]
    assert accepted(kind, names, candidates) == built(names, possible, "console")


@pytest.mark.parametrize("kind", KINDS)
def test_a_keyboard_layout_is_stored_exactly_if_it_is_known(kind: type[Hardware]) -> None:
    layouts = ("", *KEYBOARD_LAYOUTS, "xx", "DE", "de ", "en")
    possible = [partial(Console, keyboard=layout) for layout in layouts]
    assert accepted(kind, ("keyboard",), zip(layouts)) == built(("keyboard",), possible, "console")


@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_stored_exactly_within_its_bounds(kind: type[Hardware]) -> None:
    low, high = MEMORY_MIB
    sizes = (-1, 0, 1, low - 1, low, low + 1, high - 1, high, high + 1)
    possible = [partial(machine, memory=size) for size in sizes]
    assert accepted(kind, ("memory",), zip(sizes)) == built(("memory",), possible, "spec") != set()


@pytest.mark.parametrize("kind", KINDS)
def test_virtual_cpus_are_stored_exactly_if_there_are_not_too_many(kind: type[Hardware]) -> None:
    names = ("sockets", "cores", "threads")
    candidates = list(product((-1, 0, 1, 2, 15, 16, 17, 128, CPUS - 1, CPUS, CPUS + 1), repeat=3))
    possible = [partial(sized, *numbers) for numbers in candidates]
    assert accepted(kind, names, candidates) == built(names, possible, "spec")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kernel_is_given_is_stored_exactly_with_a_kernel(kind: type[Hardware]) -> None:
    names = ("kernel", "initrd", "parameters")
    candidates = list(product(("", "vmlinuz"), ("", "initrd.img"), ("", "console=ttyS0")))
    possible = [partial(booting, *texts) for texts in candidates]
    assert accepted(kind, names, candidates) == built(names, possible, "spec")


@pytest.mark.parametrize("kind", KINDS)
def test_only_known_firmware_and_purposes_are_stored(kind: type[Hardware]) -> None:
    candidates = list(product((*Firmware, "", "BIOS", "coreboot"), (*VmType, "", "Server", "laptop")))
    known = {(firmware.value, vm_type.value) for firmware, vm_type in product(Firmware, VmType)}
    assert accepted(kind, ("firmware", "vm_type"), candidates) == known


# -- rows that belong to exactly one thing


def refused(make: Callable[[], object]) -> bool:
    try:
        with transaction.atomic():
            make()
    except IntegrityError:
        return True
    return False


@pytest.fixture
def owners(cluster: Cluster) -> dict[str, Any]:
    return {
        "vm": VM.objects.create(name="owner", cluster=cluster),
        "template": Template.objects.create(name="owner"),
        "pool": Pool.objects.create(name="owner", cluster=cluster),
        "instance_type": InstanceType.objects.create(name="owner"),
        "cluster": cluster,
        "data_center": cluster.data_center,
    }


def test_a_device_belongs_to_exactly_one_machine(owners: dict[str, Any]) -> None:
    for number, chosen in enumerate(product((False, True), repeat=len(OWNERS))):
        holders = {name: owners[name] for name, there in zip(OWNERS, chosen, strict=True) if there}

        def make(number: int = number, holders: dict[str, Any] = holders) -> None:
            Device.objects.create(device_id=UUID(int=number), kind="video", model="vga", **holders)

        assert refused(make) == (len(holders) != 1), holders


def test_a_permission_is_held_on_one_object_or_on_the_system(owners: dict[str, Any]) -> None:
    user, role = User.objects.create(username="alice"), Role.objects.get(name="UserRole")
    domain = StorageDomain.objects.create(name="owner", data_center=owners["data_center"], path="/srv/owner")
    network = Network.objects.create(name="owner", data_center=owners["data_center"])
    stored = {"storage_domain": domain, "disk": Disk.objects.create(name="owner", domain=domain, size=1024)}
    wired = {"network": network, "vnic_profile": VnicProfile.objects.create(name="owner", network=network)}
    there = owners | stored | wired
    for names in chain.from_iterable(combinations(OBJECTS, count) for count in range(3)):
        on = {name: there[name] for name in names}

        def make(on: dict[str, Any] = on) -> None:
            Permission.objects.create(user=user, role=role, **on)

        assert refused(make) == (len(on) > 1), on


def test_a_machine_has_one_exclusive_job_that_is_queued_or_at_work() -> None:
    counting = {JobState.QUEUED, JobState.STARTED}
    for (first, one), (second, other) in product(product(JobState, (True, False)), repeat=2):

        def make(first: str = first, one: bool = one, second: str = second, other: bool = other) -> None:
            Job.objects.all().delete()
            Job.objects.create(machine=UUID(int=1), verb="start", state=first, exclusive=one)
            Job.objects.create(machine=UUID(int=1), verb="start", state=second, exclusive=other)

        both = one and other and {first, second} <= counting
        assert refused(make) == both, (first, one, second, other)


def test_two_machines_are_worked_on_at_once() -> None:
    for number in (1, 2):
        Job.objects.create(machine=UUID(int=number), verb="start")
    assert Job.objects.count() == 2


def test_names_are_used_once_within_a_kind_but_versions_of_a_template_share_theirs(owners: dict[str, Any]) -> None:
    cluster = owners["cluster"]
    assert refused(lambda: VM.objects.create(name="owner", cluster=cluster))
    assert refused(lambda: Pool.objects.create(name="owner", cluster=cluster))
    assert refused(lambda: InstanceType.objects.create(name="owner"))
    assert refused(lambda: Template.objects.create(name="owner"))
    assert not refused(lambda: Template.objects.create(name="owner", version_number=2))


def test_a_device_is_there_once_configured_and_once_running(owners: dict[str, Any]) -> None:
    def make(scope: str) -> Callable[[], object]:
        return partial(Device.objects.create, device_id=UUID(int=1), scope=scope, kind="video", vm=owners["vm"])

    assert [refused(make(scope)) for scope in ("configured", "running", "configured", "running")] == [
        *(False, False),
        *(True, True),
    ]


def test_a_role_grants_a_group_once() -> None:
    role = Role.objects.get(name="UserRole")
    grant = partial(RolePermit.objects.create, role=role, action_group="create_vm")
    assert (refused(grant), refused(grant)) == (False, True)


def test_the_steps_of_a_job_have_numbers_of_their_own() -> None:
    job = Job.objects.create(machine=UUID(int=1), verb="start")
    step = partial(Step.objects.create, job=job, number=1, name="start")
    assert (refused(step), refused(step)) == (False, True)
