"""Templates in WebAdmin: listed, shown, made, changed, removed; made of a machine, and machines made of them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.factories import headless, machine, person
from tests.web.browser import controls, ticked
from tests.web.kinds import cell_of, html_of, opened, text_of
from vms.actions import create, edit
from vms.domain.changes import Changes
from vms.models import VM, Cluster, DataCenter, Host, Template, User
from vms.models.machines import BLANK

pytestmark = pytest.mark.django_db


@pytest.fixture
def template(admin: User, host: Host) -> Template:
    """A template with a screen."""
    return create.template("golden", cluster=host.cluster, by=admin)


@pytest.fixture
def page(template: Template) -> str:
    """Its address."""
    return f"/templates/{template.pk}/"


def make(web: Client, vm: VM, *boxes: str, **chosen: Any) -> Any:
    path = f"/vms/{vm.pk}/template"
    return web.post(path, ticked(opened(web, path), *boxes, **chosen))


def test_versions_are_told_apart_in_the_list(web: Client, template: Template, admin: User) -> None:
    second = create.template("", base=template, version_name="autumn", by=admin)
    assert cell_of(web, "/templates/", template, "Version") == "(1)"
    assert cell_of(web, "/templates/", second, "Version") == "autumn (2)"


def test_a_long_list_goes_on_between_two_versions(
    web: Client, template: Template, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vms.web.listing.PAGE", 2)
    create.template("", base=template, by=admin)
    (following,) = re.findall(r'href="([^"]+)" rel="next"', html_of(web.get("/templates/")))
    html = html_of(web.get(following.replace("&amp;", "&")))
    assert html.count("<tr ") == 2
    assert ">(2)<" in html


@pytest.mark.parametrize("after", ["\x00", "a:b:c", "golden:²", "golden:-1", "golden:" + "9" * 400, ":", "é"])
def test_a_page_that_nobody_asked_for_is_a_page(after: str, web: Client, template: Template) -> None:
    assert web.get("/templates/", {"after": after}).status_code == 200


def test_a_version_keeps_the_name_of_its_template(web: Client, template: Template, admin: User) -> None:
    version = create.template("", base=template, by=admin)
    page = f"/templates/{version.pk}/edit"
    assert "name" in controls(html_of(web.get(page)), page).disabled
    assert "A sub-version has the name of its template." in html_of(web.get(page))
    web.post(page, ticked(opened(web, page), name="other", description="mine"))
    version.refresh_from_db()
    assert (version.name, version.description) == ("golden", "mine")


def test_blank_cannot_be_removed_and_keeps_its_name(web: Client) -> None:
    assert "Blank is built in and stays as it is." in html_of(web.get(f"/templates/{BLANK}/remove"))
    assert "Blank is built in" in html_of(web.post(f"/templates/{BLANK}/remove", follow=True))
    assert Template.objects.filter(pk=BLANK).exists()


def test_a_template_that_is_used_stays_and_says_by_whom(
    web: Client, template: Template, page: str, admin: User, host: Host
) -> None:
    create.vm("child", cluster=host.cluster, template=template, by=admin)
    assert "golden is still in use by: child." in html_of(web.post(page + "remove", follow=True))
    assert Template.objects.filter(pk=template.pk).exists()


def test_the_machines_made_of_it_are_listed(
    web: Client, template: Template, page: str, admin: User, host: Host
) -> None:
    machine("stranger", by=admin)
    create.vm("child", cluster=host.cluster, template=template, by=admin)
    text = text_of(web, page + "vms")
    assert "child Down" in text
    assert "stranger" not in text


def test_new_vm_begins_with_the_template(web: Client, template: Template, admin: User) -> None:
    edit.edit(template, Changes(console=headless, machine={"memory": 256}), by=admin)
    assert f'href="/vms/new?template={template.pk}"' in html_of(web.get(f"/templates/{template.pk}/"))
    data = opened(web, f"/vms/new?template={template.pk}", "/vms/new")
    assert (data["template"], data["memory"], data["headless"]) == (str(template.pk), "256", "on")
    web.post("/vms/new", ticked(data, "accept_lockout", name="child"))
    child = VM.objects.get(name="child")
    assert (child.template, child.console.headless) == (template, True)


@pytest.mark.parametrize("value", ["", "x", "\x00", "00000000-0000-0000-0000-00000000000f", "1" * 5000])
def test_a_template_that_is_not_there_counts_as_not_named(value: str, web: Client, host: Host) -> None:
    html = html_of(web.get("/vms/new", {"template": value, "instance_type": value, "cluster": value}))
    assert controls(html, "/vms/new").data["template"] == str(BLANK)


# -- made of a machine


def test_headless_and_the_serial_console_are_carried_over_and_told(web: Client, headless_vm: VM, admin: User) -> None:
    edit.edit(headless_vm, Changes(console=lambda console, _offer: console_with_serial(console)), by=admin)
    text = text_of(web, f"/vms/{headless_vm.pk}/template")
    assert "its console is carried over" in text
    assert "Graphics protocol None headless Video Type None Serial Console Enabled" in text
    answer = make(web, headless_vm, name="made", description="of db")
    made = Template.objects.get(name="made")
    assert answer["Location"] == f"/templates/{made.pk}/"
    assert (made.console.headless, made.console.serial, made.description) == (True, True, "of db")


def console_with_serial(console: Any) -> Any:
    from dataclasses import replace

    return replace(console, serial=True)


def test_a_sub_version_has_the_name_of_its_template(web: Client, vm: VM, template: Template) -> None:
    make(web, vm, base=str(template.pk), version_name="next")
    made = Template.objects.get(base=template)
    assert (made.name, made.version_number, made.version_name) == ("golden", 2, "next")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "A template of its own has to have a name."),
        ({"name": "a b"}, "A name begins with a letter or digit"),
        ({"name": "golden"}, "This name is in use already."),
        ({"name": "x", "base": str(BLANK)}, "Select a valid choice."),
        ({"name": "x", "version_name": "v" * 41}, "Ensure this value has at most 40 characters"),
        ({"name": "\x00"}, "Null characters are not allowed."),
    ],
)
def test_what_cannot_be_made_says_why_and_makes_nothing(
    chosen: dict[str, str], said: str, web: Client, vm: VM, template: Template
) -> None:
    before = Template.objects.count()
    answer = make(web, vm, **chosen)
    assert answer.status_code == 422
    assert said in html_of(answer)
    assert Template.objects.count() == before


def test_a_machine_that_one_may_not_see_is_no_source(vm: VM, client: Client, db: None) -> None:
    elsewhere = Cluster.objects.create(name="other", data_center=DataCenter.objects.get())
    client.force_login(person("dave", role="SuperUser", cluster=elsewhere))
    assert client.get(f"/vms/{vm.pk}/template").status_code == 404
    assert client.post(f"/vms/{vm.pk}/template", {"name": "stolen"}).status_code == 404
    assert not Template.objects.filter(name="stolen").exists()


@pytest.mark.parametrize("number", [2, 20])
def test_the_list_costs_the_same_for_few_and_for_many(
    number: int, web: Client, admin: User, host: Host, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for at in range(number):
        create.template(f"t{at}", cluster=host.cluster, by=admin)
    with django_assert_max_num_queries(6):
        assert html_of(web.get("/templates/")).count("<tr ") == number + 2


# -- versions made on the template's own page


def test_the_next_version_begins_as_the_one_before_and_has_its_name(
    web: Client, template: Template, page: str, admin: User
) -> None:
    quiet = create.template("", base=template, changes=Changes(console=headless), by=admin)
    for one in (page, f"/templates/{quiet.pk}/"):
        assert f"/templates/new?base={template.pk}" in html_of(web.get(one))
    path = f"/templates/new?base={template.pk}"
    form = controls(html_of(web.get(path)), "/templates/new").data
    assert (form["base"], form.get("headless"), "name" in form) == (str(template.pk), "on", False)
    web.post("/templates/new", form | {"version_name": "third", "accept_lockout": "on"})
    made = Template.objects.get(base=template, version_number=3)
    assert (made.name, made.version_name, made.cluster, made.console.headless) == (
        *("golden", "third", template.cluster),
        True,
    )


def test_blank_has_no_versions_and_a_stranger_makes_none(web: Client, page: str, template: Template) -> None:
    assert "do-new-version" not in html_of(web.get(f"/templates/{BLANK}/"))
    web.force_login(person("eric", role="ReadOnlyAdmin"))
    assert 'aria-describedby="why-new-version"' in html_of(web.get(page))
    answer = web.post("/templates/new", {"base": str(template.pk), "version_name": "mine"})
    assert answer.status_code == 422
    assert Template.objects.filter(base=template).count() == 0
