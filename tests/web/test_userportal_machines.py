"""UserPortal's machines: what is said of them, what the roles on them allow, and why not more."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from tests.actions.runs import choosing, claimed, fresh, started, up
from tests.actions.test_disks import domain, hypervisor, work
from tests.factories import headless, machine, person
from tests.web.browser import controls, ticked
from tests.web.portal import HTMX, button, fields, granted, mark_of, mine, of, text, text_of
from vms.actions import edit, jobs, power
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, ActionGroup, Host, Job, Role, SnapshotStatus, StorageDomain, User
from vms.web import cards

__all__ = ["domain", "hypervisor", "mine", "of", "work"]

pytestmark = pytest.mark.django_db


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
