"""Who gets in: strangers log in, people without an administrative role are told why not, and rows stay hidden."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from tests.factories import machine, person
from vms.models import VM, Cluster, DataCenter, User
from vms.routes import Access, access_of, routes

pytestmark = pytest.mark.django_db

PAGES = ("", "devices", "console", "console/serial", "console/viewer", "events", "edit", "run-once", "remove")
POSTS = (
    *("edit", "edit/preview", "run-once", "remove", "actions/start", "actions/stop"),
    *("console/vnc/pass", "console/serial/pass", "console/viewer/vnc", "console/ticket"),
)
HTMX = {"HX-Request": "true"}


def test_every_address_says_who_may_call_it() -> None:
    assert [path for path, view in routes() if access_of(view) is None] == []


def test_everything_about_machines_takes_an_administrator() -> None:
    found = {path: access_of(view) for path, view in routes() if path.startswith("vms/")}
    assert len(found) > 10
    assert set(found.values()) == {Access.ADMINISTRATOR}


def test_every_address_has_a_name() -> None:
    patterns: list[Any] = get_resolver("vms.web.urls").url_patterns
    assert [str(pattern.pattern) for pattern in patterns if not getattr(pattern, "name", "included")] == []


@pytest.mark.parametrize("path", ["/", "/vms/", "/vms/new", "/vms/rows"])
def test_a_stranger_is_sent_to_the_log_in(path: str, client: Client) -> None:
    assert client.get(path)["Location"] == f"/accounts/login/?next={path}"


def test_a_session_that_ends_under_an_open_page_leads_to_the_log_in(client: Client) -> None:
    answer = client.get("/vms/rows", headers={**HTMX, "HX-Current-URL": "http://testserver/vms/?after=a"}, follow=True)
    assert answer["HX-Redirect"] == "/accounts/login/?next=%2Fvms%2F%3Fafter%3Da"


@pytest.mark.parametrize("name", ["alice", "carol"])
def test_who_has_no_administrative_role_is_told_so(name: str, request: pytest.FixtureRequest, client: Client) -> None:
    client.force_login(request.getfixturevalue(name))
    answer = client.get("/vms/")
    assert answer.status_code == 403
    assert "UserPortal" in answer.content.decode()


def test_a_right_that_is_lost_under_an_open_page_loads_it_anew(carol: User, client: Client) -> None:
    client.force_login(carol)
    assert client.get("/vms/rows", headers=HTMX)["HX-Refresh"] == "true"


@pytest.fixture
def elsewhere(db: None) -> User:
    """An administrator of another cluster, who may not see `vm`."""
    cluster = Cluster.objects.create(name="other", data_center=DataCenter.objects.get())
    return person("dave", role="SuperUser", cluster=cluster)


@pytest.mark.parametrize("page", PAGES)
def test_a_machine_that_one_may_not_see_is_not_there(page: str, url: str, elsewhere: User, client: Client) -> None:
    client.force_login(elsewhere)
    assert client.get(url + page).status_code == 404


@pytest.mark.parametrize("page", POSTS)
def test_nothing_can_be_done_to_a_machine_that_one_may_not_see(
    page: str, url: str, vm: VM, elsewhere: User, client: Client
) -> None:
    client.force_login(elsewhere)
    assert client.post(url + page).status_code == 404
    assert VM.objects.get(pk=vm.pk).status == "down"


def test_the_list_holds_what_one_may_see(vm: VM, elsewhere: User, client: Client) -> None:
    client.force_login(elsewhere)
    assert "No virtual machines yet" in client.get("/vms/").content.decode()


def test_a_machine_that_was_removed_under_an_open_page_loads_it_anew(web: Client, url: str, vm: VM) -> None:
    vm.delete()
    assert web.get(url, headers=HTMX)["HX-Refresh"] == "true"


def test_a_form_from_elsewhere_does_nothing_and_says_so(admin: User, url: str, vm: VM) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(admin)
    answer = browser.post(url + "actions/start")
    assert answer.status_code == 403
    assert "Please try again" in answer.content.decode()
    assert browser.post(url + "actions/start", headers=HTMX)["HX-Refresh"] == "true"
    assert VM.objects.get(pk=vm.pk).status == "down"


def test_a_get_does_nothing(web: Client, url: str, vm: VM) -> None:
    for page in ("actions/start", "actions/stop", "edit/preview"):
        assert web.get(url + page).status_code == 405
    assert VM.objects.get(pk=vm.pk).status == "down"


def test_logging_in_leads_to_the_dashboard(admin: User, client: Client) -> None:
    answer = client.post("/accounts/login/", {"username": "admin", "password": "admin-password"}, follow=True)
    assert answer.redirect_chain == [("/", 302)]


def test_a_wrong_password_is_told_in_one_sentence(admin: User, client: Client) -> None:
    answer = client.post("/accounts/login/", {"username": "admin", "password": "wrong"})
    assert "Please enter a correct username and password" in answer.content.decode()


def test_logging_out_ends_the_session(web: Client) -> None:
    assert web.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert web.get("/vms/").status_code == 302


# -- nothing on a page may run or style what did not come as a file of ours

TEMPLATES = sorted(Path(settings.BASE_DIR / "templates").rglob("*.html"))


def test_every_page_has_the_strict_policy(web: Client, url: str) -> None:
    for path in ("/vms/", url, "/nowhere", "/accounts/login/"):
        policy = web.get(path)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "style-src 'self'" in policy


def test_no_template_brings_a_script_or_style_of_its_own() -> None:
    assert [path.name for path in TEMPLATES if brings_its_own(path.read_text())] == []


def brings_its_own(text: str) -> bool:
    scripts = text.count("<script src=") + text.count('<script type="module" src=')
    return text.count("<script") > scripts or any(
        own in text for own in ("style=", "<style", " onclick", "javascript:")
    )


def test_no_template_is_too_long_to_read() -> None:
    assert [path.name for path in TEMPLATES if len(path.read_text().splitlines()) > 120] == []


def test_a_name_that_is_markup_in_disguise_is_shown_as_text(web: Client, vm: VM, admin: User) -> None:
    machine("x-y", by=admin)
    VM.objects.filter(name="x-y").update(description="<img src=x onerror=alert(1)>", comment="</dd><script>")
    hostile = VM.objects.get(name="x-y")
    for path in ("/vms/", f"/vms/{hostile.pk}/", f"/vms/{hostile.pk}/edit"):
        html = web.get(path).content.decode()
        assert "<img src=x" not in html
        assert "</dd><script>" not in html
