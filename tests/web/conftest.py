"""Clients of people who have logged in, and machines of every kind that a list shows."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.web.browser import PATIENCE, WIDE, Open
from vms.models import VM, User


@pytest.fixture
def web(admin: User, client: Client) -> Client:
    """The administrator's browser."""
    client.force_login(admin)
    return client


@pytest.fixture
def url(vm: VM) -> str:
    """The address of `vm`."""
    return f"/vms/{vm.pk}/"


@pytest.fixture
def chromium(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A browser for one test: its event loop must not run while the database is made ready for the next one."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(admin: User, client: Client, chromium: Browser, live_server: Any) -> Iterator[Open]:
    """Opens a path as the administrator; a script that fails or a policy that is violated fails the test."""
    client.force_login(admin)
    complaints: list[str] = []
    contexts = []

    def opened(path: str, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **options})
        contexts.append(context)
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
    for context in contexts:
        context.close()
    assert complaints == []
