"""UserPortal: what somebody holds, what the roles on it allow, why not elsewhere, and no stranger's machines."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from tests.actions.runs import choosing, claimed, fresh, started, up
from tests.actions.test_disks import domain, hypervisor, work
from tests.factories import headless, machine, person
from tests.web.browser import controls, ticked
from vms.actions import create, edit, jobs, pools, power
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.runonce import ConsoleChoice
from vms.models import (
    VM,
    ActionGroup,
    Cluster,
    DataCenter,
    Host,
    Job,
    Permission,
    Pool,
    Role,
    SnapshotStatus,
    StorageDomain,
    Template,
    User,
)
from vms.routes import Access, access_of, routes
from vms.web import cards

__all__ = ["domain", "hypervisor", "work"]

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
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


@pytest.fixture
def of() -> Callable[[User], Client]:
    """Somebody's browser."""

    def browser(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return browser


@pytest.fixture
def mine(vm: VM) -> str:
    """The address of `vm` in UserPortal."""
    return f"/portal/vms/{vm.pk}/"


@pytest.fixture
def pool(admin: User, host: Host, cluster: Cluster) -> Pool:
    """Two headless machines to take."""
    return create.pool("desk", cluster=cluster, size=2, changes=Changes(console=headless), by=admin)


@pytest.fixture
def dora(pool: Pool) -> User:
    """May take machines of the pool."""
    return person("dora", role="UserRole", pool=pool)


def granted(user: User, role: str, **on: Any) -> None:
    """Another role; the password, and so the session, stays."""
    Permission.objects.create(user=user, role=Role.objects.get(name=role), **on)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def text(client: Client, path: str) -> str:
    return text_of(client.get(path).content.decode())


def button(client: Client, path: str, name: str) -> tuple[bool, str]:
    """Whether a button can be pressed, and why not."""
    html = client.get(path).content.decode()
    found = re.search(rf'<(?:button|a) [^>]*id="do-{name}"[^>]*>', html)
    assert found, name
    why = re.search(rf'id="why-{name}">([^<]*)<', html)
    return "aria-disabled" not in found.group(), why.group(1) if why else ""


def mark_of(html: str) -> str:
    found = re.search(r"seen=([0-9a-f]+)", html)
    assert found
    return found.group(1)


def fields(client: Client, path: str) -> dict[str, Any]:
    return controls(client.get(path).content.decode(), path).data


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


# -- what it says


def test_a_headless_machine_has_no_protocol_and_no_video(
    headless_vm: VM, alice: User, of: Callable[[User], Client]
) -> None:
    granted(alice, "UserVmManager", vm=headless_vm)
    browser, path = of(alice), f"/portal/vms/{headless_vm.pk}/"
    assert "db Down Graphics None headless Video None" in text(browser, "/portal/")
    assert "Graphics protocol None headless Video Type None" in text(browser, path)
    assert "No video or graphics device is configured (headless)." in text(browser, path + "devices")
    assert "This virtual machine is headless: it has no graphical console." in text(browser, path + "console")


def test_a_run_with_a_screen_is_told_beside_it(
    headless_vm: VM, host: Host, alice: User, admin: User, of: Callable[[User], Client]
) -> None:
    granted(alice, "UserVmManager", vm=headless_vm)
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    assert "run once Graphics None headless VNC (this run) Video None VGA (this run)" in text(of(alice), "/portal/")


def test_pending_changes_are_told(alice: User, vm: VM, host: Host, mine: str, of: Callable[[User], Client]) -> None:
    edit.edit(up(vm, host, by=alice), Changes(console=headless), by=alice)
    browser = of(alice)
    assert "pending : Headless Mode, Video Type, Graphics Protocol" in text(browser, "/portal/")
    assert "Graphics Protocol: VNC becomes None" in text(browser, mine)


def test_a_failure_is_told(alice: User, vm: VM, host: Host, of: Callable[[User], Client]) -> None:
    power.start(vm, by=alice)
    jobs.fail(claimed(host), Refusal("BOOT_FILE_MISSING", "kernel", file="vmlinuz"))
    assert "Run failed. The boot library has no file vmlinuz." in text(of(alice), "/portal/")


def test_a_change_shows_without_a_reload(alice: User, vm: VM, host: Host, of: Callable[[User], Client]) -> None:
    browser = of(alice)
    seen = mark_of(browser.get("/portal/").content.decode())
    assert browser.get(f"/portal/?seen={seen}", headers=HTMX).status_code == 204
    up(vm, host, by=alice)
    answer = browser.get(f"/portal/?seen={seen}", headers=HTMX)
    assert answer.content.decode().startswith('<div id="live"')
    assert "web Up" in text_of(answer.content.decode())


def test_what_was_searched_for_stays_so_while_the_page_keeps_itself_true(
    alice: User, vm: VM, of: Callable[[User], Client]
) -> None:
    html = of(alice).get("/portal/?name=we%26b").content.decode()
    assert re.search(r'hx-get="/portal/\?seen=[0-9a-f]+&amp;name=we%26b"', html)


def test_machines_are_found_by_a_part_of_their_name(
    alice: User, vm: VM, headless_vm: VM, of: Callable[[User], Client]
) -> None:
    granted(alice, "UserVmManager", vm=headless_vm)
    told = text(of(alice), "/portal/?name=EB")
    assert "web Down" in told
    assert "db Down" not in told


def test_many_machines_come_in_pages(
    admin: User, host: Host, monkeypatch: pytest.MonkeyPatch, of: Callable[[User], Client]
) -> None:
    monkeypatch.setattr(cards, "PAGE", 2)
    for number in range(5):
        machine(f"m{number}", by=admin)
    seen, path = [], "/portal/?name="
    while path:
        html = of(admin).get(path).content.decode()
        seen += re.findall(r">(m\d)</a>", html)
        more = re.search(r'href="(\?[^"]*)" rel="next"', html)
        path = "/portal/" + more.group(1).replace("&amp;", "&") if more else ""
    assert seen == [f"m{number}" for number in range(5)]


# -- what the roles allow


def test_an_owner_may_do_everything_with_it(alice: User, mine: str, of: Callable[[User], Client]) -> None:
    for name in ("start", "run-once", "edit", "remove"):
        assert button(of(alice), mine, name) == (True, "")


def test_a_user_runs_it_but_does_not_change_it(bob: User, mine: str, of: Callable[[User], Client]) -> None:
    browser = of(bob)
    assert button(browser, mine, "start") == (True, "")
    assert button(browser, mine, "run-once") == (True, "")
    assert button(browser, mine, "edit") == (False, "Your roles do not allow you to edit virtual machines here.")
    assert button(browser, mine, "remove") == (False, "Your roles do not allow you to remove virtual machines here.")
    assert button(browser, mine, "clone") == (False, "Your roles do not allow you to create virtual machines here.")
    assert button(browser, mine, "make-template") == (False, "Your roles do not allow you to create templates here.")


def test_the_form_of_what_one_may_not_change_says_so(
    bob: User, vm: VM, mine: str, of: Callable[[User], Client]
) -> None:
    browser = of(bob)
    html = browser.get(mine + "edit").content.decode()
    assert "Your roles do not allow you to edit virtual machines here." in html
    assert not re.search(r"<button[^>]*>(<[^>]*>)*Save<", html)
    answer = browser.post(mine + "edit", ticked(fields(browser, mine + "edit"), "headless", "accept_lockout"))
    assert answer.status_code in {403, 422}
    assert "Your roles do not allow you to edit virtual machines here." in answer.content.decode()
    assert not fresh(vm).console.headless


def test_a_verb_that_the_roles_do_not_allow_is_refused(vm: VM, mine: str, of: Callable[[User], Client]) -> None:
    role = Role.objects.create(name="Watcher")
    role.permits.create(action_group=ActionGroup.LOGIN)
    browser = of(person("walter", role="Watcher", vm=vm))
    told = "Your roles do not allow you to run virtual machines here."
    assert button(browser, mine, "start") == (False, told)
    assert button(browser, "/portal/", f"start-{vm.pk.hex}") == (False, told)
    assert button(browser, mine, "console") == (False, "Your roles do not allow you to open consoles here.")
    answer = browser.post(mine + "actions/start", headers=HTMX)
    assert (answer.status_code, told in answer.content.decode()) == (403, True)
    assert browser.post(mine + "run-once", {"console": "vnc"}).status_code == 422
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["alice", "bob"])
def test_it_runs_when_asked(
    name: str, request: pytest.FixtureRequest, vm: VM, mine: str, of: Callable[[User], Client]
) -> None:
    answer = of(request.getfixturevalue(name)).post(mine + "actions/start", follow=True)
    assert answer.redirect_chain == [(mine, 302)]
    assert "“Run” was requested for web." in answer.content.decode()
    assert Job.objects.get().created_by == request.getfixturevalue(name)


