"""Guests and screens that mean harm, in a real browser: nothing happens but what the page says."""

import asyncio
import contextlib
import shutil
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.db import connections
from playwright.sync_api import Page, expect, sync_playwright
from pytest_django import Settings

from tests.actions.runs import up
from tests.consoles.site import Site
from tests.consoles.test_ssh import Guest, _Everywhere
from tests.engine.conftest import DATABASE
from tests.factories import machine
from tests.hypervisors.conftest import wait_until
from vms.domain.console import Console, Offer
from vms.engine.broker import Broker
from vms.models import VM, Host, User

pytestmark = [DATABASE, pytest.mark.browser, pytest.mark.needs("chromium")]

PATIENCE = 20_000
GREETING = b"RFB 003.008\n"
# Past the greeting and without a password, a screen of this size.
BEGUN = b"\x01\x01", bytes(4)


def screen_of(width: int, height: int, name: bytes = b"x") -> bytes:
    return struct.pack("!HH16xI", width, height, len(name)) + name


@pytest.fixture
def static(monkeypatch: pytest.MonkeyPatch) -> None:
    """The web server gives out the pages' scripts as well."""
    import webadmin.asgi

    monkeypatch.setattr(webadmin.asgi, "application", ASGIStaticFilesHandler(cast(Any, webadmin.asgi.application)))


def test_nothing_comes_of_what_a_screen_or_a_guest_means_to_do(
    static: None, site: Site, settings: Settings, tmp_path: Path, vm: VM, host: Host, admin: User
) -> None:
    quiet = up(machine("quiet", by=admin, console=_with_line), host, by=admin)
    shown = up(vm, host, by=admin)

    def looks_on() -> None:
        with _browser(site, admin) as look:
            _speaks_nonsense(look(f"/vms/{shown.pk}/console"), site)
            with closing(Line(settings.RUN_DIR, tmp_path)) as line:
                _prints_commands_titles_links_and_megabytes(look(f"/vms/{quiet.pk}/console/serial"), line)

    # In a thread of its own: the event loop of the browser's driver must not run where Django's connections are kept.
    with ThreadPoolExecutor(1) as hand:
        hand.submit(looks_on).result()


@contextlib.contextmanager
def _browser(site: Site, user: User) -> Iterator[Callable[[str], Page]]:
    """Opens pages as somebody."""
    expect.set_options(timeout=PATIENCE)
    cookie = site.browser(user).cookies["sessionid"].value
    connections.close_all()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        def look(path: str) -> Page:
            page = browser.new_page()
            page.set_default_timeout(PATIENCE)
            page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": f"http://{site.place}"}])
            page.goto(f"http://{site.place}{path}")
            return page

        yield look
        browser.close()


def _with_line(console: Console, _offer: Offer) -> Console:
    return replace(console.as_headless(), serial=True)


def _speaks_nonsense(page: Page, site: Site) -> None:
    """Each is told of, and the next try shows the real screen."""
    title, scripts = page.title(), page.evaluate("document.scripts.length")
    page.evaluate("""() => { window.told = []; const status = document.getElementById('console-status');
        new MutationObserver(() => told.push(status.textContent)).observe(status, { childList: true }); }""")
    refusal = b"<img src=x onerror=alert(1)>"
    pixels = b"\x00\x00\x00\x01" + struct.pack("!HHHHi", 0, 0, 1, 1, 4711)  # drawn in a way that nobody knows
    evil: tuple[Callable[[socket.socket], None], ...] = (
        lambda line: line.sendall(b"HTTP/1.1 200 OK\r\n\r\n<script>alert(1)</script>" + bytes(4096)),
        lambda line: _greet(line, b"\x00" + struct.pack("!I", len(refusal)) + refusal),
        lambda line: _begin(line, screen_of(64, 64), pixels),
        lambda line: _begin(line, screen_of(64, 64, b"<b>" * 1000), b"\xff" * 16),
    )
    for number, act in enumerate(evil):
        with contextlib.suppress(OSError):
            act(_screen(site, number))
    status, buttons = page.locator("#console-status"), page.locator("#screen [data-act]")
    with contextlib.suppress(OSError):
        _begin(_screen(site, len(evil)), screen_of(65535, 65535))  # sixteen gigabytes
    expect(page.locator("#screen")).to_have_attribute("data-connected", "true")
    buttons.and_(page.locator("[data-act=leave]")).click()
    expect(status).to_have_text("Disconnected")
    buttons.and_(page.locator("[data-act=connect]")).click()
    silent = _screen(site, len(evil) + 1)
    expect(status).to_contain_text("says nothing")
    _begin(silent, screen_of(64, 64))
    expect(status).to_have_text("Connected")
    told = page.evaluate("told")
    assert sum("what no browser understands" in text for text in told) >= len(evil), told
    assert page.evaluate("document.scripts.length") == scripts
    assert page.title() == title


