"""What `vms.hypervisors.base` promises of screens, kept by every driver: tickets, lines past them, and pictures."""

import struct

import pytest

from tests.hypervisors.drivers import Bench, bench, with_vnc
from vms.domain.console import SPICE, SPICE_AND_VNC, Console, Video
from vms.domain.console import Protocol as Graphics
from vms.domain.errors import Refusal
from vms.domain.picture import PNG
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.hypervisors.memory import MemoryHypervisor

__all__ = ["bench"]


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
