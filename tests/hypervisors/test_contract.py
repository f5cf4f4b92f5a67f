"""What `vms.hypervisors.base` promises of runs, kept by every driver: how they begin, change, and end."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tests.hypervisors.drivers import Bench, bench, protocols, with_vnc
from vms.domain.console import SPICE_AND_VNC, Console
from vms.domain.console import Protocol as Graphics
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.hosts import Ended
from vms.domain.lifecycle import Status
from vms.domain.runonce import ConsoleChoice, Run, RunOnce
from vms.hypervisors.base import Event

__all__ = ["bench"]


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
