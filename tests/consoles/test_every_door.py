"""The console of a headless machine: refused at every door, each with the reason, and leading to what works."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.actions.runs import up
from tests.api.caller import Caller
from tests.consoles.site import Site, reason_of
from tests.engine.conftest import DATABASE
from vms.actions import passes, tickets, viewing
from vms.domain.errors import Refusal
from vms.domain.viewing import Options
from vms.models import VM, AuditEvent, ConsoleKind, ConsolePass, ConsoleSession, Host, User

pytestmark = DATABASE

REASON = "headless"
CONSOLES = {"vnc": "766e63", "spice": "7370696365"}


@pytest.fixture(params=["off", "up"])
def quiet(request: pytest.FixtureRequest, site: Site, headless_vm: VM, host: Host, admin: User) -> VM:
    return up(headless_vm, host, by=admin) if request.param == "up" else headless_vm


def test_no_page_opens_one_and_each_says_why_and_the_way_out(quiet: VM, site: Site, admin: User) -> None:
    browser: Any = site.browser(admin)
    for portal in ("/vms", "/portal/vms"):
        url = f"{portal}/{quiet.pk}/console"
        for page in ("", "/viewer", "/options"):
            html = browser.get(f"{url}{page}").content.decode()
            assert REASON in html, page
            assert "Run once with VNC" in html, page
        for protocol in CONSOLES:
            for address, told in ((f"{url}/{protocol}/pass", 409), (f"{url}/viewer/{protocol}", 302)):
                answer = browser.post(address)
                assert answer.status_code == told, address
                said = answer.json()["message"] if told == 409 else browser.get(answer["Location"]).content.decode()
                assert REASON in said, address
        assert browser.post(f"{url}/ticket").status_code == 409
        assert REASON in browser.post(f"{url}/ticket").json()["message"]
        shot = browser.post(f"{portal}/{quiet.pk}/screenshot", headers={"HX-Request": "true"})
        assert (shot.status_code, REASON in shot.content.decode()) == (409, True)


def test_no_program_gets_one(quiet: VM, admin: User) -> None:
    api = Caller(admin)
    base = f"/vms/{quiet.pk}"
    assert api.post(f"{base}/ticket").status == 409
    assert api.post(f"{base}/screenshot").status == 409
    for console in CONSOLES.values():
        for way in ("ticket", "proxyticket"):
            answer = api.post(f"{base}/graphicsconsoles/{console}/{way}")
            assert (answer.status, REASON in answer.fault[1]) == (409, True), way
        assert api.post(f"{base}/graphicsconsoles/{console}/remoteviewerconnectionfile").status == 204
        refused = api.get(f"{base}/graphicsconsoles/{console}", Accept="application/x-virt-viewer")
        assert refused.status == 409


def test_no_action_makes_an_exception(quiet: VM, admin: User) -> None:
    for act in (
        lambda: tickets.issue(quiet, by=admin),
        lambda: passes.give(quiet, ConsoleKind.VNC, by=admin),
        lambda: passes.enter(quiet, ConsoleKind.SPICE, by=admin),
        lambda: viewing.choose(quiet, Options(), everywhere=False, by=admin),
    ):
        with pytest.raises(Refusal, match="NO_GRAPHICAL_CONSOLE"):
            act()


def test_a_pass_from_before_it_became_headless_opens_nothing(
    site: Site, headless_vm: VM, host: Host, admin: User
) -> None:
    quiet = up(headless_vm, host, by=admin)
    mark = passes.mark_of(site.browser(admin).cookies["sessionid"].value)
    for kind in ConsoleKind.VNC, ConsoleKind.SPICE:
        told = f"told-{kind}"
        digest = ConsolePass.digest_of(told)
        until = timezone.now() + timedelta(seconds=20)
        ConsolePass.objects.create(digest=digest, user=admin, vm=quiet, kind=kind, session=mark, expires_at=until)

        async def flow(kind: str = kind, told: str = told) -> None:
            async with site.console(admin, quiet, told, kind) as line:
                assert await reason_of(line) == "NO_GRAPHICAL_CONSOLE"

        asyncio.run(flow())
    assert site.screens.behind == []
    assert not ConsoleSession.objects.exists()
    assert not AuditEvent.objects.filter(code="VM_CONSOLE_CONNECTED").exists()
