"""UserPortal in a browser: live cards, dialogs, the keyboard, and pages that everybody can read."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.actions.runs import choosing, started, up
from tests.factories import headless, machine
from vms.actions import create, edit
from vms.domain.changes import Changes
from vms.domain.runonce import ConsoleChoice
from vms.models import VM, Cluster, Host, Permission, Pool, Role, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    # The server of the tests takes static files from where they lie.
    pytest.mark.filterwarnings("ignore:No directory at"),
    pytest.mark.needs("chromium"),
]

PATIENCE = 15_000
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 400, "height": 800}

Open = Callable[..., Page]


@pytest.fixture
def pool(vm: VM, cluster: Cluster, admin: User) -> Pool:
    changes = Changes(console=headless, attributes={"description": "Machines for the day"})
    return create.pool("desk", cluster=cluster, size=2, changes=changes, by=admin)


@pytest.fixture
def alice(pool: Pool, vm: VM, headless_vm: VM, alice: User) -> User:
    """Owns a machine, may use another, and may take one of the pool."""
    use = Role.objects.get(name="UserRole")
    Permission.objects.create(user=alice, role=use, vm=headless_vm)
    Permission.objects.create(user=alice, role=use, pool=pool)
    return alice


@pytest.fixture
def open_page(alice: User, client: Client, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens a path as alice; a script that fails or a policy that is violated fails the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    client.force_login(alice)
    complaints: list[str] = []

    with sync_playwright() as playwright:
        chromium: Browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        def opened(path: str, **options: Any) -> Page:
            context = chromium.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **options})
            cookie = client.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
            page = context.new_page()
            page.set_default_timeout(PATIENCE)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda told: complaints.append(told.text) if "Security Policy" in told.text else None)
            page.goto(f"{live_server.url}{path}")
            return page

        expect.set_options(timeout=PATIENCE)
        yield opened
        chromium.close()
    assert complaints == []


def test_a_card_shows_what_becomes_of_its_machine(open_page: Open, vm: VM, host: Host) -> None:
    page = open_page("/portal/")
    card = page.locator(f"#machine-{vm.pk}")
    card.get_by_role("button", name="Run", exact=True).click()
    expect(card).to_contain_text("Wait For Launch")
    started(vm, host)
    expect(card).to_contain_text("Up")
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_a_machine_is_taken_and_given_back_by_keyboard(open_page: Open, pool: Pool, host: Host) -> None:
    page = open_page("/portal/")
    page.locator(f"#do-take-{pool.pk.hex}").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="desk-1", exact=True)).to_be_visible()
    page.get_by_role("link", name="Give back…").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("powered off")
    page.get_by_role("button", name="Give back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="desk-1", exact=True)).not_to_be_visible()
    expect(page.get_by_role("dialog")).not_to_be_visible()


def test_it_is_made_headless_in_the_dialog(open_page: Open, vm: VM) -> None:
    page = open_page(f"/portal/vms/{vm.pk}/")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Headless Mode", exact=True).check()
    page.get_by_label("There is another way in").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(page.locator("#live")).to_contain_text("headless")


def test_a_reason_can_be_reached_by_keyboard(open_page: Open, headless_vm: VM) -> None:
    page = open_page(f"/portal/vms/{headless_vm.pk}/")
    page.locator("#do-edit").focus()
    expect(page.locator("#why-edit")).to_be_visible()
    expect(page.locator("#why-edit")).to_have_text("Your roles do not allow you to edit virtual machines here.")


@pytest.fixture
def everything(alice: User, vm: VM, headless_vm: VM, host: Host, admin: User) -> None:
    """Machines in states that have signs of their own."""
    up(headless_vm, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    edit.edit(up(vm, host, by=admin), Changes(console=headless), by=admin)
    third = machine("a-rather-long-name-for-a-machine.example", by=admin)
    Permission.objects.create(user=alice, role=Role.objects.get(name="UserVmManager"), vm=third)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("page_name", ["", "vms/{}/", "vms/{}/console", "vms/{}/edit", "vms/{}/run-once", "vms/new"])
def test_everybody_can_read_every_page(
    page_name: str, size: Any, scheme: Any, everything: None, open_page: Open, vm: VM, tmp_path: Path
) -> None:
    path = "/portal/" + page_name.format(vm.pk)
    page = open_page(path, viewport=size, color_scheme=scheme)
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
