"""What all kinds of machine have in common in WebAdmin, once for each of them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.factories import headless, machine, person
from tests.web.browser import controls, ticked
from tests.web.hostile import filled, pour, shifted, survives
from tests.web.kinds import HTMX, cell_of, html_of, opened, text_of
from vms.actions import create, edit
from vms.domain.changes import Changes
from vms.domain.console import HEADLESS, VNC, Video
from vms.models import Cluster, DataCenter, Host, User

pytestmark = pytest.mark.django_db

MAKERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "vm": ("/vms/", lambda cluster, by: machine("first", by=by)),
    "template": ("/templates/", lambda cluster, by: create.template("first", cluster=cluster, by=by)),
    "pool": ("/pools/", lambda cluster, by: create.pool("first", cluster=cluster, size=2, by=by)),
    "instance_type": ("/instance-types/", lambda cluster, by: create.instance_type("first", by=by)),
}
OWN = ("pool_type", "stateful", "max_user_vms", "use_latest_version", "apply_to_existing", "size", "version_name")
# The whole list is tried on virtual machines, whose form this is.
NONSENSE = ("", "\x00", "-1", "NaN", "9" * 5000, "<script>", "ü" * 300)
TABS = ("", "devices", "events", "edit", "remove")


@pytest.fixture(params=sorted(MAKERS))
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of machine."""
    return str(request.param)


@pytest.fixture
def section(kind: str) -> str:
    """Where its list is."""
    return MAKERS[kind][0]


@pytest.fixture
def row(kind: str, admin: User, host: Host) -> Any:
    """One that is called `first` and has a screen: VNC and VGA."""
    return MAKERS[kind][1](host.cluster, admin)


@pytest.fixture
def page(section: str, row: Any) -> str:
    """The address of it."""
    return f"{section}{row.pk}/"


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


# -- the list


def test_the_sections_lead_to_every_list(web: Client, section: str) -> None:
    html = html_of(web.get("/vms/"))
    assert re.search(rf'<a class="pf-v6-c-nav__link[^"]*" href="{section}"', html)


def test_the_section_that_one_is_in_is_marked(web: Client, section: str, page: str) -> None:
    assert f'class="pf-v6-c-nav__link pf-m-current" href="{section}" aria-current="page"' in html_of(web.get(section))
    assert f'class="pf-v6-c-nav__link pf-m-current" href="{section}"' in html_of(web.get(page))
    assert html_of(web.get(page)).count("pf-v6-c-nav__link pf-m-current") == 1


def test_the_list_tells_what_is_shown(web: Client, section: str, row: Any) -> None:
    assert cell_of(web, section, row, "Graphics") == "VNC"
    assert cell_of(web, section, row, "Video") == "VGA"
    assert cell_of(web, section, row, "Memory") == "1024 MiB"


def test_none_is_told_with_the_reason(web: Client, section: str, row: Any, admin: User) -> None:
    edit.edit(row, Changes(console=headless), by=admin)
    assert cell_of(web, section, row, "Graphics") == "None headless"
    assert cell_of(web, section, row, "Video") == "None"


def test_the_list_keeps_itself_true(web: Client, section: str, row: Any, admin: User) -> None:
    found = re.search(r"seen=([0-9a-f.]+)", html_of(web.get(section)))
    assert found
    path = f"{section}rows?seen={found.group(1)}"
    assert web.get(path, headers=HTMX).status_code == 204
    edit.edit(row, Changes(console=headless), by=admin)
    changed = html_of(web.get(path, headers=HTMX))
    assert '<tr hx-swap-oob="morph" ' in changed
    assert "None" in changed


# -- one of them


@pytest.mark.parametrize("tab", ["", "devices", "events"])
def test_each_page_shows_itself(tab: str, web: Client, page: str) -> None:
    text = text_of(web, page + tab)
    assert "first" in text
    assert {"": "Graphics protocol VNC", "devices": "Graphics vnc", "events": "created by admin"}[tab] in text


def test_headless_is_told_on_each_page(web: Client, page: str, row: Any, admin: User) -> None:
    edit.edit(row, Changes(console=headless), by=admin)
    assert "Graphics protocol None headless Video Type None Serial Console Disabled" in text_of(web, page)
    assert "No video or graphics device is configured (headless)." in text_of(web, page + "devices")


def test_an_open_page_looks_anew_only_when_something_changed(web: Client, page: str, row: Any, admin: User) -> None:
    found = re.search(r"seen=([0-9a-f]+)", html_of(web.get(page)))
    assert found
    assert web.get(f"{page}?seen={found.group(1)}", headers=HTMX).status_code == 204
    edit.edit(row, Changes(console=headless), by=admin)
    assert web.get(f"{page}?seen={found.group(1)}", headers=HTMX).status_code == 200


# -- the dialog


def test_headless_by_the_box_and_back(web: Client, page: str, row: Any) -> None:
    path = page + "edit"
    answer = web.post(path, ticked(opened(web, path), "headless", "accept_lockout"))
    assert (answer.status_code, answer["Location"]) == (302, page)
    assert (fresh(row).console.graphics, fresh(row).console.video) == (HEADLESS, None)
    web.post(path, ticked(opened(web, path), headless=None))
    assert (fresh(row).console.graphics, fresh(row).console.video) == (VNC, Video.VGA)


