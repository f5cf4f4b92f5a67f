"""Consoles through the WebSocket door: what a pass opens, and every attack on it that must fail."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.actions.runs import down, fresh, up
from tests.consoles.site import Site, reason_of
from tests.engine.conftest import DATABASE
from tests.factories import machine, person
from tests.hypervisors.conftest import wait_until
from vms.actions import passes
from vms.domain.errors import Refusal
from vms.models import VM, AuditEvent, ConsoleKind, ConsolePass, ConsoleSession, Host, Permission, Role, User

pytestmark = DATABASE

Flow = Callable[[], Coroutine[Any, Any, None]]


def run(flow: Flow) -> None:
    asyncio.run(flow())


@pytest.fixture
def shown(vm: VM, host: Host, admin: User) -> VM:
    """The machine, up with its screen."""
    return up(vm, host, by=admin)


async def off_loop(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(call, *args, **kwargs)


# -- what it is for


def test_a_pass_opens_the_screen_and_bytes_go_both_ways(site: Site, shown: VM, alice: User) -> None:
    told = site.pass_for(alice, shown)

    async def flow() -> None:
        async with site.console(alice, shown, told) as line:
            assert line.subprotocol == "binary"
            screen = await off_loop(site.screens.last)
            screen.sendall(b"RFB 003.008\n")
            assert await line.recv() == b"RFB 003.008\n"
            await line.send(b"answer")
            assert await off_loop(screen.recv, 64) == b"answer"

    run(flow)
    assert site.screens.last().recv(1) == b"", "whoever leaves hangs up"


def test_who_connected_when_is_in_the_trail_and_who_has_left_is_no_user_any_more(
    site: Site, shown: VM, alice: User
) -> None:
    told = site.pass_for(alice, shown)

    async def flow() -> None:
        async with site.console(alice, shown, told):
            await off_loop(site.screens.last)
            assert (await off_loop(fresh, shown)).console_user_id == alice.pk

    run(flow)
    wait_until(lambda: not ConsoleSession.objects.exists(), what="the end of the session")
    events = AuditEvent.objects.filter(code__startswith="VM_CONSOLE").order_by("id")
    assert [(event.code, event.actor, event.address, event.params["console"]) for event in events] == [
        ("VM_CONSOLE_CONNECTED", alice, "127.0.0.1", "vnc"),
        ("VM_CONSOLE_DISCONNECTED", alice, "127.0.0.1", "vnc"),
    ]
    assert fresh(shown).console_user is None


def test_a_machine_that_ends_ends_its_console(site: Site, shown: VM, alice: User) -> None:
    told = site.pass_for(alice, shown)

    async def flow() -> None:
        async with site.console(alice, shown, told) as line:
            (await off_loop(site.screens.last)).close()
            assert await reason_of(line) == "gone"

    run(flow)


def test_what_the_engine_refuses_is_told(site: Site, shown: VM, alice: User) -> None:
    site.screens.refusal = Refusal("CONSOLE_OUT_OF_REACH", None, host="far")
    told = site.pass_for(alice, shown)

    async def flow() -> None:
        async with site.console(alice, shown, told) as line:
            assert await reason_of(line) == "CONSOLE_OUT_OF_REACH"

    run(flow)
    wait_until(lambda: not ConsoleSession.objects.exists(), what="the end of the session")


# -- passes


async def refused(site: Site, user: User | None, vm: VM, told: str, kind: str = "vnc", **more: Any) -> str:
    """The reason that a connection is closed for, or the status that its handshake gets."""
    try:
        async with site.console(user, vm, told, kind, **more) as line:
            return await reason_of(line)
    except InvalidStatus as no:
        return str(no.response.status_code)


def test_a_pass_opens_one_console_once(site: Site, shown: VM, alice: User) -> None:
    told = site.pass_for(alice, shown)

    async def flow() -> None:
        async with site.console(alice, shown, told):
            await off_loop(site.screens.last)
            assert await refused(site, alice, shown, told) == "CONSOLE_PASS_INVALID"
        assert await refused(site, alice, shown, told) == "CONSOLE_PASS_INVALID"

    run(flow)
    assert len(site.screens.behind) == 1


def test_of_many_that_come_with_one_pass_one_gets_in(site: Site, shown: VM, alice: User) -> None:
    told = site.pass_for(alice, shown)

    async def flow() -> None:
        ways = [asyncio.ensure_future(refused(site, alice, shown, told)) for _ in range(8)]
        _done, waiting = await asyncio.wait(ways, timeout=3)
        assert len(waiting) == 1
        for way in waiting:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    run(flow)
    assert len(site.screens.behind) == 1


def test_a_pass_is_good_for_thirty_seconds_and_never_a_word_that_was_guessed(
    site: Site, shown: VM, alice: User
) -> None:
    told = site.pass_for(alice, shown)
    left = ConsolePass.objects.get().expires_at - timezone.now()
    assert 25 < left.total_seconds() <= 30
    assert len(told) >= 43, "256 bits"
    ConsolePass.objects.update(expires_at=timezone.now())

    async def flow() -> None:
        for guess in (told, told[:-1] + "x", "x", "x" * 43, "x" * 4000):
            assert await refused(site, alice, shown, guess) in {"CONSOLE_PASS_INVALID", "403"}

    run(flow)
    assert site.screens.behind == []


def test_a_pass_of_somebody_else_another_session_machine_or_kind_opens_nothing_and_is_used_up(
    site: Site, shown: VM, alice: User, bob: User, admin: User, host: Host
) -> None:
    other = up(machine("other", by=admin), host, by=admin)
    Permission.objects.create(user=alice, role=Role.objects.get(name="UserVmManager"), vm=other)
    attempts = ((bob, shown, "vnc"), (None, shown, "vnc"), (alice, other, "vnc"), (alice, shown, "spice"))
    site.browser(bob)

    async def flow() -> None:
        for user, vm, kind in attempts:
            told = await off_loop(site.pass_for, alice, shown)
            more = {"origin": None} if user is None else {}
            assert await refused(site, user, vm, told, kind, **more) == "CONSOLE_PASS_INVALID"
            assert await refused(site, alice, shown, told) == "CONSOLE_PASS_INVALID", "somebody has seen it"

    run(flow)
    assert site.screens.behind == []


def test_a_foreign_page_opens_nothing(site: Site, shown: VM, alice: User) -> None:
    foreign = (
        *("http://evil.example", "null", "https://127.0.0.1", f"http://{site.place}.evil.example", "file://"),
        *(f"http://evil.example/{site.place}", "http://127.0.0.1:1", f"http://x@{site.place}", "http://[::1"),
    )

    async def flow() -> None:
        for origin in (*foreign, None):
            told = await off_loop(site.pass_for, alice, shown)
            assert await refused(site, alice, shown, told, origin=origin) == "403", origin
        # A name of the attacker's own that leads here makes his page look like one of ours.
        told = await off_loop(site.pass_for, alice, shown)
        assert await refused(site, alice, shown, told, host="evil.example", origin="http://evil.example") == "403"

    run(flow)
    assert site.screens.behind == []


def test_a_page_at_an_address_of_the_settings_is_no_foreign_one(
    site: Site, shown: VM, alice: User, settings: Any
) -> None:
    settings.ORIGINS = ["https://vms.example.org"]
    told = site.pass_for(alice, shown)

    async def flow() -> None:
        async with site.console(alice, shown, told, origin="https://vms.example.org"):
            await off_loop(site.screens.last)

    run(flow)


@pytest.mark.parametrize("path", ["/consoles/x/vnc", "/consoles/", "/", "/vms/", "/consoles/../vms/"])
def test_no_other_address_is_a_console(site: Site, shown: VM, alice: User, path: str) -> None:
    async def flow() -> None:
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://{site.place}{path}", origin=Origin(f"http://{site.place}"), proxy=None):
                pass

    run(flow)


def test_a_program_with_a_proxy_ticket_and_no_session_gets_in(site: Site, shown: VM, alice: User) -> None:
    told = passes.give(shown, ConsoleKind.VNC, by=alice).reveal()

    async def flow() -> None:
        async with site.console(None, shown, told, origin=None):
            await off_loop(site.screens.last)

    run(flow)


# -- what closes it


def closes(site: Site, vm: VM, user: User, act: Callable[[], object], reason: str) -> None:
    """Whatever is done while the console is open closes it within a second, for that reason."""
    told = site.pass_for(user, vm)

    async def flow() -> None:
        async with site.console(user, vm, told) as line:
            await off_loop(site.screens.last)
            began = asyncio.get_running_loop().time()
            await off_loop(act)
            assert await reason_of(line) == reason
            assert asyncio.get_running_loop().time() - began < 4, "one second, and more for a machine that is busy"

    run(flow)
    assert site.screens.last().recv(1) == b""


def test_a_lost_right_closes_it(site: Site, shown: VM, alice: User) -> None:
    closes(site, shown, alice, lambda: Permission.objects.filter(user=alice).delete(), "right")


def test_a_log_out_closes_it(site: Site, shown: VM, alice: User) -> None:
    closes(site, shown, alice, lambda: site.browser(alice).post("/accounts/logout/"), "session")


def test_a_session_that_is_removed_or_has_expired_closes_it(site: Site, shown: VM, alice: User) -> None:
    closes(site, shown, alice, lambda: Session.objects.update(expire_date=timezone.now()), "session")


def test_a_new_password_closes_it(site: Site, shown: VM, alice: User) -> None:
    def change() -> None:
        alice.set_password("another one")
        alice.save()

    closes(site, shown, alice, change, "session")


def test_an_account_that_is_closed_closes_it(site: Site, shown: VM, alice: User) -> None:
    closes(site, shown, alice, lambda: User.objects.filter(pk=alice.pk).update(is_active=False), "session")


def test_a_machine_that_is_removed_closes_it(site: Site, shown: VM, alice: User, host: Host) -> None:
    closes(site, shown, alice, lambda: VM.objects.filter(pk=shown.pk).delete(), "ended")


def test_somebody_who_takes_over_closes_it(site: Site, shown: VM, alice: User, admin: User) -> None:
    closes(site, shown, alice, lambda: passes.enter(shown, ConsoleKind.VNC, by=admin), "taken")
    assert fresh(shown).console_user == admin


def test_who_may_not_take_over_gets_no_pass_and_is_told_who_is_there(
    site: Site, shown: VM, alice: User, bob: User
) -> None:
    passes.enter(shown, ConsoleKind.VNC, by=alice)
    answer = site.browser(bob).post(f"/portal/vms/{shown.pk}/console/vnc/pass")
    assert answer.status_code == 403
    assert "alice is connected" in answer.json()["message"]


# -- limits


def test_there_is_an_end_to_what_one_machine_and_one_person_have_open(
    site: Site, shown: VM, alice: User, admin: User, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = up(machine("other", by=admin), host, by=admin)
    person("alice", role="UserVmManager", vm=other)
    for limit, vms in (("PER_MACHINE", [shown] * 3), ("PER_USER", [shown, other, shown])):
        monkeypatch.setattr(passes, "PER_MACHINE", 16)
        monkeypatch.setattr(passes, limit, 2)
        for vm in vms[:2]:
            passes.enter(vm, ConsoleKind.VNC, by=alice)
        with pytest.raises(Refusal, match="TOO_MANY_CONSOLES"):
            passes.enter(vms[2], ConsoleKind.VNC, by=alice)
        ConsoleSession.objects.all().delete()


def test_consoles_whose_server_has_died_count_no_more_and_are_forgotten(shown: VM, alice: User) -> None:
    made = passes.enter(shown, ConsoleKind.VNC, by=alice)
    assert passes.expire() == 0
    ConsoleSession.objects.update(seen_at=timezone.now() - 2 * passes.VALID)
    assert not ConsoleSession.objects.open().exists()
    assert passes.expire() == 1
    assert AuditEvent.objects.filter(code="VM_CONSOLE_DISCONNECTED", entity_id=made.vm_id).count() == 1
    assert fresh(shown).console_user is None


def test_a_browser_that_does_not_read_holds_up_the_screen_and_nothing_else(site: Site, shown: VM, alice: User) -> None:
    told = site.pass_for(alice, shown)

    async def flow() -> None:
        async with site.console(alice, shown, told) as line:
            line.transport.pause_reading()
            screen = await off_loop(site.screens.last)
            screen.settimeout(1)
            sent = 0

            def flood() -> int:
                nonlocal sent
                try:
                    while sent < 64 * 1024 * 1024:
                        sent += screen.send(bytes(64 * 1024))
                except TimeoutError:
                    pass
                return sent

            assert await off_loop(flood) < 8 * 1024 * 1024, "what nobody reads is not taken"

    run(flow)


def test_a_machine_that_is_headless_or_off_gives_no_pass(
    site: Site, headless_vm: VM, vm: VM, host: Host, admin: User
) -> None:
    up(headless_vm, host, by=admin)
    ended = down(up(vm, host, by=admin), host)
    for row, told in ((headless_vm, "headless"), (vm, "not running"), (ended, "not running")):
        answer = site.browser(admin).post(f"/vms/{row.pk}/console/vnc/pass")
        assert answer.status_code == 409
        assert told in answer.json()["message"]


def test_a_stranger_gets_no_pass_and_is_told_nothing(site: Site, shown: VM, carol: User) -> None:
    for portal, status in (("", 403), ("/portal", 404)):
        assert site.browser(carol).post(f"{portal}/vms/{shown.pk}/console/vnc/pass").status_code == status