def test_it_runs_once_with_a_screen(bob: User, vm: VM, host: Host, mine: str, of: Callable[[User], Client]) -> None:
    answer = of(bob).post(mine + "run-once", {"console": "headless", "accept_lockout": "on"}, follow=True)
    assert answer.redirect_chain == [(mine, 302)]
    assert started(vm, host).running_console.headless  # type: ignore[union-attr]
    assert not fresh(vm).console.headless


def test_its_owner_makes_it_headless_and_back(alice: User, vm: VM, mine: str, of: Callable[[User], Client]) -> None:
    browser, path = of(alice), mine + "edit"
    was = vm.console
    assert browser.post(path, ticked(fields(browser, path), "headless", "serial")).status_code == 302
    assert fresh(vm).console.headless
    assert fresh(vm).console.serial
    assert browser.post(path, ticked(fields(browser, path), headless=None)).status_code == 302
    assert (fresh(vm).console.graphics, fresh(vm).console.video) == (was.graphics, was.video)


def test_the_dialog_redraws_what_depends_on_the_box(alice: User, mine: str, of: Callable[[User], Client]) -> None:
    browser, path = of(alice), mine + "edit"
    html = browser.post(
        path + "/preview", ticked(fields(browser, path), "headless", "accept_lockout"), headers=HTMX
    ).content.decode()
    assert f'hx-post="{path}/preview"' in html
    assert "protocol" in controls(html, path).disabled


