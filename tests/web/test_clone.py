"""Clone: a machine like another, headless or not, under a name of its own."""

from typing import Any

import pytest
from django.test import Client

from tests.factories import person
from tests.web.browser import ticked
from tests.web.kinds import HTMX, html_of, opened, text_of
from vms.models import VM, Cluster, DataCenter, Host

pytestmark = pytest.mark.django_db


def clone(web: Client, vm: VM, **chosen: Any) -> Any:
    path = f"/vms/{vm.pk}/clone"
    return web.post(path, ticked(opened(web, path), **chosen))


def test_the_console_goes_with_it_and_is_told(web: Client, headless_vm: VM) -> None:
    assert "Graphics protocol None headless Video Type None" in text_of(web, f"/vms/{headless_vm.pk}/clone")
    assert clone(web, headless_vm, name="twin").status_code == 422
    answer = clone(web, headless_vm, name="twin", description="like db", accept_lockout="on")
    twin = VM.objects.get(name="twin")
    assert answer["Location"] == f"/vms/{twin.pk}/"
    assert (twin.console, twin.description) == (headless_vm.console, "like db")


def test_it_is_offered_on_the_page_as_a_dialog(web: Client, vm: VM) -> None:
    assert f'id="do-clone" href="/vms/{vm.pk}/clone" data-opens' in html_of(web.get(f"/vms/{vm.pk}/"))
    fragment = html_of(web.get(f"/vms/{vm.pk}/clone", headers=HTMX))
    assert "<html" not in fragment
    assert 'id="dialog-title"' in fragment


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "This field is required."),
        ("web", "This name is in use already."),
        ("a b", "A name begins with a letter or digit"),
        ("<script>", "A name begins with a letter or digit"),
        ("\x00", "Null characters are not allowed."),
        ("x" * 5000, "Ensure this value has at most 64 characters"),
    ],
)
def test_what_cannot_be_a_name_says_why_and_makes_nothing(name: str, said: str, web: Client, vm: VM) -> None:
    answer = clone(web, vm, name=name)
    assert answer.status_code == 422
    assert said in html_of(answer)
    assert 'id="id_name_error"' in html_of(answer)
    assert VM.objects.count() == 1


def test_what_one_may_not_see_cannot_be_cloned(vm: VM, host: Host, client: Client) -> None:
    other = Cluster.objects.create(name="other", data_center=DataCenter.objects.create(name="other"))
    client.force_login(person("dave", role="SuperUser", cluster=other))
    assert client.get(f"/vms/{vm.pk}/clone").status_code == 404
    assert client.post(f"/vms/{vm.pk}/clone", {"name": "stolen"}).status_code == 404
    assert VM.objects.count() == 1
