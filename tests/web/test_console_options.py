"""Console Options: what somebody chooses opens the screens of his machines, and is nobody else's affair."""

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.consoles.engine import Consoles, engine
from tests.factories import machine
from tests.web.browser import controls
from vms.actions import viewing
from vms.domain.console import SPICE_AND_VNC, Console, Offer, Video
from vms.models import VM, AuditEvent, ConsoleChoice, Host, Permission, Role, User

__all__ = ["engine"]

pytestmark = pytest.mark.django_db


def both(console: Console, _offer: Offer) -> Console:
    return console.with_display(SPICE_AND_VNC, Video.QXL)


@pytest.fixture
def shown(admin: User, host: Host) -> VM:
    """Runs with VNC and SPICE."""
    return up(machine("both", by=admin, console=both), host, by=admin)


@pytest.fixture(params=["/vms/", "/portal/vms/"])
def place(request: pytest.FixtureRequest, shown: VM) -> str:
    """The address of its console, in WebAdmin and in the UserPortal."""
    return f"{request.param}{shown.pk}/console"


def chosen(web: Client, place: str, **more: str) -> dict[str, str]:
    """What a browser posts of the dialog after a choice."""
    data = controls(web.get(f"{place}/options").content.decode(), "/options").data
    return {**data, **more}


def test_what_is_chosen_opens_the_console_and_fills_the_viewers_file(
    web: Client, place: str, shown: VM, engine: Consoles
) -> None:
    assert 'data-state="active"' in web.get(place).content.decode(), "the browser, where nobody has chosen"
    data = chosen(web, place, opener="spice", full_screen="on")
    del data["map_keys"]
    assert web.post(f"{place}/options", data).status_code == 302
    html = web.get(place).content.decode()
    assert 'data-state="viewer"' in html
    assert f'formaction="{place}/viewer/spice"' in html
    assert 'data-state="active"' in web.get(f"{place}?here").content.decode(), "once in the browser all the same"
    file = web.post(f"{place}/viewer/spice").content.decode()
    for line in ("type=spice", "fullscreen=1", "secure-attention=ctrl+alt+del"):
        assert line in file.splitlines()
    data = chosen(web, place, opener="browser")
    web.post(f"{place}/options", data)
    html = web.get(place).content.decode()
    assert 'data-state="active"' in html
    assert " data-full" in html
    assert " data-map-keys" not in html


def test_one_choice_is_for_a_machine_or_for_all_and_for_one_person(
    web: Client, shown: VM, vm: VM, host: Host, admin: User, alice: User
) -> None:
    up(vm, host, by=admin)
    Permission.objects.create(user=alice, role=Role.objects.get(name="UserVmManager"), vm=shown)
    url = f"/vms/{shown.pk}/console"
    web.post(f"{url}/options", chosen(web, url, opener="vnc"))
    assert viewing.options_of(shown, admin).opener == "vnc"
    assert viewing.options_of(vm, admin).opener is None
    web.post(f"{url}/options", chosen(web, url, opener="spice", everywhere="on"))
    assert [viewing.options_of(each, admin).opener for each in (shown, vm)] == ["spice", "spice"]
    assert 'data-state="active"' in web.get(f"/vms/{vm.pk}/console").content.decode(), "it shows no SPICE"
    assert viewing.options_of(shown, alice).opener is None
    assert ConsoleChoice.objects.count() == 1
    assert not AuditEvent.objects.filter(actor=admin, code__contains="OPTION").exists()


def test_an_option_that_the_machine_has_nothing_for_is_greyed_out_with_its_reason(
    web: Client, place: str, vm: VM
) -> None:
    html = web.get(f"{place}/options").content.decode()
    assert controls(html, "/options").disabled == {"share_usb", "use_proxy", "smartcard", "slow_line"}
    for reason in ("USB is not enabled", "No SPICE proxy is set", "Smartcards are not enabled", "Windows only"):
        assert reason in html
    html = web.get(f"/vms/{vm.pk}/console/options").content.decode()
    assert "SPICE is not available for this virtual machine" in html


def test_nonsense_is_refused_at_its_field_and_nothing_is_kept(web: Client, place: str, vm: VM) -> None:
    for where, opener in ((place, "rdp"), (place, ""), (f"/vms/{vm.pk}/console", "spice")):
        answer = web.post(f"{where}/options", {"opener": opener})
        assert answer.status_code == 422, opener
        assert answer.context["form"].errors["opener"], opener
    assert not ConsoleChoice.objects.exists()


def test_a_headless_machine_has_nothing_to_choose_and_says_the_way_out(
    web: Client, headless_vm: VM, host: Host, admin: User
) -> None:
    for row in (headless_vm, up(headless_vm, host, by=admin)):
        for portal in ("/vms", "/portal/vms"):
            url = f"{portal}/{row.pk}/console"
            assert 'aria-describedby="why-console-options"' in web.get(url).content.decode()
            html = web.get(f"{url}/options").content.decode()
            for word in ("it has no graphical console", "Run once with VNC", "Leave headless mode"):
                assert word in html, word
            answer = web.post(f"{url}/options", {"opener": "browser"})
            assert answer.status_code == 422
            assert "it has no graphical console" in answer.content.decode()
    assert not ConsoleChoice.objects.exists()


def test_who_may_not_open_consoles_chooses_nothing(client: Client, vm: VM, carol: User) -> None:
    client.force_login(carol)
    assert client.post(f"/portal/vms/{vm.pk}/console/options", {"opener": "browser"}).status_code == 404
