"""The engine follows what boots: the serial line and what the machine uses become a diagnosis and evidence."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from tests.actions.runs import down, tell, up
from tests.engine.conftest import DATABASE, eventually
from vms.actions import access, boots
from vms.domain.access import Proof, Way
from vms.domain.doctor import HANG, Diagnosis, Finding
from vms.domain.lifecycle import Status
from vms.domain.statistics import Counters
from vms.engine import doctor
from vms.engine.doctor import Doctor
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, AuditEvent, Host, User

pytestmark = DATABASE

WELCOME = b"SeaBIOS (version 1.16.2)\r\nBooting from Hard Disk...\r\nGRUB loading.\r\nWelcome to GRUB!\r\n"


@pytest.fixture
def running(headless_vm: VM, host: Host, admin: User) -> VM:
    """A headless machine that has just been started."""
    return up(headless_vm, host, by=admin)


@pytest.fixture
def says(running: VM, tmp_path: Path) -> Callable[..., None]:
    """Write what its line says where the broker would, some seconds ago."""
    place = tmp_path / str(running.pk)

    def say(said: bytes, *, ago: float = 0.0, run: datetime | None = running.booted_at) -> None:
        place.mkdir(exist_ok=True)
        file = place / f"{run:%Y%m%dT%H%M%S%f}.log"
        with file.open("ab") as log:
            log.write(said)
        os.utime(file, (time.time() - ago,) * 2)

    return say


class Busy(MemoryHypervisor):
    """A host whose machines take a whole processor and read nothing."""

    def measure(self, machine: UUID) -> Counters:
        now = datetime.now(UTC)
        return Counters(at=now, cpu=now.timestamp(), disk=1_484_800)


class Clock:
    """The time, with as much added to it as a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def looks(running: VM, host: Host, tmp_path: Path, clock: Clock) -> Iterator[Callable[[], VM]]:
    """Have the doctor look at everything once."""
    busy = Busy()
    watching = Doctor(lambda: {host.pk: busy}, tmp_path, clock)

    def look() -> VM:
        watching.look()
        return VM.objects.get(pk=running.pk)

    yield look
    watching.close()


def found(vm: VM) -> Finding | None:
    return vm.diagnosis.finding if vm.diagnosis else None


def long_ago(vm: VM, seconds: float) -> None:
    VM.objects.filter(pk=vm.pk).update(booted_at=timezone.now() - timedelta(seconds=seconds))


def test_a_machine_that_nobody_listens_to_has_no_diagnosis(looks: Callable[[], VM]) -> None:
    assert looks().diagnosis is None


def test_what_the_run_before_has_said_last_is_no_evidence_of_this_one(
    running: VM, says: Callable[..., None], looks: Callable[[], VM]
) -> None:
    """It was shut down a moment ago, and runs now with a screen, so that nobody writes its line down."""
    says(b"debian login: [ 1688.599076] reboot: Power down\r", ago=4, run=datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert (looks().diagnosis, looks().login_seen_at) == (None, None)


def test_a_prompt_on_the_line_is_remembered_as_a_way_in(
    says: Callable[..., None], looks: Callable[[], VM], host: Host
) -> None:
    says(WELCOME)
    assert found(looks()) is Finding.BOOTING
    says(b"Loading Linux ...\r\n\r\ndebian login: ")
    vm = looks()
    assert found(vm) is Finding.LOG_IN
    assert access.of(vm, replace(vm.console, serial=True)).ways[Way.SERIAL] is Proof.PROVEN
    ended = down(vm, host)
    assert (ended.diagnosis, ended.login_seen_at) == (None, vm.login_seen_at)


def test_a_boot_that_hangs_is_found_and_told_once(
    running: VM, says: Callable[..., None], looks: Callable[[], VM], clock: Clock
) -> None:
    says(WELCOME)
    assert found(looks()) is Finding.BOOTING

    def a_second_later() -> Finding | None:
        clock.ahead += 1
        return found(looks())

    eventually(lambda: a_second_later() is Finding.GRUB_HANGS, "the hang is found")
    assert clock.ahead > HANG - 2
    a_second_later()
    event = AuditEvent.objects.get(code="VM_BOOT_NEEDS_ATTENTION")
    assert (event.entity_id, event.severity, event.params) == (running.pk, "warning", {"finding": "grub_hangs"})


def test_a_reboot_of_the_guest_begins_a_new_diagnosis(
    running: VM, says: Callable[..., None], looks: Callable[[], VM], host: Host
) -> None:
    says(WELCOME + b"debian login: ")
    before = looks()
    again = tell(before, host, Status.UP, run=before.run, rebooted=True)
    assert again.diagnosis is None
    assert again.booted_at is not None
    assert before.booted_at is not None
    assert again.booted_at > before.booted_at


def test_a_boot_that_is_long_over_is_left_alone(
    running: VM, says: Callable[..., None], looks: Callable[[], VM]
) -> None:
    says(WELCOME + b"debian login: ")
    long_ago(running, 3600)
    assert looks().diagnosis is None


def test_what_is_no_news_is_not_written(
    says: Callable[..., None], looks: Callable[[], VM], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    says(WELCOME)
    looks()
    with django_assert_num_queries(2):  # who boots, and the test's own look
        looks()


def test_a_server_for_ssh_at_the_address_is_evidence(
    running: VM, looks: Callable[[], VM], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(boots, "ssh_answered", lambda booting: told.append(booting.address))
    VM.objects.filter(pk=running.pk).update(ip="127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(doctor, "SSH", server.getsockname()[1])
        looks()
        with server.accept()[0] as line:
            line.sendall(b"SSH-2.0-Test\r\n")
        eventually(lambda: told == ["127.0.0.1"], "the server is recognised")


def test_an_ssh_server_that_answered_is_remembered(running: VM, host: Host) -> None:
    (booting,) = boots.followed([host.pk])
    boots.ssh_answered(booting)
    (booting,) = boots.followed([host.pk])
    assert booting.ssh


def test_every_diagnosis_survives_the_database(running: VM) -> None:
    for each in Finding:
        running.diagnosis = Diagnosis(finding=each, after=3, words="why")
        assert running.diagnosis == Diagnosis(finding=each, after=3, words="why")