def test_the_box_greys_out_what_is_graphical_and_leaves_serial(web: Client, page: str) -> None:
    drawn = controls(
        html_of(web.post(page + "edit/preview", ticked(opened(web, page + "edit"), "headless", "accept_lockout")))
    )
    assert {"protocol", "video_type", "monitors", "sound"} <= drawn.disabled
    assert "serial" not in drawn.disabled


def test_the_title_says_what_is_edited(web: Client, page: str) -> None:
    assert "Edit first" in text_of(web, page + "edit")


def test_a_new_one_is_made_headless_with_a_serial_console(web: Client, kind: str, section: str, row: Any) -> None:
    data = ticked(opened(web, f"{section}new"), "headless", "serial", name="second")
    answer = web.post(f"{section}new", data)
    made = type(row).objects.get(name="second")
    assert answer["Location"] == reverse(f"{kind}_detail", args=[made.pk])
    assert (made.console.headless, made.console.serial) == (True, True)


def test_a_name_that_is_taken_keeps_the_dialog_open(web: Client, section: str, row: Any) -> None:
    answer = web.post(f"{section}new", ticked(opened(web, f"{section}new"), name="first"))
    assert answer.status_code == 422
    assert 'id="id_name_error"' in html_of(answer)
    assert type(row).objects.filter(name="first").count() == 1


def test_what_is_refused_saves_nothing(web: Client, page: str, row: Any) -> None:
    answer = web.post(page + "edit", ticked(opened(web, page + "edit"), "headless", "accept_lockout", memory="1"))
    assert answer.status_code == 422
    assert 'id="id_memory_error"' in html_of(answer)
    assert not fresh(row).console.headless


def test_a_form_from_before_somebody_else_saved_saves_nothing(web: Client, page: str, row: Any, admin: User) -> None:
    data = opened(web, page + "edit")
    edit.edit(row, Changes(machine={"memory": 2048}), by=admin)
    answer = web.post(page + "edit", ticked(data, "headless", "accept_lockout"))
    assert answer.status_code == 422
    assert "was changed by somebody else while you edited it" in html_of(answer)
    assert (fresh(row).memory, fresh(row).console.headless) == (2048, False)


def test_a_form_that_names_no_version_saves_nothing(web: Client, page: str, row: Any) -> None:
    data = ticked(opened(web, page + "edit"), "headless", "accept_lockout", version=None)
    assert web.post(page + "edit", data).status_code == 422
    assert not fresh(row).console.headless


def test_removing_asks_first_and_leads_to_the_list(web: Client, section: str, page: str, row: Any) -> None:
    assert "This cannot be undone." in html_of(web.get(page + "remove"))
    assert web.post(page + "remove")["Location"] == section
    assert not type(row).objects.filter(pk=row.pk).exists()


def test_what_is_protected_says_so_and_stays(web: Client, page: str, row: Any, admin: User) -> None:
    edit.edit(row, Changes(attributes={"delete_protected": True}), by=admin)
    assert "is protected against deletion" in html_of(web.get(page + "remove"))
    assert "is protected against deletion" in html_of(web.post(page + "remove", follow=True))
    assert type(row).objects.filter(pk=row.pk).exists()


# -- who may not


@pytest.mark.parametrize("tab", TABS)
def test_what_one_may_not_see_is_not_there(tab: str, page: str, row: Any, client: Client) -> None:
    other = Cluster.objects.create(name="other", data_center=DataCenter.objects.create(name="other"))
    client.force_login(person("dave", role="SuperUser", cluster=other))
    assert client.get(page + tab).status_code == 404


@pytest.mark.parametrize("tab", ["edit", "edit/preview", "remove"])
def test_nothing_can_be_done_to_what_one_may_not_see(tab: str, page: str, row: Any, client: Client) -> None:
    other = Cluster.objects.create(name="other", data_center=DataCenter.objects.create(name="other"))
    client.force_login(person("dave", role="SuperUser", cluster=other))
    assert client.post(page + tab, {"headless": "on", "version": "1"}).status_code == 404
    assert not fresh(row).console.headless


def test_who_has_no_administrative_role_gets_nowhere(section: str, carol: User, client: Client) -> None:
    client.force_login(carol)
    assert [client.get(section + page).status_code for page in ("", "new", "rows")] == [403, 403, 403]


# -- hostile


@pytest.mark.parametrize("path", ["edit", "new"])
def test_no_value_of_any_field_of_its_own_breaks_a_dialog(
    path: str, kind: str, web: Client, section: str, page: str
) -> None:
    path = f"{section}new" if path == "new" else f"{page}edit"
    data, fields = filled(web, path)
    for values in shifted(fields & set(OWN), NONSENSE):
        pour(web, path, data, values)


def test_nonsense_in_every_field_at_once_breaks_nothing(web: Client, section: str, page: str) -> None:
    for half, path in enumerate((f"{page}edit", f"{section}new")):
        _data, fields = filled(web, path)
        first, *others = shifted(fields, NONSENSE)
        assert survives(web.post(path, first))
        assert all(survives(web.post(f"{path}/preview", values)) for values in others[half::2])


def test_markup_in_a_description_is_shown_as_text(web: Client, section: str, page: str, row: Any) -> None:
    type(row).objects.filter(pk=row.pk).update(description="<img src=x onerror=alert(1)>")
    for path in (section, page, page + "edit"):
        assert "<img src=x" not in html_of(web.get(path))
