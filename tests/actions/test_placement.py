"""On which host a machine starts, and why on none."""

from dataclasses import replace
from typing import Any
from uuid import uuid5

import pytest

from tests.actions.runs import claimed, started
from tests.factories import machine
from tests.libvirtxml.foreign import SPACE, xml_of
from vms.actions import domains, power, reports
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.hosts import Capabilities, Observation
from vms.domain.lifecycle import Status
from vms.models import VM, Host, HostStatus, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

SMALL = Capabilities(memory=2048, cpu_models=frozenset({"Haswell"}), machines=frozenset({"pc-q35-7.2"}))


@pytest.fixture
def small(host: Host) -> Host:
    """The only host, with 2 GiB."""
    reports.host_seen(host, SMALL)
    return host


def another(host: Host, name: str, capabilities: Capabilities) -> Host:
    made = Host.objects.create(name=name, cluster=host.cluster)
    reports.host_seen(made, capabilities)
    return made


def refused(vm: VM, by: User) -> tuple[str, dict[str, Any]]:
    with pytest.raises(Refusal) as refusal:
        power.start(vm, by=by)
    return refusal.value.code, dict(refusal.value.params)


def test_the_host_with_the_most_memory_left_is_taken(small: Host, admin: User) -> None:
    large = another(small, "large", replace(SMALL, memory=3000))
    first = machine("first", by=admin, memory=1024)
    power.start(first, by=admin)
    started(first, large)
    second = machine("second", by=admin, memory=1024)
    power.start(second, by=admin)
    assert claimed(small).machine == second.pk


def test_memory_that_others_are_promised_is_not_given_twice(small: Host, admin: User) -> None:
    first = machine("first", by=admin, memory=2048, guaranteed_memory=1500)
    power.start(first, by=admin)
    started(first, small)
    assert refused(machine("second", by=admin, memory=1024), admin) == (
        "ACTION_TYPE_FAILED_VDS_VM_MEMORY",
        {"memory": 1024},
    )
    power.start(machine("third", by=admin, memory=1024, guaranteed_memory=548), by=admin)


def test_a_machine_with_uefi_goes_back_to_where_its_variables_are(small: Host, admin: User) -> None:
    large = another(small, "large", replace(SMALL, memory=3000))
    for firmware, expected in ((Firmware.UEFI, small), (Firmware.BIOS, large)):
        vm = machine(f"with-{firmware}", by=admin, memory=64, firmware=firmware)
        VM.objects.filter(pk=vm.pk).update(host=small)
        power.start(VM.objects.get(pk=vm.pk), by=admin)
        assert claimed(expected).machine == vm.pk


def test_a_tpm_is_found_on_its_own_host_alone(small: Host, admin: User) -> None:
    for host in (small, another(small, "large", SMALL)):
        reports.host_seen(host, replace(SMALL, tpm=True))
    vm = machine("sealed", by=admin, memory=64, firmware=Firmware.SECURE, tpm=True)
    VM.objects.filter(pk=vm.pk).update(host=small)
    vm = VM.objects.get(pk=vm.pk)
    power.start(vm, by=admin)
    assert claimed(small).machine == vm.pk
    other = machine("also", by=admin, memory=64, firmware=Firmware.SECURE, tpm=True)
    VM.objects.filter(pk=other.pk).update(host=small)
    Host.objects.filter(pk=small.pk).update(maintenance=True)
    assert refused(VM.objects.get(pk=other.pk), admin) == ("TPM_ON_ANOTHER_HOST", {"name": "also", "host": small.name})


def test_what_runs_there_and_nobody_manages_needs_its_memory_too(small: Host, admin: User) -> None:
    there = Observation(
        id=uuid5(SPACE, "two-cards"), name="two-cards", status=Status.UP, definition=xml_of("two-cards")
    )
    domains.seen(small, there)
    large = machine("large", by=admin, memory=2048 - 96 + 1)
    assert refused(large, admin)[0] == "ACTION_TYPE_FAILED_VDS_VM_MEMORY"
    domains.seen(small, replace(there, status=Status.DOWN))
    power.start(large, by=admin)


def test_a_machine_starts_on_the_hosts_it_names_alone(small: Host, admin: User) -> None:
    chosen = another(small, "chosen", replace(SMALL, memory=512))
    vm = machine("web", by=admin, memory=256, hosts=(chosen.pk,))
    power.start(vm, by=admin)
    assert claimed(chosen).machine == vm.pk
    chosen.status = HostStatus.MAINTENANCE
    chosen.save(update_fields=["status"])
    other = machine("db", by=admin, memory=256, hosts=(chosen.pk,))
    assert refused(other, admin)[0] == "ACTION_TYPE_FAILED_VDS_VM_CLUSTER"
    nowhere = machine("nowhere", by=admin, memory=256, hosts=(vm.pk,))
    assert refused(nowhere, admin) == ("ACTION_TYPE_FAILED_VDS_VM_PINNED", {"name": "nowhere"})


def test_a_host_without_what_the_machine_asks_for_is_not_taken(small: Host, admin: User) -> None:
    reports.host_seen(small, replace(SMALL, firmwares=frozenset({Firmware.BIOS})))
    asked: dict[str, dict[str, Any]] = {
        "EPYC": {"cpu_model": "EPYC"},
        "pc-q35-6.0": {"emulated_machine": "pc-q35-6.0"},
        "UEFI": {"firmware": Firmware.UEFI},
        "Secure Boot": {"firmware": Firmware.SECURE},
        "I440FX": {"firmware": Firmware.I440FX},
    }
    for lacking, parts in asked.items():
        vm = machine(f"with-{lacking.replace(' ', '-')}", by=admin, memory=64, **parts)
        assert refused(vm, admin) == ("ACTION_TYPE_FAILED_VDS_VM_LACKS", {"host": "local", "lacking": lacking})
    power.start(machine("plain", by=admin, memory=64, cpu_model="Haswell", emulated_machine="pc-q35-7.2"), by=admin)
