"""Every text for people can be translated: with all translations in brackets, nothing but data is left."""

import re
from html.parser import HTMLParser
from typing import Final

import pytest
from django.test import Client
from django.utils import translation

from tests.actions.runs import choosing, claimed, up
from tests.factories import headless, machine
from vms.actions import edit, jobs, power
from vms.domain.changes import Changes
from vms.domain.errors import Refusal
from vms.domain.osinfo import OPERATING_SYSTEMS
from vms.domain.runonce import ConsoleChoice
from vms.forms import InstanceTypeForm, PoolForm, TemplateForm
from vms.models import Host, InstanceType, Pool, Template, User

pytestmark = pytest.mark.django_db

READ_OUT: Final = ("aria-label", "title", "alt", "placeholder")

# Names of things that are called the same in all languages, and data of the machines below.
DATA: Final = {
    *("Headless", "WebAdmin", "VNC", "SPICE", "VGA", "QXL", "Bochs", "MiB", "English", "Deutsch", "Español"),
    *("admin", "web", "db", "once", "alice", "local", "Default", "Blank", "Large", "Medium", "Small", "Tiny", "XLarge"),
    *("vga", "vnc", "usb", "unix", "virtio", "tablet", "memballoon", "serial", "name", "org", "qemu", "guest", "agent"),
    *("cdrom", "ovirt", "source", "urandom", "VirtIO", "SCSI", "nic", "ovirtmgmt"),
    *("ROM", "dev", "urandom", "random", "hwrng", "hugepages", "extra", "cpu", "flags", "kvm", "hidden"),
    *(word for system in OPERATING_SYSTEMS.values() for word in system.name.split()),
    # What is written into a guest's boot configuration.
    *("GRUB", "TERMINAL", "SERIAL", "COMMAND", "CMDLINE", "LINUX", "console", "unit", "speed", "tty", "ttyS"),
    # Keys, and words of the search language.
    *("Alt", "Ctrl", "Enter", "Esc", "status", "and", "tag", "shop", "severity", "normal", "time", "today", "started"),
    *("heads", "vram", "model", "xhci", "mac", "pci", "ram", "vgamem", "type", "slot", "bus", "domain", "function"),
}


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        attrs = dict(attributes)
        value = attrs.get("value") or ""
        self._silent += tag in {"script", "style"} or (tag == "option" and len(value) < 6)
        self.found += [attrs[name] or "" for name in READ_OUT if name in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style", "option"} and self._silent:
            self._silent -= 1

    def handle_data(self, text: str) -> None:
        if not self._silent:
            self.found.append(text)


@pytest.fixture(autouse=True)
def _bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    translation.gettext("wake")
    trans = translation._trans  # type: ignore[attr-defined]
    monkeypatch.setattr(trans, "gettext", lambda message: f"⟦{message}⟧" if message else "")
    monkeypatch.setattr(trans, "pgettext", lambda _context, message: f"⟦{message}⟧")
    monkeypatch.setattr(trans, "ngettext", lambda one, many, number: f"⟦{one if number == 1 else many}⟧")


def left_over(html: str) -> set[str]:
    """The words of a page that no translation gave."""
    parsed = _Texts()
    parsed.feed(html)
    text = " \n ".join(parsed.found)
    while "⟦" in text:
        text, brackets = re.subn(r"⟦[^⟦⟧]*⟧", " ", text)
        assert brackets, text
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|([0-9a-f]{2}:){5}[0-9a-f]{2}", " ", text)
    return {word for word in re.findall(r"[^\W\d_]{3,}", text) if word not in DATA}


@pytest.fixture
def paths(admin: User, host: Host) -> list[str]:
    """The addresses of machines in every state that has words of its own."""
    pending = up(machine("web", by=admin), host, by=admin)
    edit.edit(pending, Changes(console=headless, machine={"memory": 2048}), by=admin)
    quiet = machine("db", by=admin, console=headless)
    power.start(quiet, by=admin)
    jobs.fail(claimed(host), Refusal("BOOT_FILE_MISSING", "kernel", file="1"))
    once = machine("once", by=admin, console=headless)
    up(once, host, by=admin, overlay=choosing(ConsoleChoice.VNC))
    tabs = ("", "devices", "console", "events", "edit", "run-once", "prepare", "remove")
    whole = ("/dashboard/", "/events/", "/tasks/", "/tags", "/bookmarks", "/vms/many?verb=headless&all=1")
    return [*whole, "/vms/", "/vms/new", *(f"/vms/{vm.pk}/{tab}" for vm in (pending, quiet, once) for tab in tabs)]


def test_no_page_says_anything_untranslated(web: Client, paths: list[str]) -> None:
    found = {path: left_over(web.get(path).content.decode()) for path in paths}
    assert {path: words for path, words in found.items() if words} == {}


def test_no_refusal_says_anything_untranslated(web: Client, paths: list[str]) -> None:
    for path in (path for path in paths if path.endswith(("edit", "run-once", "/vms/new"))):
        answer = web.post(path, {"version": "1", "memory": "1", "name": "-", "console": "-", "protocol": "-"})
        assert answer.status_code == 422
        assert left_over(answer.content.decode()) == set()


def test_no_answer_to_a_verb_says_anything_untranslated(web: Client, paths: list[str]) -> None:
    for path in (path for path in paths if re.fullmatch(r"/vms/[0-9a-f-]{36}/", path)):
        for verb in ("start", "reset", "suspend"):
            answer = web.post(f"{path}actions/{verb}", follow=True)
            assert left_over(answer.content.decode()) == set()


@pytest.mark.parametrize("path", ["/accounts/login/", "/nowhere"])
def test_no_page_outside_says_anything_untranslated(path: str, client: Client) -> None:
    assert left_over(client.get(path).content.decode()) == set()


def test_the_log_in_refuses_in_a_translated_sentence(client: Client) -> None:
    answer = client.post("/accounts/login/", {"username": "admin", "password": ""})
    assert left_over(answer.content.decode()) == set()


def test_who_is_sent_away_is_told_in_a_translated_sentence(carol: User, client: Client) -> None:
    client.force_login(carol)
    assert left_over(client.get("/vms/").content.decode()) <= {"carol"}


@pytest.mark.parametrize(
    ("form_class", "row"), [(TemplateForm, Template()), (PoolForm, Pool()), (InstanceTypeForm, InstanceType())]
)
def test_the_labels_of_every_kind_are_translated(form_class: type, row: object, admin: User) -> None:
    form = form_class(row=row, by=admin)
    untranslated = [name for name, field in form.fields.items() if not str(field.label).startswith("⟦")]
    assert [name for name in untranslated if not name.startswith("property_")] == ["version", "state"]
