"""What only a browser shows: focus, live rows, narrow screens, a policy that nothing breaks, and no script at all."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.factories import machine
from tests.web.browser import NARROW, WIDE, Open
from vms.actions import many, power
from vms.models import VM, User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    # The server of the tests takes static files from where they lie.
    pytest.mark.filterwarnings("ignore:No directory at"),
    pytest.mark.needs("chromium"),
]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def more(vm: VM) -> str:
    """The opener of all that can be done with a machine, in its row."""
    return f"#vm-{vm.pk} .app-more"


def edited(page: Page, vm: VM) -> None:
    """From the row of a machine into its dialog."""
    page.locator(more(vm)).click()
    page.locator("#do-its-edit").click()
    expect(page.locator("#id_name")).to_be_visible()


def test_a_dialog_takes_the_focus_and_gives_it_back(open_page: Open, vm: VM) -> None:
    page = open_page("/vms/")
    page.focus(more(vm))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.locator("#do-its-edit").press("Enter")
    expect(page.locator("#id_name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(page.locator(more(vm))).to_be_focused()


def test_ticking_headless_greys_out_by_the_server_and_keeps_the_focus(open_page: Open, vm: VM) -> None:
    page = open_page(f"/vms/{vm.pk}/")
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Show Advanced Options").click()
    page.get_by_role("tab", name="Console").click()
    page.get_by_label("Headless Mode", exact=True).focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Graphics Protocol")).to_be_disabled()
    expect(page.get_by_label("Enable VirtIO Serial Console")).to_be_enabled()
    assert focused(page) == "id_headless"
    page.keyboard.press("Space")
    expect(page.get_by_label("Graphics Protocol")).to_be_enabled()


def test_saving_closes_the_dialog_and_shows_what_has_changed(open_page: Open, vm: VM) -> None:
    page = open_page("/vms/")
    edited(page, vm)
    page.get_by_label("Headless Mode", exact=True).check()
    page.get_by_label("There is another way in").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).not_to_be_visible()
    expect(page.locator(f"#vm-{vm.pk}")).to_contain_text("headless")
    expect(page.locator(more(vm))).to_be_focused()


def test_what_is_refused_is_read_out_and_leads_to_its_field(open_page: Open, vm: VM) -> None:
    page = open_page(f"/vms/{vm.pk}/")
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Show Advanced Options").click()
    page.get_by_role("tab", name="System").click()
    page.get_by_label("Threads per Core").fill("0")
    page.get_by_role("tab", name="General").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-focus]")).to_be_focused()
    expect(page.get_by_label("Threads per Core")).to_be_visible()
    page.get_by_role("link", name="Threads per Core").click()
    assert focused(page) == "id_threads"


def test_a_row_changes_without_taking_the_focus_from_another(open_page: Open, vm: VM, admin: User) -> None:
    other = machine("other", by=admin)
    page = open_page("/vms/")
    page.focus(more(vm))
    power.start(other, by=admin)
    expect(page.locator(f"#vm-{other.pk}")).to_contain_text("Wait For Launch")
    expect(page.locator(more(vm))).to_be_focused()
    # The very elements stay, of the row that has changed too: what is pressed there is not lost.
    for each in (vm, other):
        page.locator(more(each)).evaluate("element => element.kept = true")
    power.stop(other, by=admin)
    expect(page.locator(f"#vm-{other.pk}")).to_contain_text("Down")
    for each in (vm, other):
        assert page.locator(more(each)).evaluate("element => element.kept")


def test_nothing_changes_under_a_button_that_is_pressed(open_page: Open, vm: VM, admin: User) -> None:
    page = open_page("/vms/")
    status = page.locator(f"#vm-{vm.pk} .app-status")
    page.locator(f"#vm-{vm.pk} .app-start").hover()
    page.mouse.down()
    with page.expect_response("**/vms/rows?*"):
        power.start(vm, by=admin)
    expect(status).to_have_text("Down")
    page.mouse.move(0, 0)
    page.mouse.up()
    expect(status).to_have_text("Wait For Launch")


def test_what_cannot_be_done_says_why_to_the_keyboard(open_page: Open, vm: VM) -> None:
    page = open_page(f"/vms/{vm.pk}/")
    reason = page.locator("#why-suspend")
    expect(reason).not_to_be_visible()
    page.locator("#do-suspend").focus()
    expect(reason).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("h1 + .app-status")).to_contain_text("Down")


def test_the_theme_is_kept(open_page: Open, vm: VM) -> None:
    page = open_page("/vms/")
    page.get_by_role("button", name="admin").click()
    page.get_by_label("Dark").check()
    page.reload()
    expect(page.locator("html")).to_have_class("pf-v6-theme-dark")


def test_without_any_script_a_headless_machine_is_made_and_run(open_page: Open, vm: VM) -> None:
    page = open_page("/vms/", java_script_enabled=False)
    page.get_by_role("link", name="New").click()
    page.locator("#id_name").fill("plain")
    page.get_by_label("Headless Mode").check()
    page.get_by_label("Enable VirtIO Serial Console").check()
    page.get_by_role("button", name="Redraw").click()
    expect(page.get_by_label("Graphics Protocol")).to_be_disabled()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="plain")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("h1 + .app-status")).to_contain_text("Wait For Launch")
    assert VM.objects.get(name="plain").console.headless


# Every page of its own kind; those of the four kinds of machine and of the places are one template each.
PAGES = (
    *("/", "/vms/", "/templates/", "/instance-types/", "/pools/", "/hosts/", "/clusters/", "/data-centers/"),
    *("/tags", "/bookmarks", "/events/", "/tasks/", "/tasks/recent", "/notifications/", "/columns/vm", "/account/"),
    *("/vms/?q=status+%3D+runing", "/vms/new", "/nowhere", "/accounts/login/", "/vms/many?verb=headless&all=1"),
)
TABS = (
    "",
    "devices",
    "guest",
    "monitoring",
    "affinity",
    "console",
    "events",
    "actions/",
    "edit?tab=console",
    "run-once",
    "prepare",
    "remove",
)


def faults(page: Page) -> str:
    """What axe finds on the page, or that it is wider than the screen."""
    result = Axe().run(page)
    if result.violations_count:
        return str(result.generate_report())
    return "too wide" if page.evaluate("document.documentElement.scrollWidth > innerWidth") else ""


@pytest.mark.parametrize(("viewport", "theme"), [(WIDE, "dark"), (NARROW, "light")], ids=["wide dark", "narrow light"])
def test_every_page_is_accessible_and_fits_the_screen(
    viewport: dict[str, int], theme: str, open_page: Open, vm: VM, headless_vm: VM, admin: User
) -> None:
    many.ask("headless", VM.objects.all(), by=admin, accept_lockout=True)
    page = open_page("/vms/", viewport=viewport, color_scheme=theme)
    start, found = page.url.removesuffix("/vms/"), {}
    for path in (*PAGES, *(f"/vms/{headless_vm.pk}/{tab}" for tab in TABS)):
        page.goto(f"{start}{path}")
        if fault := faults(page):
            found[path] = fault
    assert found == {}


def opened(page: Page, opener: str) -> None:
    page.locator(opener).click()
    expect(page.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize(("viewport", "theme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide light", "narrow dark"])
def test_every_dialog_and_drawer_is_accessible(
    viewport: dict[str, int], theme: str, open_page: Open, vm: VM, headless_vm: VM
) -> None:
    page, found = open_page(f"/vms/{vm.pk}/", viewport=viewport, color_scheme=theme), {}
    start = page.url.removesuffix(f"/vms/{vm.pk}/")
    for path, openers in (
        (f"/vms/{vm.pk}/", ("#do-edit", "#do-run-once", "#do-clone", "#do-make-template", "#do-remove")),
        ("/vms/", ("#do-new", "#do-bookmarks", "#do-columns", "#do-many", more(headless_vm))),
    ):
        page.goto(f"{start}{path}")
        for opener in openers:
            opened(page, opener)
            if fault := faults(page):
                found[opener] = fault
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).not_to_be_visible()
        page.keyboard.press("?")
        expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
        if fault := faults(page):
            found["shortcuts"] = fault
        page.keyboard.press("Escape")
        for drawer in ("#open-notifications", "#open-tasks"):
            page.locator(drawer).click()
            expect(page.locator("#drawer-title")).to_be_focused()
            if fault := faults(page):
                found[drawer] = fault
            page.keyboard.press("Escape")
    assert found == {}


def test_the_drawer_opens_beside_the_page_is_put_away_and_gives_the_focus_back(
    open_page: Open, vm: VM, headless_vm: VM, admin: User
) -> None:
    page = open_page("/vms/")
    bell = page.locator("#open-notifications")
    expect(bell).to_have_accessible_name("Notifications, 1 unread")  # nobody could reach `db`
    bell.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#drawer-title")).to_be_focused()
    expect(bell).to_have_attribute("aria-expanded", "true")
    page.get_by_role("button", name="Dismiss: db has no known way in").click()
    expect(bell).to_have_accessible_name("Notifications")
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_text("Nothing else has happened.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).not_to_be_visible()
    expect(bell).to_be_focused()
    page.locator("#open-tasks").click()
    expect(page.get_by_text("Nothing is being done.")).to_be_visible()
    power.start(vm, by=admin)
    expect(page.locator("#drawer").get_by_text("Run: web")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#drawer")).not_to_be_visible()
    expect(page.locator("#open-tasks")).to_be_focused()


def test_every_shortcut_does_what_the_overview_says(open_page: Open, vm: VM) -> None:
    page = open_page(f"/vms/{vm.pk}/")
    dialog = page.get_by_role("dialog")
    for key, title in (("e", f"Edit {vm.name}"), ("o", f"Run {vm.name} once")):
        page.keyboard.press(key)
        expect(dialog).to_contain_text(title)
        page.keyboard.press("Escape")
        expect(dialog).not_to_be_visible()
    page.keyboard.press("Alt+2")
    page.wait_for_url("**/devices")
    page.keyboard.press("c")
    page.wait_for_url("**/console*")
    page.keyboard.press("Alt+1")
    page.wait_for_url(f"**/vms/{vm.pk}/")
    page.keyboard.press("r")
    expect(page.locator("h1 + .app-status")).to_contain_text("Wait For Launch")
    page.goto(page.url.partition("/vms/")[0] + "/vms/")
    page.keyboard.press("/")
    assert focused(page) == "search"
    page.keyboard.press("n")  # typed, where it is typed
    expect(page.locator("#search")).to_have_value("n")
    page.locator("h1").click()
    page.keyboard.press("n")
    page.locator("#id_name").fill("by-keyboard")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="by-keyboard")).to_be_visible()
