"""Graphics consoles of the three kinds that have them, and the ways into a running one."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.actions.runs import choosing, down, up
from tests.api.caller import SPICE_ID, VNC_ID, Caller
from tests.consoles.engine import Consoles, engine
from tests.factories import person
from vms.actions import create
from vms.domain.console import HEADLESS, SPICE_AND_VNC, VNC, Protocol, Video
from vms.domain.runonce import ConsoleChoice
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.models import VM, ConsolePass, Host, Job, User

__all__ = ["engine"]

pytestmark = pytest.mark.django_db

KINDS = {"vms": "vm", "templates": "template", "instancetypes": "instance_type"}
CONSOLE = "graphics_console"


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def row(kind: str, vm: VM, admin: User) -> Any:
    """A machine of the kind, with a VNC console."""
    if kind == "templates":
        return create.template("golden", vm=vm, by=admin)
    return vm if kind == "vms" else create.instance_type("sized", by=admin)


@pytest.fixture
def path(kind: str, row: Any) -> str:
    return f"/{kind}/{row.pk}/graphicsconsoles"


def console_of(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk).console


def test_a_console_is_told_with_its_machine_and_protocol_in_hexadecimal(
    api: Caller, path: str, kind: str, row: Any
) -> None:
    (told,) = api.get(path).all(CONSOLE)
    assert (told["id"], told["protocol"]) == (VNC_ID, "vnc")
    assert told[KINDS[kind]]["id"] == str(row.pk)
    assert ("actions" in told) == (kind == "vms")
    assert api.get(told["href"]).at("protocol") == "vnc"


def test_removing_the_last_console_makes_it_headless(api: Caller, path: str, row: Any) -> None:
    answer = api.delete(f"{path}/{VNC_ID}")
    assert (answer.status, answer.at("status")) == (200, "complete")
    assert console_of(row).graphics == HEADLESS
    assert api.get(path).all(CONSOLE) == []
    assert api.get(path.removesuffix("/graphicsconsoles")).at("display") is None


def test_adding_the_first_console_ends_headless(api: Caller, path: str, row: Any) -> None:
    api.delete(f"{path}/{VNC_ID}")
    answer = api.post(path, CONSOLE, {"protocol": "vnc"})
    assert (answer.status, answer.at("id"), answer.at("protocol")) == (201, VNC_ID, "vnc")
    assert answer.response["Location"] == answer.at("href")
    assert (console_of(row).graphics, console_of(row).video) == (VNC, Video.VGA)


def test_a_headless_machine_that_gets_spice_gets_a_card_that_fits(api: Caller, path: str, row: Any) -> None:
    api.delete(f"{path}/{VNC_ID}")
    assert api.post(path, CONSOLE, {"protocol": "spice"}).at("id") == SPICE_ID
    assert console_of(row).video == Video.QXL


def test_the_other_console_stays(api: Caller, path: str, row: Any) -> None:
    api.post(path, CONSOLE, {"protocol": "spice"})
    assert console_of(row).graphics == SPICE_AND_VNC
    api.delete(f"{path}/{SPICE_ID}")
    assert console_of(row).graphics == VNC


def test_a_second_console_of_one_protocol_is_refused(api: Caller, path: str, row: Any) -> None:
    answer = api.post(path, CONSOLE, {"protocol": "vnc"})
    assert (answer.status, answer.fault) == (
        400,
        ("Operation Failed", "[Graphics Protocol: There is a VNC console already.]"),
    )
    assert console_of(row).graphics == VNC


@pytest.mark.parametrize("console", [SPICE_ID, "766E64", "vnc", "00", "%00"])
def test_a_console_that_is_not_there_is_not_found(api: Caller, path: str, row: Any, console: str) -> None:
    assert api.get(f"{path}/{console}").status == 404
    assert api.delete(f"{path}/{console}").status == 404
    assert console_of(row).graphics == VNC


@pytest.mark.parametrize(
    ("body", "reason"),
    [({}, "Operation Failed"), ({"protocol": "rdp"}, "Invalid Enum value"), ({"protocol": {}}, "Operation Failed")],
)
def test_a_console_needs_a_protocol_that_there_is(api: Caller, path: str, body: Any, reason: str) -> None:
    answer = api.post(path, CONSOLE, body)
    assert (answer.status, answer.fault[0]) == (400, reason)


# -- those of a run


@pytest.fixture
def consoles(vm: VM) -> str:
    return f"/vms/{vm.pk}/graphicsconsoles"


def test_current_consoles_are_those_of_the_run(api: Caller, vm: VM, host: Host, admin: User, consoles: str) -> None:
    assert api.get(f"{consoles}?current").all(CONSOLE) == []
    up(vm, host, by=admin)
    (told,) = api.get(f"{consoles};current=true").all(CONSOLE)
    assert (told["address"], told["port"]) == ("127.0.0.1", "5900")
    (configured,) = api.get(consoles).all(CONSOLE)
    assert "port" not in configured
    assert api.get(f"{consoles}/{VNC_ID}?current=true").at("port") == "5900"
    down(vm, host)
    assert api.get(f"{consoles}?current=1").all(CONSOLE) == []


def test_a_machine_that_runs_headless_has_no_current_console(
    api: Caller, vm: VM, host: Host, admin: User, consoles: str
) -> None:
    up(vm, host, by=admin, overlay=choosing(ConsoleChoice.HEADLESS))
    assert api.get(f"{consoles}?current").all(CONSOLE) == []
    assert len(api.get(consoles).all(CONSOLE)) == 1


def test_the_list_of_machines_carries_current_consoles_when_they_are_wanted(
    api: Caller, vm: VM, host: Host, admin: User
) -> None:
    up(vm, host, by=admin)
    (told,) = api.get("/vms?detail=current_graphics_consoles").all("vm")
    console = told["graphics_consoles"][CONSOLE]
    assert (console[0] if isinstance(console, list) else console)["port"] == "5900"


def test_removing_the_console_of_a_running_machine_leaves_its_session(
    api: Caller, vm: VM, host: Host, admin: User, consoles: str
) -> None:
    up(vm, host, by=admin)
    api.delete(f"{consoles}/{VNC_ID}")
    assert console_of(vm).headless
    assert len(api.get(f"{consoles}?current").all(CONSOLE)) == 1
    assert api.get(f"/vms/{vm.pk}").at("display/port") == "5900"


# -- the ways in


@pytest.fixture
def shown(vm: VM, host: Host, admin: User) -> VM:
    """The machine, up with its screen."""
    return up(vm, host, by=admin)


TICKETS = ("ticket", f"graphicsconsoles/{VNC_ID}/ticket", f"graphicsconsoles/{VNC_ID}/proxyticket")


def test_a_headless_machine_gives_no_ticket(
    api: Caller, headless_vm: VM, host: Host, admin: User, engine: Consoles
) -> None:
    up(headless_vm, host, by=admin)
    for way in TICKETS:
        answer = api.post(f"/vms/{headless_vm.pk}/{way}")
        assert (answer.status, answer.at("status")) == (409, "failed")
        assert "headless" in answer.fault[1]
    assert (engine.set, VM.objects.get(pk=headless_vm.pk).console_user) == ({}, None)


def test_a_machine_that_is_off_gives_no_ticket(api: Caller, vm: VM) -> None:
    for way in TICKETS:
        answer = api.post(f"/vms/{vm.pk}/{way}")
        assert (answer.status, answer.fault[1]) == (
            409,
            "[The virtual machine is not running; its graphical console opens when it is.]",
        )


def test_a_ticket_sets_the_given_password(api: Caller, shown: VM, engine: Consoles) -> None:
    answer = api.post(f"/vms/{shown.pk}/ticket", "action", {"ticket": {"value": "pass1234", "expiry": 120}})
    assert (answer.status, answer.at("status"), answer.at("ticket")) == (
        *(200, "complete"),
        {"value": "pass1234", "expiry": "120"},
    )
    assert answer.response["Cache-Control"] == "no-store"
    assert engine.set == {shown.pk: Ticket.of(Protocol.VNC, Secret("pass1234"), 120)}


def test_a_ticket_without_a_wish_is_made_up_and_good_for_two_hours(api: Caller, shown: VM, engine: Consoles) -> None:
    bodies: tuple[dict[str, Any], ...] = ({}, {"ticket": ""}, {"ticket": {"value": ""}}, {"ticket": {}})
    for body in bodies:
        answer = api.post(f"/vms/{shown.pk}/graphicsconsoles/{VNC_ID}/ticket", "action", body)
        assert (answer.status, answer.at("ticket/expiry")) == (200, "7200")
        assert engine.set.pop(shown.pk).password == Secret(answer.at("ticket/value"))


NO_TICKETS = (
    ({"value": "nine_char"}, "Password: The password of a VNC console has 1 to 8 characters"),
    ({"value": "naïve"}, "letters, digits and signs of ASCII"),
    ({"value": "a\nb"}, "1 to 8 characters"),
    ({"value": {"x": "y"}}, "ticket.value"),
    ({"expiry": "0"}, "Allowed: 1 … 2592000"),
    ({"expiry": "-1"}, "Allowed: 1 … 2592000"),
    ({"expiry": "99999999999"}, "Allowed: 1 … 2592000"),
    ({"expiry": "soon"}, "ticket.expiry"),
)


def test_a_ticket_that_no_console_takes_is_refused(api: Caller, shown: VM, engine: Consoles) -> None:
    for ticket, told in NO_TICKETS:
        answer = api.post(f"/vms/{shown.pk}/ticket", "action", {"ticket": ticket})
        assert (answer.status, engine.set) == (400, {})
        assert told in answer.fault[1]
        assert "nine_char" not in answer.text
    assert VM.objects.get(pk=shown.pk).console_user is None


def test_a_console_that_somebody_else_has_opened_is_taken_over_by_right_only(
    api: Caller, shown: VM, engine: Consoles
) -> None:
    alice, bob = (Caller(person(name, role="UserVmManager", vm=shown), api.language).post for name in ("alice", "bob"))
    for way in TICKETS:
        assert alice(f"/vms/{shown.pk}/ticket").status == 200
        answer = bob(f"/vms/{shown.pk}/{way}")
        assert (answer.status, answer.fault[1]) == (
            403,
            "[alice is connected to the console of web. Your roles do not allow you to take it over.]",
        )
        assert alice(f"/vms/{shown.pk}/{way}").status == 200
    for way in TICKETS:
        assert api.post(f"/vms/{shown.pk}/{way}").status == 200, "an administrator may"
    assert VM.objects.get(pk=shown.pk).console_user == api.user


def test_a_proxy_ticket_is_a_pass_that_only_its_digest_is_kept_of(api: Caller, shown: VM) -> None:
    answer = api.post(f"/vms/{shown.pk}/graphicsconsoles/{VNC_ID}/proxyticket")
    told = answer.at("proxy_ticket/value")
    (kept,) = ConsolePass.objects.all()
    assert (kept.digest, kept.user, kept.vm, kept.kind) == (ConsolePass.digest_of(told), api.user, shown, "vnc")
    assert told not in str(ConsolePass.objects.values())


def test_without_an_engine_nobody_gets_a_password_and_all_is_told(api: Caller, shown: VM) -> None:
    for way in (*TICKETS[:2], f"graphicsconsoles/{VNC_ID}/remoteviewerconnectionfile"):
        answer = api.post(f"/vms/{shown.pk}/{way}")
        assert (answer.status, answer.at("status")) == (503, "failed")
        assert "engine does not answer" in answer.fault[1]
    assert VM.objects.get(pk=shown.pk).console_user is None


def test_a_running_console_gives_the_viewers_file_with_a_password(
    api: Caller, shown: VM, engine: Consoles, consoles: str
) -> None:
    def asked() -> Iterator[str]:
        yield api.post(f"{consoles}/{VNC_ID}/remoteviewerconnectionfile").at("remote_viewer_connection_file")
        yield api.get(f"{consoles}/{VNC_ID}", Accept="application/x-virt-viewer").text

    for text in asked():
        assert text.startswith("[virt-viewer]\ntype=vnc\nhost=127.0.0.1\nport=5900\npassword=")
        set_ = engine.set.pop(shown.pk)
        assert (f"password={set_.password.reveal()}\n" in text, set_.seconds) == (True, 120)


@pytest.mark.parametrize("running", [False, True])
def test_without_a_console_the_file_is_no_content_and_its_download_a_conflict(
    api: Caller, headless_vm: VM, host: Host, admin: User, running: bool
) -> None:
    if running:
        up(headless_vm, host, by=admin)
    console = f"/vms/{headless_vm.pk}/graphicsconsoles/{VNC_ID}"
    answer = api.post(f"{console}/remoteviewerconnectionfile")
    assert (answer.status, answer.text) == (204, "")
    refused = api.get(console, Accept="application/x-virt-viewer")
    assert (refused.status, refused.root, refused.response["Content-Type"]) == (
        409,
        "fault",
        "application/xml; charset=UTF-8",
    )


def test_a_console_of_another_protocol_is_not_in_the_file(
    api: Caller, shown: VM, engine: Consoles, consoles: str
) -> None:
    assert api.post(f"{consoles}/{SPICE_ID}/remoteviewerconnectionfile").status == 204
    assert api.get(f"{consoles}/{SPICE_ID}", Accept="application/x-virt-viewer").status == 404
    assert api.post(f"{consoles}/{SPICE_ID}/ticket").status == 404
    assert engine.set == {}


def test_looking_at_consoles_asks_no_hypervisor(api: Caller, vm: VM, host: Host, admin: User, consoles: str) -> None:
    up(vm, host, by=admin)
    before = Job.objects.count()
    api.get(f"{consoles}?current")
    assert Job.objects.count() == before
