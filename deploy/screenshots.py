"""A gallery of the pages and dialogs: both themes, wide and narrow, from an installation of its own that plays only."""

import argparse
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
PASSWORD: Final = secrets.token_urlsafe()
SIZES: Final[dict[str, ViewportSize]] = {
    "1280": {"width": 1280, "height": 900},
    "400": {"width": 400, "height": 800},
}
THEMES: Final = ("light", "dark")
READY_WITHIN: Final = 180.0  # seconds

Step = Callable[[Page], Any]


def opened(opener: str, *steps: Step) -> Step:
    """Open the dialog behind a button, and go on in it."""

    def go(page: Page) -> None:
        page.locator(opener).first.click()
        page.locator("#dialog[open]").wait_for()
        for step in steps:
            step(page)

    return go


def drawn(opener: str) -> Step:
    """Open a drawer beside the page."""

    def go(page: Page) -> None:
        page.locator(opener).click()
        page.locator("#drawer-title").wait_for()

    return go


def tab(key: str) -> Step:
    def go(page: Page) -> None:
        if page.locator("#form-view[value=advanced]").count():
            click("#form-view")(page)
        page.locator(f"#form-tab-{key}").click()

    return go


def answered(act: Step) -> Step:
    """Do something that the server answers, and wait until the answer is in its place."""

    def go(page: Page) -> None:
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            act(page)
        page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")

    return go


def check(field: str) -> Step:
    return answered(lambda page: page.locator(f"#id_{field}").check())


def choose(field: str, label: str) -> Step:
    return answered(lambda page: page.locator(f"#id_{field}").select_option(label=label))


def click(what: str) -> Step:
    return answered(lambda page: page.locator(what).first.click())


TABS: Final = ("general", "system", "console", "host", "availability", "resources", "boot", "random", "properties")

# Name → where it begins, and what is done there before the picture is taken.
SHOTS: Final[dict[str, tuple[str, Step | None]]] = {
    "dashboard": ("/", None),
    "list": ("/vms/", None),
    "list-actions": ("/vms/", opened(".app-more")),
    "list-columns": ("/vms/", opened("#do-columns")),
    "notifications": ("/vms/", drawn("#open-notifications")),
    "recent-tasks": ("/vms/", drawn("#open-tasks")),
    "general": ("demo-graphical", None),
    "general-headless": ("demo-headless", None),
    "console-headless": ("demo-headless console", None),
    "devices": ("demo-graphical devices", None),
    "templates": ("/templates/", None),
    "new-basic": ("/vms/", opened("#do-new")),
    "new-locked-out": ("/vms/", opened("#do-new", check("headless"))),
    "new-resources": ("/vms/", opened("#do-new", tab("resources"))),
    "new-high-performance": ("/vms/", opened("#do-new", choose("vm_type", "High Performance"))),
    "new-instance-type": ("/vms/", opened("#do-new", choose("instance_type", "Large"))),
    **{f"edit-{key}": ("demo-graphical", opened("#do-edit", tab(key))) for key in TABS},
    "edit-console-headless": ("demo-graphical", opened("#do-edit", tab("console"), check("headless"))),
    "edit-xml": (
        "demo-graphical",
        opened(
            "#do-edit",
            tab("console"),
            check("headless"),
            click("#show-xml"),
            lambda page: page.locator(".app-xml").wait_for(),
        ),
    ),
    "edit-as-page": ("demo-graphical edit?tab=console", None),
    "pool-type": ("/pools/", opened("#do-new", tab("type"))),
    "run-once": ("demo-headless", opened("#do-run-once")),
    "prepare": ("demo-graphical prepare", None),
    "fleet": ("/vms/many?verb=headless&all=1", None),
    "clone": ("demo-graphical", opened("#do-clone")),
    "new-template": ("demo-graphical", opened("#do-make-template")),
    "remove": ("demo-graphical", opened("#do-remove")),
}


# How much of the page or of the open dialog lies below the edge of its own scrolling part.
_HIDDEN: Final = """() => Math.max(0, ...[...document.querySelectorAll(
  "#dialog[open] .pf-v6-c-modal-box__body, .pf-v6-c-page__main, .pf-v6-c-page__main-container")]
  .filter((part) => !document.querySelector("#dialog[open]") || part.closest("#dialog"))
  .map((part) => part.scrollHeight - part.clientHeight))"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("directory", nargs="?", help="where the pictures go; a new temporary one by default")
    options.add_argument("--only", default="", help="the names of pictures, comma separated")
    options.add_argument("--size", choices=SIZES, action="append")
    options.add_argument("--theme", choices=THEMES, action="append")
    given = options.parse_args()
    target = Path(given.directory or tempfile.mkdtemp(prefix="screenshots-"))
    target.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if not chromium:
        sys.exit("Chromium is not installed: there is nothing to take pictures with.")
    names = [name for name in given.only.split(",") if name] or list(SHOTS)
    with _installation() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        machines = _machines(browser, url)
        for theme in given.theme or THEMES:
            for size in given.size or SIZES:
                _gallery(browser, url, machines, target, names, theme, size)
        browser.close()
    print(f"{len(list(target.glob('*.png')))} pictures in {target}")


def _gallery(
    browser: Browser, url: str, machines: dict[str, str], target: Path, names: list[str], theme: Any, size: str
) -> None:
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(20_000)
    _log_in(page, url)
    for name in names:
        begin, step = SHOTS[name]
        page.goto(url + _address(begin, machines))
        if step:
            step(page)
        page.wait_for_load_state("networkidle")
        hidden = page.evaluate(_HIDDEN)
        page.set_viewport_size({"width": SIZES[size]["width"], "height": SIZES[size]["height"] + hidden})
        page.screenshot(path=target / f"{name}-{size}-{theme}.png")
        page.set_viewport_size(SIZES[size])
    context.close()


def _address(begin: str, machines: dict[str, str]) -> str:
    if begin.startswith("/"):
        return begin
    name, _blank, below = begin.partition(" ")
    return machines[name] + below


def _log_in(page: Page, url: str) -> None:
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}/**")


def _machines(browser: Browser, url: str) -> dict[str, str]:
    """The addresses of the demonstration machines, by name."""
    page = browser.new_page()
    _log_in(page, url)
    page.goto(f"{url}/vms/")
    links = page.locator("tbody th a")
    links.first.wait_for()
    found = {links.nth(at).inner_text(): links.nth(at).get_attribute("href") or "" for at in range(links.count())}
    page.close()
    return found


@contextmanager
def _installation() -> Iterator[str]:
    """An installation with demonstration data, whose hypervisor only plays; gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="gallery-") as data:
        told = {
            "DATA_DIR": data,
            "PORT": str(port),
            "HYPERVISOR": "memory",
            "ADMIN_PASSWORD": PASSWORD,
            "DATABASE_URL": "",
        }
        environment = {**os.environ, **told}
        del environment["DATABASE_URL"]
        serving = subprocess.Popen([sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            serving.terminate()
            serving.wait(30)


def _wait_for(url: str) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):  # noqa: S310  (our own server)
                return
        except OSError:
            time.sleep(0.2)
    sys.exit("The installation for the pictures did not come up.")


if __name__ == "__main__":
    main()
