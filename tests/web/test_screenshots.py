"""Pictures of screens: taken when somebody asks, shown while the run goes on, and never of a headless machine."""

from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import down, up
from tests.api.caller import Caller
from tests.consoles.engine import Consoles, engine
from vms.domain.errors import Refusal
from vms.domain.picture import PNG
from vms.models import VM, AuditEvent, Host, Screenshot, User

__all__ = ["engine"]

pytestmark = [pytest.mark.django_db, pytest.mark.sql]

PORTALS = ("/vms", "/portal/vms")


@pytest.fixture
def api(admin: User) -> Caller:
    return Caller(admin)


@pytest.fixture
def shown(vm: VM, host: Host, admin: User) -> VM:
    return up(vm, host, by=admin)


def test_a_picture_is_taken_by_a_post_and_shown_until_the_run_ends(
    web: Client, shown: VM, host: Host, admin: User, engine: Consoles
) -> None:
    for portal in PORTALS:
        url = f"{portal}/{shown.pk}/"
        assert web.get(f"{url}screenshot").status_code == 404
        assert web.post(f"{url}screenshot").status_code == 302
        html = web.get(url).content.decode()
        assert f'<img src="{url}screenshot?' in html
        picture = web.get(f"{url}screenshot")
        assert (picture["Content-Type"], picture.content[:8]) == ("image/png", PNG)
        assert "no-store" in picture["Cache-Control"]
        down(shown, host)
        assert not Screenshot.objects.exists()
        assert web.get(f"{url}screenshot").status_code == 404
        assert f'<img src="{url}screenshot?' not in web.get(url).content.decode()
        up(shown, host, by=admin)
    assert AuditEvent.objects.filter(code="VM_SCREENSHOT", entity_id=shown.pk, actor=admin).count() == 2


def test_looking_at_pages_takes_none(web: Client, shown: VM, engine: Consoles) -> None:
    for page in ("", "console", "console/viewer", "devices"):
        web.get(f"/vms/{shown.pk}/{page}")
    assert engine.shots == []


def test_a_headless_machine_and_one_that_is_off_have_none(
    web: Client, api: Caller, headless_vm: VM, vm: VM, host: Host, admin: User, engine: Consoles
) -> None:
    quiet = up(headless_vm, host, by=admin)
    for row, told in ((quiet, "is headless: there is no screen"), (vm, "Screenshot")):
        answer = api.post(f"/vms/{row.pk}/screenshot")
        assert answer.status == 409, row
        assert told in answer.fault[1]
        for portal in PORTALS:
            answer_: Any = web.post(f"{portal}/{row.pk}/screenshot", headers={"HX-Request": "true"})
            assert answer_.status_code == 409
            assert told in answer_.content.decode()
    assert "Take a screenshot" not in web.get(f"/vms/{quiet.pk}/").content.decode(), "nothing to press in vain"
    assert 'aria-describedby="why-screenshot"' in web.get(f"/vms/{vm.pk}/").content.decode()
    assert engine.shots == []


def test_rest_answers_with_the_picture_whatever_a_client_takes(api: Caller, shown: VM, engine: Consoles) -> None:
    for accept in ("application/xml", "application/json", "image/png", "*/*"):
        answer = api.post(f"/vms/{shown.pk}/screenshot", Accept=accept)
        assert (answer.status, answer.response["Content-Type"]) == (200, "image/png"), accept
        assert answer.response.content.startswith(PNG)
    assert len(engine.shots) == 4
    assert "/screenshot" in api.get(f"/vms/{shown.pk}").text, "named among the actions"


def test_what_the_engine_refuses_is_told_and_nothing_is_kept(
    api: Caller, web: Client, shown: VM, engine: Consoles
) -> None:
    engine.refusal = Refusal("HYPERVISOR_REFUSED", None, message="no such display")
    assert api.post(f"/vms/{shown.pk}/screenshot").status == 409
    answer = web.post(f"/vms/{shown.pk}/screenshot", headers={"HX-Request": "true"})
    assert "no such display" in answer.content.decode()
    assert not Screenshot.objects.exists()


def test_who_may_not_open_consoles_sees_and_takes_none(
    client: Client, web: Client, shown: VM, carol: User, engine: Consoles
) -> None:
    web.post(f"/vms/{shown.pk}/screenshot")
    client.force_login(carol)
    url = f"/portal/vms/{shown.pk}/screenshot"
    assert (client.get(url).status_code, client.post(url).status_code) == (404, 404)
