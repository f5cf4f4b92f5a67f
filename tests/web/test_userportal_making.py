"""UserPortal's new machines: made by those who may, or taken from a pool and given back."""

from collections.abc import Callable

import pytest
from django.test import Client

from tests.actions.runs import started
from tests.factories import headless, person
from tests.web.browser import controls, ticked
from tests.web.portal import HTMX, button, dora, fields, granted, mine, of, pool, text
from vms.actions import create, edit, pools
from vms.domain.changes import Changes
from vms.models import VM, Cluster, DataCenter, Host, Job, Permission, Pool, Template, User

__all__ = ["dora", "mine", "of", "pool"]

pytestmark = pytest.mark.django_db


# -- making


@pytest.fixture
def maker(host: Host, cluster: Cluster) -> User:
    """May make machines in the cluster, without an administrative role."""
    return person("mia", role="VmCreator", cluster=cluster)


def test_who_may_make_none_is_told_so(carol: User, of: Callable[[User], Client]) -> None:
    browser = of(carol)
    why = "Your roles do not allow you to create virtual machines here."
    assert button(browser, "/portal/", "new") == (False, why)
    assert why in browser.get("/portal/vms/new").content.decode()
    answer = browser.post("/portal/vms/new", {"name": "mine"})
    assert answer.status_code == 422
    assert not VM.objects.exists()


def test_a_headless_machine_with_a_serial_console_is_made(maker: User, of: Callable[[User], Client]) -> None:
    browser, path = of(maker), "/portal/vms/new"
    assert button(browser, "/portal/", "new") == (True, "")
    made = browser.post(path, ticked(fields(browser, path), "headless", "serial", name="mine"))
    vm = VM.objects.get(name="mine")
    assert made["Location"] == f"/portal/vms/{vm.pk}/"
    assert (vm.console.headless, vm.console.serial) == (True, True)
    assert Permission.objects.get(vm=vm).user == maker


def test_a_template_hands_down_that_it_is_headless(maker: User, admin: User, of: Callable[[User], Client]) -> None:
    quiet = create.template("quiet", changes=Changes(console=headless), by=admin)
    granted(maker, "UserRole", template=quiet)
    browser, path = of(maker), "/portal/vms/new"
    chosen = {**fields(browser, path), "template": str(quiet.pk)}
    html = browser.post(path + "/preview", chosen, headers=HTMX).content.decode()
    browser.post(path, ticked(controls(html, path).data, "accept_lockout", name="mine"))
    assert VM.objects.get(name="mine").console.headless


def test_a_template_that_one_may_not_see_is_not_offered(maker: User, admin: User, of: Callable[[User], Client]) -> None:
    secret = create.template("unseen", changes=Changes(console=headless), by=admin)
    browser, path = of(maker), "/portal/vms/new"
    assert "unseen" not in text(browser, path)
    answer = browser.post(path, ticked(fields(browser, path), name="mine", template=str(secret.pk)))
    assert answer.status_code == 422
    assert not VM.objects.exists()


def test_a_template_is_made_of_a_machine_where_the_roles_allow(
    alice: User, vm: VM, mine: str, of: Callable[[User], Client]
) -> None:
    granted(alice, "TemplateCreator", data_center=DataCenter.objects.get())
    edit.edit(vm, Changes(console=headless), by=alice)
    browser, path = of(alice), mine + "template"
    assert button(browser, mine, "make-template") == (True, "")
    assert browser.post(path, ticked(fields(browser, path), "accept_lockout", name="copy"))["Location"] == mine
    assert Template.objects.get(name="copy").console.headless


def test_no_template_is_made_without_the_right(alice: User, mine: str, of: Callable[[User], Client]) -> None:
    browser, path = of(alice), mine + "template"
    answer = browser.post(path, ticked(fields(browser, path), name="copy"))
    assert answer.status_code == 422
    assert "Your roles do not allow you to create templates here." in answer.content.decode()
    assert not Template.objects.filter(name="copy").exists()


# -- pools


def test_a_pool_says_what_there_is_to_take(dora: User, pool: Pool, of: Callable[[User], Client]) -> None:
    told = text(of(dora), "/portal/")
    assert "desk Allocated VMs 0 of 1 Available VMs 2 Graphics None headless Take a Virtual Machine" in told
    assert "desk-1" not in told


def test_a_machine_is_taken_and_starts(dora: User, pool: Pool, host: Host, of: Callable[[User], Client]) -> None:
    browser = of(dora)
    answer = browser.post(f"/portal/pools/{pool.pk}/take", follow=True)
    assert "You have desk-1 from pool desk now" in answer.content.decode()
    told = text(browser, "/portal/")
    assert "desk-1 Wait For Launch pool desk Graphics None headless" in told
    assert "Allocated VMs 1 of 1 Available VMs 1" in told
    assert Job.objects.get().machine_name == "desk-1"


def test_nobody_takes_more_than_one_may_have(dora: User, pool: Pool, of: Callable[[User], Client]) -> None:
    browser, take = of(dora), f"/portal/pools/{pool.pk}/take"
    browser.post(take)
    free, why = button(browser, "/portal/", f"take-{pool.pk.hex}")
    assert not free
    assert "as many virtual machines of pool desk as one person may (1)" in why
    answer = browser.post(take, headers=HTMX)
    assert answer.status_code == 409
    assert "give one back first" in answer.content.decode()
    assert pool.vms.taken().count() == 1


def test_an_empty_pool_says_so(dora: User, pool: Pool, admin: User, of: Callable[[User], Client]) -> None:
    for name in ("eve", "finn"):
        pools.take(pool, by=person(name, role="UserRole", pool=pool))
    browser = of(dora)
    assert button(browser, "/portal/", f"take-{pool.pk.hex}") == (
        False,
        "Pool desk has no virtual machine left to take.",
    )
    assert browser.post(f"/portal/pools/{pool.pk}/take", headers=HTMX).status_code == 409


def test_a_machine_that_was_taken_goes_back(dora: User, pool: Pool, host: Host, of: Callable[[User], Client]) -> None:
    browser = of(dora)
    vm = started(pools.take(pool, by=dora), host)
    path = f"/portal/vms/{vm.pk}/"
    assert button(browser, "/portal/", f"give-back-{vm.pk.hex}") == (True, "")
    assert button(browser, path, "give-back") == (True, "")
    assert "powered off" in text(browser, path + "give-back")
    answer = browser.post(path + "give-back", follow=True)
    assert answer.redirect_chain == [("/portal/", 302)]
    assert "desk-1 went back to pool desk." in answer.content.decode()
    assert browser.get(path).status_code == 404
    assert not pool.vms.taken().exists()


def test_the_shape_of_a_machine_that_was_taken_is_the_pools(
    dora: User, pool: Pool, of: Callable[[User], Client]
) -> None:
    vm = pools.take(pool, by=dora)
    assert not button(of(dora), f"/portal/vms/{vm.pk}/", "edit")[0]
    assert not button(of(dora), f"/portal/vms/{vm.pk}/", "remove")[0]


def test_a_machine_of_no_pool_cannot_go_back(alice: User, mine: str, of: Callable[[User], Client]) -> None:
    browser = of(alice)
    assert "web belongs to no pool." in text(browser, mine + "give-back")
    assert browser.post(mine + "give-back", headers=HTMX).status_code in {409, 422}
    assert "do-give-back" not in browser.get(mine).content.decode()
