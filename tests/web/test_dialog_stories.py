"""The ten acceptance scenarios of user-interface.md 10.5, walked in a browser; the engine is played by its reports.

The tenth, the rating of all combinations, is in tests/domain/test_access.py; here is what a browser shows of it.
"""

from dataclasses import replace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.actions.runs import down, fresh, settled, started, up
from tests.factories import headless, machine
from tests.web.browser import NARROW, WIDE, Open
from vms.actions import consoles, create
from vms.actions.edit import edit
from vms.domain.changes import Changes
from vms.domain.console import SPICE_AND_VNC, VNC, Console, Offer, Protocol
from vms.domain.hosts import Ended
from vms.models import VM, Host, InstanceType, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
    pytest.mark.needs("chromium"),
]

GREYED = (
    "Video Type",
    "Graphics Protocol",
    "VNC Keyboard Layout",
    "Console Disconnect Action",
    "Monitors",
    "USB Enabled",
)


def headless_box(page: Page) -> Any:
    return page.get_by_label("Headless Mode", exact=True)


def console_tab(page: Page) -> None:
    """Every option, at the Console tab."""
    page.locator("#form-view[value=advanced]").click()
    page.get_by_role("tab", name="Console").click()


def left(page: Page) -> None:
    """Nobody looks while the engine is played: SQLite in memory has one lock for the whole database."""
    page.goto("about:blank")


def both(console: Console, offer: Offer) -> Console:
    return console.with_graphics(Protocol.SPICE, offer)


def devices(page: Page) -> Any:
    return page.locator("#devices-after")


def test_1_and_2_ticking_greys_and_previews_and_unticking_restores(open_page: Open, host: Host, admin: User) -> None:
    vm = machine("desk", by=admin, console=lambda console, offer: replace(both(console, offer), wants_usb=True))
    page = open_page(f"/vms/{vm.pk}/")
    page.locator("#do-edit").click()
    console_tab(page)
    headless_box(page).check()
    expect(devices(page)).to_contain_text("No video or graphics device (headless)")
    for field in GREYED:
        expect(page.get_by_label(field)).to_be_disabled()
        expect(page.get_by_label(field)).to_have_attribute("aria-describedby", "headless-reason")
    serial = page.get_by_label("Enable VirtIO Serial Console")
    expect(serial).to_be_enabled()
    expect(devices(page)).to_contain_text("Graphics spice removed")
    expect(page.locator("#usb-goes-off")).to_be_visible()
    serial.check()
    expect(page.locator("#usb-goes-off")).to_have_count(0)
    headless_box(page).uncheck()
    expect(page.get_by_label("Graphics Protocol")).to_be_enabled()
    expect(page.get_by_label("Graphics Protocol")).to_have_value("spice+vnc")
    expect(page.get_by_label("USB Enabled")).to_be_checked()
    headless_box(page).check()
    expect(page.get_by_label("Graphics Protocol")).to_be_disabled()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    assert fresh(vm).console.headless
    page.locator("#do-edit").click()
    page.get_by_role("tab", name="Console").click()
    headless_box(page).uncheck()
    expect(page.get_by_label("Graphics Protocol")).to_have_value("spice+vnc")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    console = fresh(vm).console
    assert (console.graphics, console.usb, console.serial) == (SPICE_AND_VNC, True, True)


def test_3_a_headless_size_hands_down_deviates_and_is_reset(open_page: Open, host: Host, admin: User) -> None:
    create.instance_type("small-headless", changes=Changes(console=headless), by=admin)
    page = open_page("/vms/")
    page.locator("#do-new").click()
    page.locator("#id_name").fill("quiet")
    page.get_by_label("Instance Type").select_option(label="small-headless")
    expect(headless_box(page)).to_be_checked()
    expect(page.locator("#origin-headless")).to_have_text("instance type small-headless")
    headless_box(page).uncheck()
    expect(page.locator("#origin-headless")).to_contain_text("own value")
    page.locator("#origin-headless").get_by_role("button").click()
    expect(headless_box(page)).to_be_checked()
    page.get_by_label("Memory Size").fill("777")
    page.get_by_label("Memory Size").press("Tab")
    expect(page.get_by_label("Instance Type")).to_have_value("")
    page.get_by_label("Memory Size").fill("1024")
    page.get_by_label("Memory Size").press("Tab")
    expect(page.get_by_label("Instance Type")).to_have_value(str(InstanceType.objects.get(name="small-headless").pk))
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#access-panel")).to_contain_text("Locked out")
    page.get_by_role("button", name="Enable the serial console").click()
    expect(page.locator("#access-panel")).not_to_contain_text("Locked out")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="quiet", exact=True)).to_be_visible()
    made = VM.objects.get(name="quiet")
    assert (made.console.headless, made.console.serial, str(made.instance_type)) == (True, True, "small-headless")


