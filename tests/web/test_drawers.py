"""What lies beside every page: notifications that are read and put away, tasks with how far they are."""

import re

import pytest
from django.test import Client

from tests.factories import person
from tests.web.kinds import html_of, text_of
from vms.actions import many, notices, power
from vms.actions._audit import record
from vms.actions._authorise import ENGINE
from vms.models import VM, AuditEvent, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def warned(vm: VM, code: str = "VM_DOWN_ERROR", severity: str = "error") -> AuditEvent:
    return record(ENGINE, code, vm, severity=severity, ended="crashed")


def counts(web: Client) -> str:
    return " ".join(re.findall(r'aria-label="((?:Tasks|Notifications)[^"]*)"', html_of(web.get("/badges"))))


def test_the_bell_counts_warnings_that_nobody_has_read(web: Client, vm: VM) -> None:
    assert counts(web) == "Tasks Notifications"
    first, second = warned(vm), warned(vm)
    assert counts(web) == "Tasks Notifications, 2 unread"
    web.post("/notifications/", {"read": str(first.pk)})
    assert counts(web) == "Tasks Notifications, 1 unread"
    web.post("/notifications/", {"dismiss": str(second.pk)})
    assert counts(web) == "Tasks Notifications"


def test_the_bell_is_drawn_anew_only_when_it_counts_otherwise(web: Client, vm: VM) -> None:
    assert web.get("/badges?seen=0-0").status_code == 204
    warned(vm)
    assert web.get("/badges?seen=0-0").status_code == 200


def test_what_is_put_away_stays_away_and_what_comes_later_is_told(web: Client, vm: VM) -> None:
    one = warned(vm)
    text = text_of(web, "/notifications/")
    assert "Error: web is down with an error" in text
    assert "web was created by admin." in text
    web.post("/notifications/", {"clear": str(one.pk)})
    assert "web was created by admin." not in text_of(web, "/notifications/")
    warned(vm)
    assert "Error: web is down with an error" in text_of(web, "/notifications/")


def test_a_notification_leads_to_its_machine_while_that_is_there(web: Client, vm: VM) -> None:
    warned(vm)
    link = f'href="/vms/{vm.pk}/">web is down with an error'
    assert link in html_of(web.get("/notifications/"))
    VM.objects.filter(pk=vm.pk).delete()
    assert link not in html_of(web.get("/notifications/"))


def test_nobody_is_notified_of_what_he_may_not_see(client: Client, vm: VM, headless_vm: VM) -> None:
    dora = person("dora", role="UserRole", vm=vm)
    warned(vm)
    warned(headless_vm)
    client.force_login(dora)
    text = text_of(client, "/notifications/")
    assert "web is down" in text
    assert "db is down" not in text
    assert counts(client) == "Tasks Notifications, 1 unread"
    assert f'href="/portal/vms/{vm.pk}/"' in html_of(client.get("/notifications/"))


def test_the_latest_that_were_put_away_one_by_one_are_remembered(
    admin: User, vm: VM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "MOST", 3)
    for number in (9, 4, 7, 5):
        notices.dismiss(number, by=admin)
    assert notices.Shelf.of(User.objects.get(pk=admin.pk)) == notices.Shelf(0, 4, frozenset({5, 7, 9}))


@pytest.mark.parametrize("value", ["", "x", "-1", "9" * 30, "\x00", "\uff11"])
def test_putting_away_nonsense_does_nothing(value: str, web: Client, vm: VM) -> None:
    warned(vm)
    for name in ("dismiss", "clear", "read"):
        assert web.post("/notifications/", {name: value}).status_code == 302
    assert counts(web) == "Tasks Notifications, 1 unread"


def test_tasks_tell_how_far_they_are(web: Client, vm: VM, headless_vm: VM, admin: User) -> None:
    many.ask("start", VM.objects.all(), by=admin)
    assert counts(web).startswith("Tasks, 1 at work ")
    html = html_of(web.get("/tasks/recent"))
    assert '<progress max="2" value="0" aria-label="Progress of Run: 2"></progress> 0/2' in html
    assert 'hx-trigger="changed, every 2s"' in html
    assert "Nothing was asked for yet." in text_of(web, "/tasks/recent")


def test_a_task_is_called_off_where_it_is_seen(web: Client, vm: VM, admin: User) -> None:
    job = power.start(vm, by=admin)
    html = html_of(web.get("/tasks/recent"))
    assert f'hx-post="/tasks/{job.pk}/cancel"' in html
    assert 'aria-label="Cancel: Run: web"' in html
    assert web.post(f"/tasks/{job.pk}/cancel").status_code == 302
    assert "/cancel" not in html_of(web.get("/tasks/recent"))
    web.force_login(person("uma", role="UserVmManager", vm=vm))
    power.start(vm, by=admin)
    assert "/cancel" not in html_of(web.get("/tasks/recent"))


def test_both_open_from_every_page_and_are_pages_without_a_script(web: Client, client: Client, vm: VM) -> None:
    for path in ("/", "/vms/", f"/vms/{vm.pk}/", "/account/", "/portal/"):
        html = html_of(web.get(path))
        for there in ("/notifications/", "/tasks/recent"):
            assert f'data-drawer href="{there}"' in html, path
    for there in ("/notifications/", "/tasks/recent"):
        assert "<!doctype html>" in html_of(web.get(there))
        assert "<!doctype html>" not in html_of(web.get(there, headers={"HX-Request": "true"}))