def test_an_old_form_is_refused(alice: User, vm: VM, mine: str, of: Callable[[User], Client]) -> None:
    browser, path = of(alice), mine + "edit"
    old = fields(browser, path)
    edit.edit(vm, Changes(machine={"memory": 2048}), by=alice)
    answer = browser.post(path, ticked(old, "headless", "accept_lockout"))
    assert answer.status_code == 422
    assert "was changed by somebody else" in answer.content.decode()


def test_its_owner_keeps_how_it_was_and_goes_back_there(
    alice: User,
    bob: User,
    vm: VM,
    domain: StorageDomain,
    work: Callable[[], None],
    mine: str,
    of: Callable[[User], Client],
) -> None:
    granted(alice, "DiskCreator", data_center=domain.data_center)
    browser = of(alice)
    wish = {**fields(browser, mine + "disks/new"), "disk_size": "1", "domain": domain.pk}
    made = browser.post(mine + "disks/new", wish)
    assert made.status_code == 302, made.context["form"].errors
    assert made["Location"] == mine + "disks"
    work()
    html = browser.get(mine + "disks").content.decode()
    assert (domain.name in html, 'href="/storage/' in html, 'href="/disks/' in html) == (True, False, False)
    taken = browser.post(mine + "snapshots/new", {"description": "before the update"})
    assert taken["Location"] == mine + "snapshots"
    work()
    (kept,) = vm.snapshots.filter(description="before the update")
    assert "before the update" in text(browser, mine + "snapshots")
    for verb, status in ((f"{kept.pk}/preview", SnapshotStatus.IN_PREVIEW), ("undo", SnapshotStatus.OK)):
        assert browser.post(f"{mine}snapshots/{verb}").status_code == 302
        work()
        kept.refresh_from_db()
        assert kept.status == status
    no = "Your roles do not allow you to"
    for page, name in (("snapshots", "take"), ("disks", "new-disk")):
        can, why = button(of(bob), mine + page, name)
        assert (can, no in why) == (False, True)
    assert of(bob).post(mine + "snapshots/new", {"description": "x"}).status_code == 422
    assert vm.snapshots.filter(description="x").count() == 0


def test_its_owner_removes_it(alice: User, vm: VM, mine: str, of: Callable[[User], Client]) -> None:
    assert of(alice).post(mine + "remove")["Location"] == "/portal/"
    assert not VM.objects.filter(pk=vm.pk).exists()


def test_a_user_does_not_remove_it(bob: User, vm: VM, mine: str, of: Callable[[User], Client]) -> None:
    browser = of(bob)
    assert ">Remove</span></button>" not in browser.get(mine + "remove").content.decode()
    assert browser.post(mine + "remove", headers=HTMX).status_code == 403
    assert VM.objects.filter(pk=vm.pk).exists()


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