def _screen(site: Site, number: int) -> socket.socket:
    """The test's end of the screen that is opened next."""
    wait_until(lambda: len(site.screens.behind) > number, 60, "another try")
    return site.screens.behind[number]


def _begin(line: socket.socket, screen: bytes, then: bytes = b"") -> None:
    """Show a screen of this kind, and when the other side has taken it say that."""
    _greet(line, BEGUN[0])
    line.recv(1)
    line.sendall(BEGUN[1])
    line.recv(1)
    line.sendall(screen)
    line.recv(1)
    line.sendall(then)


def _greet(line: socket.socket, then: bytes) -> None:
    line.settimeout(60)
    line.sendall(GREETING)
    assert line.recv(12) == GREETING
    line.sendall(then)


class Line:
    """A broker whose guest says what the test has it say."""

    def __init__(self, run_dir: Path, logs: Path) -> None:
        self.guest = Guest()
        self._loop, self._ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(run_dir, logs),))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self, run_dir: Path, logs: Path) -> None:
        broker, self._end = Broker(run_dir, logs, self.guest.open), asyncio.Event()
        broker._hosts = _Everywhere()
        serving = asyncio.ensure_future(broker.serve())
        self._ready.set()
        await self._end.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    def say(self, said: bytes) -> None:
        asyncio.run_coroutine_threadsafe(self._say(said), self._loop).result(20)

    async def _say(self, said: bytes) -> None:
        self.guest.says(said)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)


def _prints_commands_titles_links_and_megabytes(page: Page, line: "Line") -> None:
    """The page is as it was, and so is what was typed."""
    expect(page.locator("#screen")).to_have_attribute("data-connected", "true")
    rows, title, address = page.locator("#canvas .xterm-rows"), page.title(), page.url
    expect(rows).to_contain_text("login:")
    line.guest.typed = b""
    for said in (
        *(b"\x1b]0;owned\x07", b"\x1b]2;owned\x1b\\", b"\x1b[21t", b"\x1b]52;c;b3duZWQ=\x07", b"\x1b]52;c;?\x07"),
        *(b"\x1b]8;;javascript:document.title='owned'\x07link\x1b]8;;\x07", b"<script>owned()</script>"),
        *(b"\x1b[99999999;99999999H", b"\x1b[8;9999;9999t", b"\x1bP+q544e\x1b\\", b"\x1b]1337;File=:x\x07"),
        *(b"\x1b[?1049h\x1b[2J\x1bc", b"\xff\xfe\x00" * 1000, b"\x07" * 1000),
    ):
        line.say(said)
    for _ in range(64):  # sixteen megabytes, as fast as they are taken
        line.say(b"\x1b[31mx\r\n" * 32768)
    for _ in range(100):  # while he has not read all that, more of it is left out for him
        line.say(b"\x1bc\r\nstill here\r\n")
        with contextlib.suppress(AssertionError):
            expect(rows).to_contain_text("still here", timeout=500)
            break
    expect(rows).to_contain_text("still here")
    assert (page.title(), page.url, len(page.context.pages)) == (title, address, 1)
    assert b"owned" not in line.guest.typed, "what it asked for was typed back at it"
    page.locator("#canvas").click()
    page.keyboard.type("uname\n")
    expect(rows).to_contain_text("UNAME")
    expect(page.locator("#console-status")).to_have_text("Connected")
