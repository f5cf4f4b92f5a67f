"""Pools in WebAdmin: how many machines they have, what becomes of them, and what an edit does to those there are."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.actions.runs import up
from tests.factories import headless, person
from tests.web.browser import controls, ticked
from tests.web.kinds import cell_of, html_of, opened, text_of
from vms.actions import create, edit, pools
from vms.domain.changes import Changes
from vms.models import VM, Host, Pool, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def pool(admin: User, host: Host) -> Pool:
    """Two machines with a screen."""
    return create.pool("desks", cluster=host.cluster, size=2, by=admin)


@pytest.fixture
def page(pool: Pool) -> str:
    """Its address."""
    return f"/pools/{pool.pk}/"


def save(web: Client, page: str, *boxes: str, **chosen: Any) -> Any:
    return web.post(page + "edit", ticked(opened(web, page + "edit"), *boxes, **chosen))


def shows_no_screen(pool: Pool) -> list[bool]:
    return [vm.console.headless for vm in pool.vms.order_by("name")]


def test_the_list_counts_machines_and_those_that_run(web: Client, pool: Pool, host: Host, admin: User) -> None:
    up(pool.vms.order_by("name")[0], host, by=admin)
    told = [cell_of(web, "/pools/", pool, label) for label in ("Assigned VMs", "Running VMs", "Type")]
    assert told == ["2", "1", "Automatic"]


def test_its_machines_are_listed_with_what_can_be_done(web: Client, pool: Pool, page: str, vm: VM) -> None:
    html, text = html_of(web.get(page + "vms")), text_of(web, page + "vms")
    assert "desks-1 Down" in text
    assert "desks-2 Down" in text
    assert str(vm.pk) not in html
    assert all(f"/vms/{member.pk}/actions/start" in html for member in pool.vms.all())


def test_a_new_pool_is_made_headless_with_all_its_machines(web: Client, host: Host) -> None:
    chosen = {"name": "farm", "size": "3", "pool_type": "manual", "max_user_vms": "2"}
    web.post("/pools/new", ticked(opened(web, "/pools/new"), "headless", "serial", "stateful", **chosen))
    made = Pool.objects.get(name="farm")
    assert (made.pool_type, made.stateful, made.max_user_vms) == ("manual", True, 2)
    assert shows_no_screen(made) == [True, True, True]


def test_an_edit_reaches_machines_to_come(web: Client, pool: Pool, page: str) -> None:
    save(web, page, "headless", "serial", size="3")
    assert shows_no_screen(pool) == [False, False, True]


def test_an_edit_reaches_the_machines_that_are_there_when_asked(web: Client, pool: Pool, page: str) -> None:
    save(web, page, "headless", "serial", "apply_to_existing")
    assert shows_no_screen(pool) == [True, True]


def test_a_pool_grows_and_does_not_shrink(web: Client, pool: Pool, page: str) -> None:
    save(web, page, size="4")
    answer = save(web, page, size="1")
    assert answer.status_code == 422
    assert "Pool desks has 4 virtual machines and cannot shrink" in html_of(answer)
    assert pool.size == 4


def test_what_was_chosen_for_good_is_greyed_out_with_the_reason(web: Client, pool: Pool, page: str) -> None:
    html = html_of(web.get(page + "edit"))
    assert {"pool_type", "stateful"} <= controls(html, "edit").disabled
    assert "The type of pool desks was chosen when it was made and stays." in html
    save(web, page, "stateful", pool_type="manual")
    pool.refresh_from_db()
    assert (pool.pool_type, pool.stateful) == ("automatic", False)


@pytest.mark.parametrize("size", ["0", "-1", "1001", "many", ""])
def test_a_size_that_cannot_be_is_an_error_of_the_size(size: str, web: Client, host: Host) -> None:
    answer = web.post("/pools/new", ticked(opened(web, "/pools/new"), name="farm", size=size))
    assert answer.status_code == 422
    assert 'id="id_size_error"' in html_of(answer)
    assert not Pool.objects.exists()


def test_a_machine_of_a_pool_is_changed_and_removed_there(web: Client, pool: Pool) -> None:
    member = pool.vms.order_by("name")[0]
    html = html_of(web.get(f"/vms/{member.pk}/edit"))
    assert "The virtual machine belongs to pool desks; change it there." in html
    assert "belongs to pool desks" in html_of(web.get(f"/vms/{member.pk}/remove"))


def test_a_pool_that_runs_stays(web: Client, pool: Pool, page: str, host: Host, admin: User) -> None:
    up(pool.vms.order_by("name")[0], host, by=admin)
    assert "“Remove” is not possible" in html_of(web.post(page + "remove", follow=True))
    assert pool.size == 2


def test_a_taken_machine_stays_with_its_pool(web: Client, pool: Pool, page: str, admin: User) -> None:
    taken = pools.take(pool, by=admin, start=False)
    assert taken.name in text_of(web, page + "vms")


@pytest.mark.parametrize("number", [1, 12])
def test_the_lists_cost_the_same_for_few_and_for_many(
    number: int, web: Client, admin: User, host: Host, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    made = [create.pool(f"p{at}", cluster=host.cluster, by=admin) for at in range(number)]
    pools.grow(made[0], number, by=admin)
    with django_assert_max_num_queries(6):
        assert html_of(web.get("/pools/")).count("<tr ") == number + 1
    edit.edit(made[0], Changes(console=headless), by=admin)
    with django_assert_max_num_queries(10):
        assert html_of(web.get(f"/pools/{made[0].pk}/vms")).count("<tr ") == number + 2


def test_a_machine_that_somebody_holds_is_given_back_for_him(web: Client, pool: Pool, admin: User) -> None:
    dora = person("dora", role="UserRole", pool=pool)
    vm = pools.take(pool, by=dora, start=False)
    free = pool.vms.exclude(pk=vm.pk).get()
    assert "do-give-back" not in html_of(web.get(f"/vms/{free.pk}/")), "nobody holds it"
    path = f"/vms/{vm.pk}/give-back"
    assert path in html_of(web.get(f"/vms/{vm.pk}/"))
    assert "goes back to pool desks" in text_of(web, path)
    assert web.post(path)["Location"] == "/vms/"
    assert not pools.holders(vm).exists()
