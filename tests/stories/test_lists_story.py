"""Lists as people work in them all day: completed, changed elsewhere, fifty at once, by the keyboard alone."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.hypervisors.conftest import wait_until
from tests.needs import need

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
PASSWORD = "correct horse battery"
PATIENCE = 20_000


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """`manage.py serve` over a hypervisor in memory, with fifty machines more than the demonstration's."""
    home = Path(tempfile.mkdtemp(prefix="hw-"))  # a short path: sockets below it have room for 107 bytes
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {"DATA_DIR": str(home), "PORT": str(port), "ADMIN_PASSWORD": PASSWORD, "HYPERVISOR": "memory"}
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | told
    log = home / "log"
    with log.open("w") as output:
        serve = subprocess.Popen([sys.executable, "manage.py", "serve"], env=environment, stdout=output, stderr=output)
    try:
        wait_until(lambda: "is ready:" in log.read_text() or serve.poll() is not None, 120, "the start of the server")
        assert serve.poll() is None, log.read_text()
        subprocess.run([sys.executable, "manage.py", "seed", "--vms", "50"], env=environment, check=True)
        yield f"http://127.0.0.1:{port}"
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.wait(30)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def chromium() -> Iterator[Browser]:
    need(None if CHROMIUM else "Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def logged_in(chromium: Browser, url: str) -> Page:
    page = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce").new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto(url)
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.get_by_role("link", name="Virtual Machines", exact=True).click()
    expect(page.get_by_role("heading", name="Virtual Machines")).to_be_visible()
    return page


def test_a_search_is_completed_word_by_word_and_its_fault_is_shown(chromium: Browser, url: str) -> None:
    page = logged_in(chromium, url)
    search = page.get_by_role("searchbox").or_(page.get_by_role("combobox", name="Search"))
    page.keyboard.press("/")
    search.press_sequentially("stat")
    expect(page.get_by_role("option", name="status")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(search).to_have_value("status ")
    search.press_sequentially("= runing")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.locator("mark")).to_have_text("runing")
    search.fill("headless = true and name = web*")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="name = web*")).to_be_visible()
    assert "q=headless" in page.url


def test_the_keyboard_alone_makes_a_machine_headless(chromium: Browser, url: str) -> None:
    """Nothing but Tab, arrows, Enter, Space and Escape, and what is focused is told from what a reader would read."""
    page = logged_in(chromium, url)
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("name = demo-graphical")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    walk(page, "Actions demo-graphical")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Actions: demo-graphical")
    walk(page, "Edit")
    page.keyboard.press("Enter")
    expect(page.locator("#id_name")).to_be_focused()
    walk(page, "Headless Mode")
    page.keyboard.press("Space")
    expect(page.get_by_label("Headless Mode", exact=True)).to_be_checked()
    if not page.get_by_label("Enable VirtIO Serial Console").is_checked():
        walk(page, "Enable VirtIO Serial Console")
        page.keyboard.press("Space")
    page.keyboard.press("Control+Enter")
    expect(page.locator("tbody tr")).to_contain_text("headless")
    walk(page, "demo-graphical")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="demo-graphical")).to_be_visible()
    page.keyboard.press("Alt+2")
    page.wait_for_url("**/devices")
    walk(page, "Notifications", stop=60)
    page.keyboard.press("Enter")
    expect(page.locator("#drawer-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#open-notifications")).to_be_focused()


def walk(page: Page, name: str, *, stop: int = 80) -> None:
    """Press Tab until what is called so is focused."""
    for _ in range(stop):
        page.keyboard.press("Tab")
        told = page.evaluate("""() => { const at = document.activeElement;
            return (at.getAttribute("aria-label") ?? [...(at.labels ?? [at])][0]?.textContent ?? "").trim(); }""")
        if told.startswith(name):
            return
    raise AssertionError(f"{name} cannot be reached")


def test_a_change_is_seen_in_another_browser_within_a_second(chromium: Browser, url: str) -> None:
    one, two = logged_in(chromium, url), logged_in(chromium, url)
    with two.expect_request("**/live"):
        two.goto(f"{url}/vms/?q=name+%3D+demo-graphical")
    # Without the polling that is there for when no line is open.
    two.evaluate("document.querySelector('#poll').setAttribute('hx-trigger', 'changed')")
    two.evaluate("htmx.process(document.querySelector('#poll'))")
    one.goto(f"{url}/vms/?q=name+%3D+demo-graphical")
    # The clock of the browser, which is told in the very moment that the row is another one.
    two.evaluate("""() => { window.seen = new Promise((done) => new MutationObserver(() => {
        if (document.querySelector("tbody .app-status").textContent !== "Down") done(Date.now());
    }).observe(document.querySelector("tbody"), { childList: true, subtree: true, characterData: true })); }""")
    with one.expect_response("**/actions/start"):
        one.get_by_role("button", name="Run demo-graphical").click()
    asked = one.evaluate("Date.now()")
    assert two.evaluate("window.seen") - asked < 1000


def test_fifty_machines_become_headless_in_one_task(chromium: Browser, url: str) -> None:
    page = logged_in(chromium, url)
    page.goto(f"{url}/vms/?q=name+%21%3D+demo*")
    page.get_by_label("Select this page").check()
    expect(page.locator("#selected")).to_have_text("50 selected")
    page.get_by_label("With the selected ones").select_option(label="Make headless")
    page.get_by_role("button", name="Go on…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("for 50 virtual machines:")
    dialog.get_by_role("button", name="Make headless").click()
    expect(page.get_by_text("50 done, 0 refused, of 50")).to_be_visible()
    page.goto(f"{url}/vms/?q=name+%21%3D+demo*+and+headless+%3D+false")
    expect(page.get_by_text("Nothing matches the search")).to_be_visible()


def test_all_that_match_are_meant_on_every_page(chromium: Browser, url: str) -> None:
    page = logged_in(chromium, url)
    page.goto(f"{url}/vms/?q=name+%3D+web*")
    count = page.locator("tbody tr").count()
    page.get_by_label("All that match the search, on every page").check()
    page.get_by_label("With the selected ones").select_option(label="Make headless")
    page.get_by_role("button", name="Go on…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"for {count} virtual machines:")
    dialog.get_by_role("button", name="Make headless").click()
    expect(page.get_by_text(f"{count} done, 0 refused, of {count}")).to_be_visible()
    page.locator("#open-tasks").click()
    expect(page.locator("#drawer").get_by_role("link", name=f"Make headless: {count}")).to_be_visible()
