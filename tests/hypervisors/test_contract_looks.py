"""What `vms.hypervisors.base` promises of looks, kept by every driver: of machines, guests and hosts."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from tests.hypervisors.drivers import Bench, bench, protocols, with_vnc
from vms.domain.console import SPICE_AND_VNC
from vms.domain.console import Protocol as Graphics
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.guest import Told
from vms.domain.lifecycle import Status

__all__ = ["bench"]


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
