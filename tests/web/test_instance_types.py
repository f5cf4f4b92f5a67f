"""Instance types in WebAdmin: sizes with a console, made headless, handed down, and never a reason to lose a screen."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.factories import headless
from tests.web.browser import ticked
from tests.web.kinds import html_of, opened, text_of
from vms.actions import create
from vms.domain.changes import Changes
from vms.models import VM, Host, InstanceType, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def size(admin: User, host: Host) -> InstanceType:
    """Small, and without a screen."""
    return create.instance_type("tiny", changes=Changes(machine={"memory": 256}, console=headless), by=admin)


@pytest.fixture
def page(size: InstanceType) -> str:
    """Its address."""
    return f"/instance-types/{size.pk}/"


def test_new_vm_has_its_size_and_its_console(web: Client, size: InstanceType, page: str) -> None:
    assert f'href="/vms/new?instance_type={size.pk}"' in html_of(web.get(page))
    data = opened(web, f"/vms/new?instance_type={size.pk}", "/vms/new")
    assert (data["instance_type"], data["memory"], data["headless"]) == (str(size.pk), "256", "on")
    web.post("/vms/new", ticked(data, "accept_lockout", name="child"))
    child = VM.objects.get(name="child")
    assert (child.instance_type, child.memory, child.console.headless) == (size, 256, True)


def test_an_edit_never_changes_the_console_of_what_was_made(
    web: Client, size: InstanceType, page: str, admin: User, host: Host
) -> None:
    child = create.vm("child", cluster=host.cluster, instance_type=size, by=admin)
    web.post(page + "edit", ticked(opened(web, page + "edit"), headless=None, memory="512"))
    size.refresh_from_db()
    assert (size.console.headless, size.memory) == (False, 512)
    child.refresh_from_db()
    assert (child.console.headless, child.memory) == (True, 512)


def test_what_was_made_of_it_is_listed_and_outlives_it(
    web: Client, size: InstanceType, page: str, admin: User, host: Host
) -> None:
    create.vm("child", cluster=host.cluster, instance_type=size, by=admin)
    assert "child Down" in text_of(web, page + "vms")
    web.post(page + "remove")
    assert VM.objects.get(name="child").instance_type is None


@pytest.mark.parametrize("number", [1, 20])
def test_the_list_costs_the_same_for_few_and_for_many(
    number: int, web: Client, admin: User, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    there = InstanceType.objects.count()
    for at in range(number):
        create.instance_type(f"i{at}", by=admin)
    with django_assert_max_num_queries(6):
        assert html_of(web.get("/instance-types/")).count("<tr ") == there + number + 1