def test_4_a_running_machine_asks_back_waits_and_loses_its_screen(
    open_page: Open, vm: VM, host: Host, admin: User
) -> None:
    edit(vm, Changes(console=lambda console, _offer: Console(wants_usb=True)), by=admin)
    up(vm, host, by=admin)
    page = open_page("/vms/")
    page.locator(f"#vm-{vm.pk} .app-more").click()
    page.locator("#do-its-edit").click()
    headless_box(page).check()
    page.get_by_label("There is another way in").check()
    page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog")
    for told in ("Headless Mode", "Video Type", "Graphics Protocol", "USB Policy"):
        expect(dialog).to_contain_text(told)
    assert Axe().run(page).violations_count == 0
    page.get_by_role("button", name="Cancel").click()
    expect(headless_box(page)).to_be_checked()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Save and restart now").click()
    expect(dialog).not_to_be_visible()
    expect(page.locator(f"#vm-{vm.pk}")).to_contain_text("pending")
    expect(page.locator(f"#vm-{vm.pk} .app-more")).to_be_focused()
    left(page)
    settled(vm, host)
    down(vm, host, Ended.REBOOT)
    started(vm, host)
    page.go_back()
    expect(page.locator(f"#vm-{vm.pk}")).not_to_contain_text("pending")
    assert fresh(vm).running_graphics == ""


def test_5_and_6_a_run_deviates_tells_both_truths_and_reverts(
    open_page: Open, headless_vm: VM, vm: VM, host: Host, admin: User
) -> None:
    page = open_page(f"/vms/{headless_vm.pk}/")
    page.locator("#do-run-once").click()
    expect(page.get_by_label("Headless", exact=True)).to_be_checked()
    page.get_by_label("VNC", exact=True).check()
    expect(page.get_by_label("VNC Keyboard Layout")).to_be_enabled()
    page.get_by_role("button", name="Run", exact=True).last.click()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    left(page)
    started(headless_vm, host)
    page.go_back()
    expect(page.locator("#live")).to_contain_text("VNC (this run)")
    expect(page.locator("#live")).to_contain_text("headless")
    page.goto(page.url.partition("/vms/")[0] + "/vms/")
    expect(page.locator(f"#vm-{headless_vm.pk}")).to_contain_text("VNC (this run)")
    left(page)
    down(headless_vm, host)
    page.go_back()
    expect(page.locator(f"#vm-{headless_vm.pk}")).not_to_contain_text("(this run)")
    left(page)
    edit(vm, Changes(console=both), by=admin)
    page.go_back()
    page.goto(page.url + f"{vm.pk}/run-once")
    page.get_by_label("As configured").first.check()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("heading", name="web", exact=True)).to_be_visible()
    left(page)
    running = started(vm, host).running_console
    assert running is not None
    assert running.graphics == SPICE_AND_VNC


def test_7_8_and_9_a_headless_console_explains_and_every_way_there_is_the_same(
    open_page: Open, vm: VM, host: Host, admin: User
) -> None:
    consoles.detach(vm, Protocol.VNC, by=admin)
    # Before the page is open: it asks all the time, and reading and writing in one SQLite memory exclude each other.
    member = create.pool("lab", cluster=host.cluster, by=admin).vms.get()
    page = open_page(f"/vms/{vm.pk}/")
    start = page.url.partition("/vms/")[0]
    expect(page.locator("#live")).to_contain_text("Locked out")
    page.locator("#do-console").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("This virtual machine is headless: it has no graphical console.")
    page.get_by_role("link", name="Leave headless mode").click()
    headless_box(page).uncheck()
    expect(page.locator("#origin-headless")).to_have_text("template Blank")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("was saved")
    left(page)
    assert fresh(vm).console.graphics == VNC
    page.goto(f"{start}/vms/{member.pk}/edit?tab=console")
    expect(headless_box(page)).to_be_disabled()
    expect(page.locator("#group-headless")).to_contain_text("The virtual machine belongs to pool lab; change it there.")


@pytest.mark.parametrize(("viewport", "theme"), [(WIDE, "dark"), (NARROW, "light")], ids=["wide dark", "narrow light"])
def test_every_tab_of_every_dialog_is_accessible_and_fits(
    viewport: Any, theme: str, open_page: Open, vm: VM, host: Host, admin: User
) -> None:
    page, found = open_page("/vms/", viewport=viewport, color_scheme=theme), {}
    start = page.url.removesuffix("/vms/")
    size = InstanceType.objects.get(name="Large")
    for path in (
        f"/vms/{vm.pk}/edit?tab=general",
        "/pools/new?tab=general",
        f"/instance-types/{size.pk}/edit?tab=general",
    ):
        page.goto(f"{start}{path}")
        for tab in page.get_by_role("tab").all():
            tab.click()
            result = Axe().run(page)
            wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            if result.violations_count or wide:
                found[path, tab.inner_text()] = result.generate_report() if result.violations_count else "too wide"
    assert found == {}
