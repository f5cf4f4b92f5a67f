"""What `vms.hypervisors.base` promises, kept by every driver: in a dictionary and on a real libvirt with QEMU."""

import os
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from tests.consoles import rfb
from tests.hypervisors import obedient
from tests.hypervisors.conftest import SerialLine, wait_until
from vms.domain.console import SPICE, SPICE_AND_VNC, Console, Firmware, Video
from vms.domain.console import Protocol as Graphics
from vms.domain.errors import Refusal
from vms.domain.guest import Told
from vms.domain.hosts import Ended, Observation
from vms.domain.lifecycle import Status
from vms.domain.machine import MachineSpec
from vms.domain.networks import Nic
from vms.domain.parts import Boot
from vms.domain.picture import PNG
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.hypervisors.base import Event, Hypervisor
from vms.hypervisors.memory import MemoryHypervisor
from vms.hypervisors.private import PrivateDaemon
from vms.libvirtxml.observe import observe


class Guests(Protocol):
    """What guests do by themselves."""

    def up(self, machine: UUID) -> None:
        """Wait until the guest can act."""

    def powers_off(self, machine: UUID) -> None: ...

    def reboots(self, machine: UUID) -> None: ...

    def crashes(self, machine: UUID) -> None: ...

    def lets_in(self, machine: UUID, password: str) -> bool:
        """Whether its VNC console takes the password."""
        ...


class MemoryGuests:
    def __init__(self, hypervisor: MemoryHypervisor) -> None:
        self.powers_off = hypervisor.guest_powers_off
        self.reboots = hypervisor.guest_reboots
        self.crashes = hypervisor.guest_crashes
        self._tickets = hypervisor.tickets

    def lets_in(self, machine: UUID, password: str) -> bool:
        return machine in self._tickets and self._tickets[machine].password == Secret(password)

    def up(self, machine: UUID) -> None:
        """They always are."""


class RealGuests:
    def __init__(self, daemon: PrivateDaemon, connection: Any) -> None:
        self._daemon = daemon
        self._connection = connection

    def up(self, machine: UUID) -> None:
        """It echoes what is typed once it runs, however often it was reset before."""
        line = self._line(machine)

        def echoes() -> bool:
            line.send(obedient.ANYTHING)
            return obedient.ANYTHING in line.text

        wait_until(echoes, what="the guest's echo")

    def lets_in(self, machine: UUID, password: str) -> bool:
        (console,) = observe(self._connection.lookupByUUID(machine.bytes).XMLDesc()).endpoints
        return rfb.lets_in(console.address, console.port, password)

    def powers_off(self, machine: UUID) -> None:
        self._type(machine, obedient.POWER_OFF)

    def reboots(self, machine: UUID) -> None:
        self._type(machine, obedient.REBOOT)

    def crashes(self, machine: UUID) -> None:
        name = self._connection.lookupByUUID(machine.bytes).name()
        os.kill(int((self._daemon.home / f"run/qemu/{name}.pid").read_text()), signal.SIGKILL)

    def _type(self, machine: UUID, letter: str) -> None:
        self.up(machine)
        self._line(machine).send(letter)

    def _line(self, machine: UUID) -> SerialLine:
        """A new line, left open until the machine ends: what is typed on one that is closed at once never arrives."""
        return SerialLine(self._connection.lookupByUUID(machine.bytes))


