"""The main job, as a person does it: from the browser to a real guest without a display, and once with one."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from lxml import etree
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from tests.hypervisors.conftest import SerialLine, real_libvirt, wait_until
from tests.needs import need
from vms.hypervisors.private import PrivateDaemon

__all__ = ["real_libvirt"]

pytestmark = [pytest.mark.browser, pytest.mark.hypervisor]

CHROMIUM = shutil.which("chromium")
PASSWORD = "correct horse battery"
READY = "is ready:"
# A page that is left while it asks for news has htmx say so; reading a screen's pixels is the tests' own doing; and a
# console that is refused, as that of a machine which has just been powered off, is an answer.
HARMLESS = ("htmx:", "Canvas2D:", "Failed to load resource: the server responded with a status of 409")
# Seconds that a real guest and a busy machine may take.
PATIENCE = 60_000


@dataclass
class Installation:
    """What `make run` runs, with state of its own."""

    url: str
    home: Path
    daemon: PrivateDaemon

    def domain(self, name: str) -> Any:
        import libvirt

        return libvirt.open(self.daemon.uri).lookupByName(name)


@pytest.fixture(scope="module")
def installation(real_libvirt: None) -> Iterator[Installation]:
    # A short path: sockets below it have room for 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="hw-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "DATA_DIR": str(home),
        "PORT": str(port),
        "ADMIN_PASSWORD": PASSWORD,
        "ACCELERATOR": "tcg",
    }
    # A system daemon that may run here is none of ours.
    (home / "hypervisor").write_text("private\n")
    log = home / "log"
    with log.open("w") as output:
        serve = subprocess.Popen([sys.executable, "manage.py", "serve"], env=environment, stdout=output, stderr=output)
    daemon = PrivateDaemon(home / "libvirt")
    try:
        wait_until(lambda: READY in log.read_text() or serve.poll() is not None, 90, "the start of the server")
        assert serve.poll() is None, log.read_text()
        yield Installation(f"http://127.0.0.1:{port}", home, daemon)
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.wait(30)
        daemon.stop(guests=True)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def page(installation: Installation) -> Iterator[Page]:
    """A browser that has logged in; whatever it complains about fails the test."""
    need(None if CHROMIUM else "Chromium is not installed")
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(HARMLESS):
            complaints.append(message.text)

    arguments = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.goto(installation.url)
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
        page.get_by_role("link", name="Virtual Machines", exact=True).click()
        expect(page.get_by_role("heading", name="Virtual Machines")).to_be_visible()
        yield page
        with contextlib.suppress(Exception):
            browser.close()
    assert complaints == []


def test_headless_then_once_with_vnc_then_headless_again(page: Page, installation: Installation) -> None:
    page.get_by_role("link", name="demo-graphical", exact=True).click()
    make_headless(page)
    run_it(page)
    shows(page, "Graphics protocol", "None")
    xml = etree.fromstring(installation.domain("demo-graphical").XMLDesc())
    assert xml.findall("devices/graphics") == []
    assert {model.get("type") for model in xml.iterfind("devices/video/model")} <= {"none"}
    with contextlib.closing(SerialLine(installation.domain("demo-graphical"))) as line:
        line.expect("/root#", 60)
        # The kernel's own messages may come between.
        assert line.ask("ls /dev/dri /dev/fb0 2>&1 | grep -vc 'No such'").splitlines()[-1] == "0"
    power_off(page)

    run_once_with_vnc(page)
    expect(page.get_by_text("run once", exact=True)).to_be_visible()
    shows(page, "Graphics protocol", "VNC (this run)")
    assert greeting_of(page).startswith(b"RFB ")
    power_off(page)

    shows(page, "Graphics protocol", "None")
    persistent = etree.fromstring(installation.domain("demo-graphical").XMLDesc())
    assert persistent.findall("devices/graphics") == []


def test_every_page_of_the_story_is_accessible(page: Page, installation: Installation) -> None:
    found: dict[str, str] = {}
    detail = page.get_by_role("link", name="demo-headless", exact=True).get_attribute("href") or ""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for address in ("/vms/", detail, *(f"{detail}{tab}" for tab in TABS), "/vms/new"):
            page.goto(f"{installation.url}{address}")
            result = Axe().run(page)
            if result.violations_count:
                found[f"{theme} {address}"] = result.generate_report()
    assert found == {}


TABS = ("devices", "console", "console/serial", "console/viewer", "events", "edit?tab=console", "run-once", "remove")


def test_the_keyboard_alone_makes_a_headless_machine(page: Page, installation: Installation) -> None:
    tab_to(page, "New")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page, "Name")
    page.keyboard.type("typed")
    tab_to(page, "Show Advanced Options")
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="General")).to_be_visible()
    tab_to(page, "General")
    for name in ("System", "Initial Run", "Console"):
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("tab", name=name)).to_be_focused()
    tab_to(page, "Headless Mode")
    page.keyboard.press("Space")
    expect(page.get_by_label("Video Type")).to_be_disabled()
    tab_to(page, "Enable VirtIO Serial Console")
    page.keyboard.press("Space")
    tab_to(page, "Create")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="typed")).to_be_visible()
    page.goto(f"{installation.url}/vms/")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="typed", exact=True))
    expect(row).to_contain_text("headless")


def make_headless(page: Page) -> None:
    page.get_by_role("button", name="Edit").or_(page.get_by_role("link", name="Edit")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Show Advanced Options").click()
    dialog.get_by_role("tab", name="Console").click()
    dialog.get_by_label("Headless Mode").check()
    expect(dialog.get_by_label("Video Type")).to_be_disabled()
    expect(dialog.get_by_label("Enable VirtIO Serial Console")).to_be_enabled()
    dialog.get_by_role("button", name=re.compile("Save|OK")).click()
    expect(dialog).to_be_hidden()


def run_it(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()
    has_status(page, "Up")


def power_off(page: Page) -> None:
    page.get_by_role("button", name="Power Off").click()
    has_status(page, "Down")


def has_status(page: Page, status: str) -> None:
    """The header says so, word for word: a machine that is powering down is not down yet."""
    expect(page.get_by_role("status").filter(has_text=re.compile(rf"^\s*{status}\s*$"))).to_be_visible()


def run_once_with_vnc(page: Page) -> None:
    page.locator("#do-run-once").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("VNC", exact=True).check()
    dialog.get_by_role("button", name="Run", exact=True).click()
    has_status(page, "Up")


def shows(page: Page, term: str, text: str) -> None:
    """The General tab says so, without a reload."""
    expect(page.locator("dl").filter(has_text=term).first).to_contain_text(text)


def greeting_of(page: Page) -> bytes:
    """What answers where the Console tab says that the screen is."""
    page.get_by_role("link", name="Console").first.click()
    page.get_by_role("link", name="Remote viewer").click()
    told = page.get_by_text(re.compile(r"127\.0\.0\.1:\d+")).first.inner_text()
    host, port = re.findall(r"(127\.0\.0\.1):(\d+)", told)[0]
    page.go_back()
    page.go_back()
    with socket.create_connection((host, int(port)), timeout=10) as screen:
        return screen.recv(12)


def tab_to(page: Page, name: str, limit: int = 60) -> None:
    """Press Tab until the element with this accessible name has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        label = page.evaluate(
            "() => { const e = document.activeElement;"
            " return (e.labels?.[0]?.innerText || e.getAttribute('aria-label') || e.innerText || '').trim() }"
        )
        if label.startswith(name):
            return
    raise AssertionError(f"no {name} within {limit} presses of Tab")
