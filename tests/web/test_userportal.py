"""UserPortal's door: who gets where, whose machines are there, whatever is sent, and what it costs."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.actions.runs import fresh, up
from tests.factories import headless, machine
from tests.web.portal import granted, mine, of, pool, text, text_of
from vms.actions import create, edit, pools
from vms.domain.changes import Changes
from vms.models import VM, Host, Job, Pool, User
from vms.routes import Access, access_of, routes

__all__ = ["mine", "of", "pool"]

pytestmark = pytest.mark.django_db

PAGES = (
    "",
    "devices",
    "console",
    "console/serial",
    "console/viewer",
    *("nics", "disks", "disks/new", "disks/attach", "snapshots", "snapshots/new"),
    "edit",
    "run-once",
    "remove",
    "clone",
    "template",
    "give-back",
)
POSTS = (
    *("edit", "edit/preview", "run-once", "remove", "clone", "template", "give-back"),
    *("actions/start", "actions/stop", "actions/shutdown", "disks/new", "disks/attach"),
    *("snapshots/new", "snapshots/commit", "snapshots/undo"),
    *("console/vnc/pass", "console/serial/pass", "console/viewer/vnc", "console/ticket"),
)


# -- who gets where


def test_every_address_is_everybodys() -> None:
    found = {path: access_of(view) for path, view in routes() if path.startswith("portal/")}
    assert len(found) > 10
    assert set(found.values()) == {Access.USER}


@pytest.mark.parametrize(("name", "door"), [("admin", "/"), ("alice", "/portal/"), ("carol", "/portal/")])
def test_logging_in_leads_to_ones_own_door(
    name: str, door: str, request: pytest.FixtureRequest, client: Client
) -> None:
    request.getfixturevalue(name)
    answer = client.post("/accounts/login/", {"username": name, "password": f"{name}-password"}, follow=True)
    assert answer.redirect_chain == [(door, 302)]
    assert client.get("/", follow=True).request["PATH_INFO"] == door


def test_a_stranger_is_sent_to_the_log_in(client: Client, mine: str) -> None:
    for path in ("/portal/", mine, mine + "edit"):
        assert client.get(path)["Location"] == f"/accounts/login/?next={path}"


def test_an_administrator_has_both_doors(web: Client) -> None:
    for path in ("/vms/", "/portal/"):
        html = web.get(path).content.decode()
        assert 'href="/vms/"' in html
        assert 'href="/portal/"' in html


def test_nobody_else_is_shown_webadmin(alice: User, of: Callable[[User], Client]) -> None:
    assert 'href="/vms/' not in of(alice).get("/portal/").content.decode()


def test_webadmin_refuses_with_the_way_to_userportal(alice: User, of: Callable[[User], Client]) -> None:
    answer = of(alice).get("/vms/")
    assert (answer.status_code, 'href="/portal/"' in answer.content.decode()) == (403, True)


def test_no_page_leads_to_the_other_door(
    alice: User, vm: VM, host: Host, mine: str, of: Callable[[User], Client]
) -> None:
    up(vm, host, by=alice)
    edit.edit(fresh(vm), Changes(console=headless), by=alice)
    for path in ("/portal/", "/portal/vms/new", *(mine + page for page in PAGES if page != "give-back")):
        html = of(alice).get(path).content.decode()
        assert re.findall(r'="(/(?:vms|templates|pools|instance-types)[^"]*)"', html) == [], path


# -- whose machines


def test_the_list_holds_ones_own(alice: User, vm: VM, headless_vm: VM, of: Callable[[User], Client]) -> None:
    told = text(of(alice), "/portal/")
    assert "web Down" in told
    assert headless_vm.name not in told.split()


def test_carol_sees_nothing(carol: User, vm: VM, pool: Pool, of: Callable[[User], Client]) -> None:
    told = text(of(carol), "/portal/")
    assert "No virtual machines yet" in told
    assert not {"web", "desk"} & set(told.split())


@pytest.mark.parametrize("page", PAGES)
def test_a_strangers_machine_is_like_one_that_never_was(
    page: str, carol: User, vm: VM, mine: str, of: Callable[[User], Client]
) -> None:
    browser = of(carol)
    there, never = browser.get(mine + page), browser.get(f"/portal/vms/{uuid4()}/{page}")
    assert (there.status_code, never.status_code) == (404, 404)
    assert text_of(there.content.decode()) == text_of(never.content.decode())


@pytest.mark.parametrize("page", POSTS)
def test_nothing_can_be_done_to_a_strangers_machine(
    page: str, carol: User, vm: VM, mine: str, of: Callable[[User], Client]
) -> None:
    before = VM.objects.values().get(pk=vm.pk)
    assert of(carol).post(mine + page, {"name": "x", "headless": "on"}).status_code == 404
    assert VM.objects.values().get(pk=vm.pk) == before
    assert not Job.objects.exists()


def test_a_strangers_pool_is_not_there(carol: User, pool: Pool, of: Callable[[User], Client]) -> None:
    assert of(carol).post(f"/portal/pools/{pool.pk}/take").status_code == 404


def test_a_get_does_nothing(alice: User, mine: str, of: Callable[[User], Client]) -> None:
    assert of(alice).get(mine + "actions/start").status_code == 405


# -- whatever is sent


@pytest.mark.parametrize("value", ["", "\0", "%", "'; DROP", "<b>", "ü" * 300, "9" * 5000, "\ud7ff"])
def test_no_search_breaks_the_list(value: str, alice: User, vm: VM, of: Callable[[User], Client]) -> None:
    browser = of(alice)
    for key in ("name", "after", "seen"):
        answer = browser.get("/portal/", {key: value})
        assert answer.status_code == 200
        assert "<b>" not in answer.content.decode()


def test_a_verb_that_nobody_knows_is_not_there(alice: User, mine: str, of: Callable[[User], Client]) -> None:
    for verb in ("edit", "undefine", "run_once", "x"):
        assert of(alice).post(f"{mine}actions/{verb}").status_code == 404


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"a=%ff%fe", b"headless=on&headless=off"])
def test_a_body_that_is_no_form_breaks_nothing(
    body: bytes, alice: User, mine: str, of: Callable[[User], Client]
) -> None:
    for path in ("edit", "edit/preview", "run-once", "template", "clone"):
        answer = of(alice).post(mine + path, body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code in {200, 302, 422}


def test_a_form_from_elsewhere_does_nothing(alice: User, mine: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert browser.post(mine + "actions/start").status_code == 403
    assert not Job.objects.exists()


def test_markup_in_texts_is_shown_as_text(alice: User, vm: VM, mine: str, of: Callable[[User], Client]) -> None:
    VM.objects.filter(pk=vm.pk).update(description="<img src=x onerror=alert(1)>")
    for path in ("/portal/", mine, mine + "edit"):
        assert "<img src=x" not in of(alice).get(path).content.decode()


# -- what it costs


def test_more_machines_and_pools_cost_no_more_questions(
    alice: User, admin: User, pool: Pool, host: Host, of: Callable[[User], Client], django_assert_max_num_queries: Any
) -> None:
    granted(alice, "UserRole", pool=pool)
    for number in range(12):
        granted(alice, "UserVmManager", vm=machine(f"m{number}", by=admin))
        granted(alice, "UserRole", pool=create.pool(f"p{number}", cluster=pool.cluster, by=admin))
    pools.take(pool, by=alice)
    browser = of(alice)
    with django_assert_max_num_queries(14):
        browser.get("/portal/")


def test_a_page_of_a_machine_has_its_price(
    alice: User, mine: str, of: Callable[[User], Client], django_assert_max_num_queries: Any
) -> None:
    browser = of(alice)
    with django_assert_max_num_queries(12):
        browser.get(mine)