class Bench:
    """A driver, its guests, and the events that it has told."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        self.hypervisor = hypervisor
        self.guests: Guests
        self.events: list[Event] = []
        self.machines: list[UUID] = []
        hypervisor.open(self.events.append)

    def machine(self, console: Console | None = None, **parts: Any) -> MachineSpec:
        """A headless machine with a serial line and a guest that obeys, unless something else is asked for."""
        made = MachineSpec(
            id=uuid4(),
            name=f"contract-{len(self.machines)}-{os.getpid()}",
            memory=64,
            console=console or replace(Console().as_headless(), serial=True),
            boot=Boot(kernel=obedient.NAME),
            nics=(Nic(mac="52:54:00:00:00:01"),),
        )
        self.machines.append(made.id)
        return replace(made, **parts)

    def started(self, spec: MachineSpec | None = None, once: RunOnce | None = None) -> Run:
        run = Run(base=spec or self.machine(), once=once, job=uuid4())
        self.hypervisor.start(run)
        return run

    def seen(self, machine: UUID) -> Observation:
        observation = self.hypervisor.observe(machine)
        assert observation is not None
        return observation

    def wait_for(self, machine: UUID, status: Status) -> Observation:
        wait_until(lambda: self.seen(machine).status == status, what=f"{machine} {status}")
        return self.seen(machine)

    def wait_until_not(self, machine: UUID, status: Status) -> None:
        wait_until(lambda: self.seen(machine).status != status, what=f"{machine} no more {status}")

    def wait_for_event(self, condition: Callable[[Event], bool]) -> Event:
        wait_until(lambda: any(map(condition, list(self.events))), what="an event")
        return next(filter(condition, self.events))

    def clear(self) -> None:
        for machine in self.machines:
            self.hypervisor.stop(machine)
            self.hypervisor.remove(machine)
        self.hypervisor.close()


@pytest.fixture(params=["memory", pytest.param("libvirt", marks=pytest.mark.hypervisor)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "memory":
        memory = MemoryHypervisor()
        made = Bench(memory)
        made.guests = MemoryGuests(memory)
        yield made
        made.clear()
        return
    import libvirt

    from vms.hypervisors.bootfiles import LocalFiles
    from vms.hypervisors.libvirt import LibvirtHypervisor, Location

    daemon: PrivateDaemon = request.getfixturevalue("private_daemon")
    obedient.write_to(tmp_path)
    made = Bench(LibvirtHypervisor(lambda: Location(uri=daemon.uri, files=LocalFiles(tmp_path)), "local"))
    connection = libvirt.open(daemon.uri)
    made.guests = RealGuests(daemon, connection)
    yield made
    made.clear()
    connection.close()


def with_vnc(spec: MachineSpec, **options: Any) -> RunOnce:
    return RunOnce.choose(ConsoleChoice.VNC, spec, spec.offer(spec.level, SPICE_AND_VNC), **options)


def protocols(observation: Observation) -> set[Graphics]:
    return {endpoint.protocol for endpoint in observation.endpoints}


# -- a start


def test_a_start_answers_with_what_runs(bench: Bench) -> None:
    run = Run(base=bench.machine(), job=uuid4())
    answer = bench.hypervisor.start(run)
    assert (answer.id, answer.name, answer.status, answer.run) == (run.base.id, run.base.name, Status.UP, run)
    assert (answer.ended, answer.endpoints, answer.cold_reboot) == (None, (), False)
    assert answer.machine, "the machine type that was chosen is told, so that it can be pinned"
    assert bench.seen(run.base.id) == answer


def test_a_start_by_the_same_job_is_done_once(bench: Bench) -> None:
    run = Run(base=bench.machine(Console()), job=uuid4())
    first = bench.hypervisor.start(run)
    bench.hypervisor.set_cold_reboot(run.base.id, True)
    again = bench.hypervisor.start(run)
    assert again == replace(first, cold_reboot=True), "what was done to the run meanwhile would be gone with it"


def test_a_start_by_another_job_is_refused_and_the_run_goes_on(bench: Bench) -> None:
    run = bench.started()
    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED"):
        bench.hypervisor.start(replace(run, job=uuid4()))
    assert bench.seen(run.base.id).run == run


def test_of_many_starts_at_once_one_has_an_effect(bench: Bench) -> None:
    spec, together = bench.machine(), threading.Barrier(8)

    def attempt(_: int) -> UUID | str | None:
        run = Run(base=spec, job=uuid4())
        together.wait()
        try:
            bench.hypervisor.start(run)
        except Refusal as refusal:
            return refusal.code
        return run.job

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(8)))
    running = bench.seen(spec.id).run
    assert running is not None
    assert sorted(outcomes, key=str) == sorted(["HYPERVISOR_REFUSED"] * 7 + [running.job], key=str)
    bench.hypervisor.stop(spec.id)
    assert bench.seen(spec.id).status == Status.DOWN, "those that were refused have not undefined it"


def test_a_start_in_pause_mode_waits_to_be_resumed(bench: Bench) -> None:
    run = Run(base=bench.machine(start_paused=True), job=uuid4())
    assert bench.hypervisor.start(run).status == Status.PAUSED
    answer = bench.hypervisor.resume(run.base.id)
    assert (answer.status, answer.run) == (Status.UP, run)


def test_resuming_what_is_up_leaves_it_up(bench: Bench) -> None:
    run = bench.started()
    assert bench.hypervisor.resume(run.base.id).run == run


def test_a_new_name_is_taken_at_the_next_start(bench: Bench) -> None:
    run = bench.started()
    bench.hypervisor.stop(run.base.id)
    renamed = replace(run.base, name=f"{run.base.name}-renamed")
    assert bench.hypervisor.start(Run(base=renamed, job=uuid4())).name == renamed.name


@pytest.mark.parametrize("firmware", Firmware)
def test_changed_hardware_is_taken_at_the_next_start(bench: Bench, firmware: Firmware) -> None:
    run = bench.started(bench.machine(firmware=firmware, start_paused=True))
    bench.hypervisor.stop(run.base.id)
    changed = replace(run.base, console=Console(), memory=96)
    answer = bench.hypervisor.start(Run(base=changed, job=uuid4()))
    assert protocols(answer) == {Graphics.VNC}


# -- run once


def test_run_once_shows_the_overlay_and_reverts_by_itself(bench: Bench) -> None:
    spec = bench.machine()
    run = Run(base=spec, once=with_vnc(spec), job=uuid4())
    answer = bench.hypervisor.start(run)
    assert (answer.run, protocols(answer)) == (run, {Graphics.VNC})
    assert all(endpoint.port > 0 and endpoint.address == "127.0.0.1" for endpoint in answer.endpoints)
    bench.hypervisor.stop(spec.id)
    after = bench.seen(spec.id)
    assert (after.run, after.endpoints, after.cold_reboot) == (None, (), False)
    plain = bench.hypervisor.start(Run(base=spec, job=uuid4()))
    assert (plain.endpoints, plain.run and plain.run.once) == ((), None)


def test_a_machine_with_a_screen_runs_once_without(bench: Bench) -> None:
    spec = bench.machine(Console())
    offer = spec.offer(spec.level, SPICE_AND_VNC)
    once = RunOnce.choose(ConsoleChoice.HEADLESS, spec, offer)
    assert bench.hypervisor.start(Run(base=spec, once=once, job=uuid4())).endpoints == ()
    bench.hypervisor.stop(spec.id)
    assert protocols(bench.hypervisor.start(Run(base=spec, job=uuid4()))) == {Graphics.VNC}


def test_a_guests_reboot_leaves_run_once_as_it_is(bench: Bench) -> None:
    spec = bench.machine()
    run = bench.started(spec, with_vnc(spec))
    bench.guests.reboots(spec.id)
    bench.wait_for_event(lambda event: event == Event(spec.id, rebooted=True))
    assert bench.seen(spec.id).run == run


def test_a_guests_reboot_ends_a_volatile_run_once(bench: Bench) -> None:
    spec = bench.machine()
    run = bench.started(spec, with_vnc(spec, volatile=True))
    assert bench.seen(run.base.id).cold_reboot
    bench.guests.reboots(spec.id)
    assert bench.wait_for(spec.id, Status.DOWN).ended == Ended.REBOOT


def test_run_once_survives_being_suspended(bench: Bench) -> None:
    spec = bench.machine()
    run = bench.started(spec, with_vnc(spec))
    bench.hypervisor.suspend(spec.id)
    saved = bench.seen(spec.id)
    assert (saved.status, saved.ended, saved.run, saved.endpoints) == (Status.SUSPENDED, Ended.SAVED, None, ())
    answer = bench.hypervisor.resume(spec.id)
    assert (answer.status, answer.ended, answer.run, protocols(answer)) == (Status.UP, None, run, {Graphics.VNC})


# -- suspend, stop, reset


def test_suspending_twice_is_suspending_once(bench: Bench) -> None:
    run = bench.started()
    bench.hypervisor.suspend(run.base.id)
    bench.hypervisor.suspend(run.base.id)
    assert bench.hypervisor.resume(run.base.id).run == run


def test_stopping_a_suspended_machine_discards_its_state(bench: Bench) -> None:
    run = bench.started()
    bench.hypervisor.suspend(run.base.id)
    bench.hypervisor.stop(run.base.id)
    assert bench.seen(run.base.id).status == Status.DOWN
    fresh = replace(run, job=uuid4())
    assert bench.hypervisor.start(fresh).run == fresh


def test_starting_a_suspended_machine_anew_discards_its_state(bench: Bench) -> None:
    run = bench.started()
    bench.hypervisor.suspend(run.base.id)
    fresh = replace(run, job=uuid4())
    assert bench.hypervisor.start(fresh).run == fresh
    bench.hypervisor.stop(run.base.id)
    assert bench.seen(run.base.id).status == Status.DOWN


def test_stopping_is_told_apart_from_ending(bench: Bench) -> None:
    run = bench.started()
    bench.hypervisor.stop(run.base.id)
    seen = bench.seen(run.base.id)
    assert (seen.status, seen.ended, seen.run) == (Status.DOWN, Ended.STOPPED, None)


def test_stopping_what_is_off_or_unknown_leaves_it_so(bench: Bench) -> None:
    run = bench.started()
    for _ in range(2):
        bench.hypervisor.stop(run.base.id)
    bench.hypervisor.stop(uuid4())
    assert bench.seen(run.base.id).status == Status.DOWN


@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
def test_a_reset_never_ends_the_run(bench: Bench, cold: bool) -> None:
    run = bench.started()
    bench.guests.up(run.base.id)
    bench.hypervisor.set_cold_reboot(run.base.id, cold)
    bench.hypervisor.reset(run.base.id)
    bench.wait_for_event(lambda event: event == Event(run.base.id, rebooted=True))
    bench.guests.up(run.base.id)
    seen = bench.seen(run.base.id)
    assert (seen.status, seen.run, seen.cold_reboot) == (Status.UP, run, cold)


def test_a_reset_that_has_just_begun_does_not_end_a_run_that_a_reboot_ends_from_now_on(bench: Bench) -> None:
    run = bench.started()
    bench.guests.up(run.base.id)
    bench.hypervisor.reset(run.base.id)
    bench.hypervisor.set_cold_reboot(run.base.id, True)
    bench.guests.up(run.base.id)
    assert bench.seen(run.base.id).status == Status.UP


def test_after_a_reset_a_guests_reboot_still_ends_the_run_where_that_was_asked(bench: Bench) -> None:
    run = bench.started()
    bench.guests.up(run.base.id)
    bench.hypervisor.set_cold_reboot(run.base.id, True)
    bench.hypervisor.reset(run.base.id)
    bench.guests.up(run.base.id)
    bench.guests.reboots(run.base.id)
    assert bench.wait_for(run.base.id, Status.DOWN).ended == Ended.REBOOT


# -- what the guest is asked, and does


def test_a_guest_that_is_asked_powers_off(bench: Bench) -> None:
    run = bench.started()
    bench.guests.up(run.base.id)
    bench.hypervisor.shutdown(run.base.id)
    assert bench.wait_for(run.base.id, Status.DOWN).ended == Ended.GUEST


def test_a_guest_that_is_asked_reboots_within_the_run(bench: Bench) -> None:
    run = bench.started()
    bench.guests.up(run.base.id)
    bench.hypervisor.reboot(run.base.id)
    bench.wait_for_event(lambda event: event == Event(run.base.id, rebooted=True))
    bench.guests.up(run.base.id)
    assert bench.wait_for(run.base.id, Status.UP).run == run


def test_a_guests_power_off_and_its_reboot_are_told_apart(bench: Bench) -> None:
    run = bench.started()
    bench.hypervisor.set_cold_reboot(run.base.id, True)
    bench.guests.reboots(run.base.id)
    assert bench.wait_for(run.base.id, Status.DOWN).ended == Ended.REBOOT
    assert bench.hypervisor.glance()[run.base.id].ended == Ended.REBOOT
    bench.started(run.base)
    bench.hypervisor.set_cold_reboot(run.base.id, True)
    bench.guests.powers_off(run.base.id)
    assert bench.wait_for(run.base.id, Status.DOWN).ended == Ended.GUEST


def test_what_a_reboot_does_can_be_changed_back(bench: Bench) -> None:
    run = bench.started()
    for cold in (True, False):
        bench.hypervisor.set_cold_reboot(run.base.id, cold)
        assert bench.seen(run.base.id).cold_reboot == cold
    bench.guests.reboots(run.base.id)
    bench.wait_for_event(lambda event: event == Event(run.base.id, rebooted=True))
    assert bench.seen(run.base.id).run == run


def test_a_machine_whose_qemu_dies_has_crashed(bench: Bench) -> None:
    run = bench.started()
    bench.guests.crashes(run.base.id)
    assert bench.wait_for(run.base.id, Status.DOWN).ended == Ended.CRASHED
    fresh = replace(run, job=uuid4())
    assert bench.hypervisor.start(fresh).status == Status.UP


# -- tickets


def test_a_ticket_opens_the_console_of_a_run_until_the_next_one(bench: Bench) -> None:
    run = bench.started(bench.machine(Console()))
    assert not bench.guests.lets_in(run.base.id, "first")
    for password, other in (("first", "second"), ("second", "first")):
        bench.hypervisor.set_ticket(run.base.id, a_ticket(password))
        assert bench.guests.lets_in(run.base.id, password)
        assert not bench.guests.lets_in(run.base.id, other)


def test_a_console_of_a_paused_machine_and_of_one_run_takes_a_ticket(bench: Bench) -> None:
    spec = bench.machine(start_paused=True)
    bench.started(spec, with_vnc(spec))
    bench.hypervisor.set_ticket(spec.id, a_ticket("once"))
    assert bench.guests.lets_in(spec.id, "once")


def test_both_consoles_of_a_machine_take_tickets(bench: Bench) -> None:
    run = bench.started(bench.machine(Console(graphics=SPICE_AND_VNC, video=Video.QXL)))
    for protocol in Graphics:
        bench.hypervisor.set_ticket(run.base.id, Ticket.of(protocol))


def test_a_machine_without_the_console_takes_no_ticket(bench: Bench) -> None:
    for console in (None, Console(graphics=SPICE, video=Video.QXL)):
        run = bench.started(bench.machine(console))
        with pytest.raises(Refusal, match="GRAPHICS_CONSOLE_NOT_FOUND"):
            bench.hypervisor.set_ticket(run.base.id, a_ticket("none"))


def test_a_screen_is_opened_past_its_password_where_the_host_is_at_hand(bench: Bench) -> None:
    run = bench.started(bench.machine(Console(graphics=SPICE_AND_VNC, video=Video.QXL)))
    if isinstance(bench.hypervisor, MemoryHypervisor):
        with pytest.raises(Refusal, match="CONSOLE_OUT_OF_REACH"):
            bench.hypervisor.open_screen(run.base.id, Graphics.VNC)
        return
    for screen, greeting in ((Graphics.VNC, b"RFB 003.008\n"), (Graphics.SPICE, b"")):
        with bench.hypervisor.open_screen(run.base.id, screen) as line:
            line.settimeout(5)
            if greeting:
                assert line.recv(12) == greeting
                line.sendall(greeting)
                assert line.recv(2) == b"\x01\x01", "no password is asked for"


def test_a_screen_that_is_not_there_is_not_opened(bench: Bench) -> None:
    run = bench.started()
    for stop in (False, True):
        if stop:
            bench.hypervisor.stop(run.base.id)
        with pytest.raises(Refusal, match=r"GRAPHICS_CONSOLE_NOT_FOUND|HYPERVISOR_REFUSED"):
            bench.hypervisor.open_screen(run.base.id, Graphics.VNC)


def test_what_a_screen_shows_is_a_picture(bench: Bench) -> None:
    runs = [
        bench.started(bench.machine(console))
        for console in (Console(), Console(graphics=SPICE_AND_VNC, video=Video.QXL))
    ]
    for run in runs:
        picture = bench.hypervisor.screenshot(run.base.id)
        assert picture.startswith(PNG)
        width, height = struct.unpack_from("!II", picture, 16)
        assert width >= 320
        assert height >= 200
    headless = bench.started()
    with pytest.raises(Refusal, match="GRAPHICS_CONSOLE_NOT_FOUND"):
        bench.hypervisor.screenshot(headless.base.id)
    bench.hypervisor.stop(runs[0].base.id)
    with pytest.raises(Refusal, match=r"GRAPHICS_CONSOLE_NOT_FOUND|HYPERVISOR_REFUSED"):
        bench.hypervisor.screenshot(runs[0].base.id)


def a_ticket(password: str) -> Ticket:
    return Ticket.of(Graphics.VNC, Secret(password))


# -- what guests tell


def test_a_guest_without_an_agent_tells_nothing_and_is_no_error(bench: Bench) -> None:
    run = bench.started()
    told = bench.hypervisor.ask_guest(run.base.id)
    assert (told.agent, told.fqdn, told.told) == (False, "", Told())
    assert not any(told.addresses.values())
    assert not bench.seen(run.base.id).agent


def test_what_a_machine_uses_only_grows(bench: Bench) -> None:
    run = bench.started()
    bench.guests.up(run.base.id)
    first = bench.hypervisor.measure(run.base.id)
    second = bench.hypervisor.measure(run.base.id)
    assert second.at > first.at
    assert (second.cpu >= first.cpu, second.network >= first.network, second.disk >= first.disk) == (True,) * 3


# -- looking, forgetting, events


def test_a_glance_sees_what_a_look_sees(bench: Bench) -> None:
    up, paused = bench.started(), bench.started(bench.machine(start_paused=True))
    suspended, down = bench.started(), bench.started()
    bench.hypervisor.suspend(suspended.base.id)
    bench.hypervisor.stop(down.base.id)
    told = bench.hypervisor.glance()
    seen = [bench.seen(run.base.id) for run in (up, paused, suspended, down)]
    assert [told[there.id].status for there in seen] == [Status.UP, Status.PAUSED, Status.SUSPENDED, Status.DOWN]
    assert [(told[there.id].status, told[there.id].ended) for there in seen] == [
        (there.status, there.ended) for there in seen
    ]


def test_nothing_is_known_of_a_machine_that_was_never_started(bench: Bench) -> None:
    machine = bench.machine().id
    assert bench.hypervisor.observe(machine) is None
    assert machine not in bench.hypervisor.glance()


def test_a_removed_machine_is_forgotten_with_its_saved_state(bench: Bench) -> None:
    run = bench.started()
    bench.hypervisor.suspend(run.base.id)
    bench.hypervisor.remove(run.base.id)
    assert bench.hypervisor.observe(run.base.id) is None
    assert run.base.id not in bench.hypervisor.glance()
    bench.hypervisor.remove(run.base.id)
    assert bench.hypervisor.start(replace(run, job=uuid4())).run != run


def test_a_running_machine_is_not_removed(bench: Bench) -> None:
    run = bench.started()
    with pytest.raises(Refusal, match="HYPERVISOR_REFUSED"):
        bench.hypervisor.remove(run.base.id)
    assert bench.seen(run.base.id).run == run


@pytest.mark.parametrize("verb", ["resume", "shutdown", "reboot", "reset", "suspend", "ask_guest", "measure"])
def test_a_verb_on_a_machine_that_is_off_or_unknown_is_refused(bench: Bench, verb: str) -> None:
    run = bench.started()
    bench.hypervisor.stop(run.base.id)
    for machine in (run.base.id, uuid4()):
        with pytest.raises(Refusal, match="HYPERVISOR_REFUSED") as refused:
            getattr(bench.hypervisor, verb)(machine)
        assert refused.value.params["message"]


def test_whatever_happens_to_a_machine_is_told(bench: Bench) -> None:
    run = bench.started()
    acts: list[Callable[[], object]] = [
        lambda: bench.hypervisor.suspend(run.base.id),
        lambda: bench.hypervisor.resume(run.base.id),
        lambda: bench.guests.powers_off(run.base.id),
        lambda: bench.started(run.base),
        lambda: bench.guests.crashes(run.base.id),
    ]
    bench.wait_for_event(lambda event: event.machine == run.base.id)
    for act in acts:
        before = bench.seen(run.base.id).status
        bench.events.clear()
        act()
        bench.wait_for_event(lambda event: event.machine == run.base.id)
        bench.wait_until_not(run.base.id, before)


def test_a_driver_is_alive_between_opening_and_closing(bench: Bench) -> None:
    alive = [bench.hypervisor.alive]
    bench.hypervisor.close()
    alive.append(bench.hypervisor.alive)
    bench.hypervisor.open(bench.events.append)
    alive.append(bench.hypervisor.alive)
    assert alive == [True, False, True]


def test_machines_run_on_while_nobody_looks(bench: Bench) -> None:
    spec = bench.machine()
    run = bench.started(spec, with_vnc(spec))
    bench.hypervisor.close()
    bench.hypervisor.open(bench.events.append)
    seen = bench.seen(spec.id)
    assert (seen.run, protocols(seen)) == (run, {Graphics.VNC})


def test_events_are_told_to_the_last_who_opened(bench: Bench) -> None:
    for _ in range(3):
        bench.hypervisor.open(bench.events.append)
    assert bench.hypervisor.alive, "the end of the connection before is not taken for the end of this one"
    run = bench.started()
    bench.wait_for_event(lambda event: event.machine == run.base.id)
    assert bench.hypervisor.alive


def test_what_a_host_offers_is_told(bench: Bench) -> None:
    told = bench.hypervisor.capabilities()
    assert told.graphics == SPICE_AND_VNC
    assert {"vga", "virtio", "qxl"} <= told.videos
    assert told.firmwares == frozenset(Firmware)
    assert told.hypervisor
    assert told.machine.startswith("pc-q35-"), "a machine type that says its version can be pinned"
