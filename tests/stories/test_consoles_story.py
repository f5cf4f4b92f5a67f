"""Consoles with nothing in place of the real thing: a guest's screen and its serial line, in a browser."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.hypervisors.conftest import SerialLine, real_libvirt, wait_until
from tests.stories.test_browser_story import PASSWORD, Installation, has_status, installation, page, power_off

__all__ = ["installation", "page", "real_libvirt"]

pytestmark = [pytest.mark.browser, pytest.mark.hypervisor]

PORTAL_USER = "from tests.factories import person; from vms.models import VM; "
PORTAL_USER += "person('bob', role='UserVmManager', vm=VM.objects.get(name='demo-headless'))"


def opened(page: Page, name: str, part: str) -> None:
    """Open a part of a machine's Console tab."""
    page.get_by_role("link", name=name, exact=True).click()
    page.locator("#tab-console").click()
    page.locator(f"#part-{part}").click()


def run_it(page: Page) -> None:
    page.locator("#do-start").click()
    has_status(page, "Up")


def connected(page: Page) -> None:
    expect(page.locator("#screen")).to_have_attribute("data-connected", "true")


def test_the_screen_of_a_guest_is_seen_and_typed_at_and_outlives_its_power_off(
    page: Page, installation: Installation, tmp_path: Path
) -> None:
    opened(page, "demo-graphical", "graphical")
    expect(page.locator("#console-state")).to_contain_text("The virtual machine is not running")
    run_it(page)
    connected(page)
    with contextlib.closing(SerialLine(installation.domain("demo-graphical"))) as line:
        line.expect("/root#", 60)
        page.locator("#canvas canvas").click()
        # A guest on a busy machine drops keys: a person would type it again.
        until_there(line, "typed", lambda: page.keyboard.type("\necho typed >/tmp/typed\n", delay=80))
        until_there(line, "Pasted, {A-z}", lambda: paste(page, "\necho 'Pasted, {A-z}' >/tmp/typed\n"))
    shades = page.evaluate("""() => {
        const canvas = document.querySelector('#canvas canvas');
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return new Set(pixels.filter((_, index) => index % 4 === 0)).size; }""")
    assert shades > 1, "a screen with something on it"
    with page.expect_download() as shot:
        page.get_by_role("button", name="Screenshot").click()
    shot.value.save_as(tmp_path / "screen.png")
    assert (tmp_path / "screen.png").read_bytes().startswith(b"\x89PNG")
    assert Axe().run(page).violations_count == 0
    page.locator("#tab-detail").click()
    page.locator("#do-screenshot").click()
    drawn = page.locator(".app-shot img")
    expect(drawn).to_have_js_property("complete", True)
    assert drawn.evaluate("image => image.naturalWidth") >= 320
    page.locator("#do-console").click()
    page.locator("#do-console-options").click()
    page.get_by_label("Native client (VNC)").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#open-viewer")).to_be_visible()
    with page.expect_download() as file:  # what was chosen opens by itself
        page.locator("#do-console").click()
    assert "type=vnc" in file.value.path().read_text()
    power_off(page)
    expect(page.locator("#console-state")).to_contain_text("The virtual machine is not running")
    run_it(page)
    page.locator("#open-here").click()
    connected(page)
    power_off(page)


def test_a_serial_line_is_typed_at_watched_and_written_down_from_the_first_word(
    page: Page, installation: Installation, tmp_path: Path
) -> None:
    environment = os.environ | {"DATA_DIR": str(installation.home)}
    subprocess.run([sys.executable, "manage.py", "shell", "-v0", "-c", PORTAL_USER], env=environment, check=True)
    opened(page, "demo-headless", "graphical")
    expect(page.locator("#console-state")).to_contain_text("it has no graphical console")
    page.get_by_role("link", name="Open serial console").click()
    run_it(page)
    terminal = page.locator("#canvas .xterm-rows")
    expect(terminal).to_contain_text("/root#")
    page.locator("#canvas").click()
    page.keyboard.type("echo sum-$((40+2))\n", delay=20)
    expect(terminal).to_contain_text("sum-42")

    browser = page.context.browser
    assert browser is not None
    other = portal(browser, installation)
    expect(other.locator("#typist")).to_have_text("admin types; you watch.")
    expect(other.locator("#canvas .xterm-rows")).to_contain_text("sum-42")
    other.get_by_role("button", name="Take over").click()
    expect(page.locator("#typist")).to_have_text("bob types; you watch.")
    other.locator("#canvas").click()
    other.keyboard.type("clear; echo from-the-$((1+1))nd; reboot\n", delay=20)
    for each in (page, other):
        expect(each.locator("#canvas .xterm-rows")).to_contain_text("HEADLESS-GUEST-UP")
        expect(each.locator("#canvas .xterm-rows")).to_contain_text("/root#")
        expect(each.locator("#console-status")).to_have_text("Connected")
    assert Axe().run(page).violations_count == 0
    os.kill(engine_of(installation), signal.SIGKILL)
    other.locator("#canvas").click()
    other.keyboard.type("echo without-an-$((3-3))engine\n", delay=20)
    for each in (page, other):
        expect(each.locator("#canvas .xterm-rows")).to_contain_text("without-an-0engine")
    page.locator("#part-log").click()
    expect(page.locator(".app-log")).to_contain_text("SeaBIOS")
    expect(page.locator(".app-log")).not_to_contain_text("from-the-2nd")  # said before the last boot
    page.locator("#log-end").click()
    expect(page.locator(".app-log")).to_contain_text("without-an-0engine")
    with page.expect_download() as log:
        page.locator("#serial-log").click()
    log.value.save_as(tmp_path / "log")
    said = (tmp_path / "log").read_text(errors="replace")
    assert said.index("SeaBIOS") < said.index("Linux version") < said.index("sum-42") < said.index("from-the-2nd")
    assert said.index("SeaBIOS") < 100, "from the firmware's first line"
    other.context.close()
    power_off(page)


def engine_of(installation: Installation) -> int:
    """The engine's process."""
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(installation.home / "run" / "engine.sock"))
        return int(struct.unpack("3i", door.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def until_there(line: SerialLine, text: str, act: Callable[[], None]) -> None:
    """Do it until the guest has the text in its file."""
    for _ in range(4):
        act()
        with contextlib.suppress(AssertionError):
            wait_until(lambda: text in line.ask("cat /tmp/typed"), 15, text)
            return
    raise AssertionError(f"{text} never reached the guest")


def paste(page: Page, text: str) -> None:
    page.get_by_role("button", name="Paste").click()
    page.get_by_label("Text").fill(text)
    page.get_by_role("button", name="Type it").click()


def portal(browser: Browser, installation: Installation) -> Page:
    """A user of the portal, at the same line."""
    page = browser.new_context(viewport={"width": 400, "height": 900}).new_page()
    page.goto(installation.url)
    page.get_by_label("Username").fill("bob")
    page.get_by_label("Password", exact=True).fill("bob-password")
    page.keyboard.press("Enter")
    opened(page, "demo-headless", "serial")
    connected(page)
    assert PASSWORD not in page.content()
    return page
