"""The log of a serial line: run by run, searched, for whoever may use the line, and nothing of who had it before."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from tests.actions.runs import down, fresh, up
from tests.factories import machine, person
from tests.web.test_vm_detail import text_of
from vms.actions import create, logs, pools
from vms.domain.console import Console, Offer, Recording
from vms.domain.transcript import GAP
from vms.models import VM, Host, Permission, Role, User

pytestmark = pytest.mark.django_db

FIRMWARE = "\x1b[2JSeaBIOS (version 1)\r\n"


def with_line(console: Console, _offer: Offer) -> Console:
    return replace(console.as_headless(), serial=True)


@pytest.fixture
def quiet(admin: User) -> VM:
    return machine("quiet", by=admin, console=with_line)


@pytest.fixture(autouse=True)
def place(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    settings.SERIAL_DIR = tmp_path
    yield tmp_path
    logs._transcript.cache_clear()


def said(place: Path, vm: VM, text: str, began: datetime | None = None, part: str = "log") -> str:
    """A run that was written down; its name."""
    run = (began or datetime.now(UTC)).strftime("%Y%m%dT%H%M%S%f")
    (place / str(vm.pk)).mkdir(exist_ok=True)
    (place / str(vm.pk) / f"{run}.{part}").write_text(text, newline="")
    return run


def test_it_begins_with_the_last_boot_of_the_last_run_and_leads_to_all_others(
    web: Client, quiet: VM, place: Path
) -> None:
    older = said(place, quiet, "yesterday\r\n", datetime.now(UTC) - timedelta(days=1))
    said(place, quiet, f"{FIRMWARE}first boot\r\n{FIRMWARE}\x1b[1msecond <b>boot\r\n")
    for portal in ("/vms", "/portal/vms"):
        url = f"{portal}/{quiet.pk}/console/log"
        html = web.get(url).content.decode()
        assert "second &lt;b&gt;boot" in html
        assert "first boot" not in html
        assert f'href="{url}?run=' in html
        text = text_of(web, url)
        assert "Lines 3–5 of 5" in text
        assert "Runs kept at most: 10; days at most: 30;" in text
        assert "It may hold secrets." in text
        assert "yesterday" in text_of(web, f"{url}?run={older}")
        assert "first boot" in text_of(web, f"{url}?at=1")


def test_it_is_searched_on_the_server(web: Client, quiet: VM, place: Path) -> None:
    said(place, quiet, "".join(f"line {number}\r\n" for number in range(1, 1501)))
    url = f"/vms/{quiet.pk}/console/log"
    assert "11 lines hold it." in text_of(web, f"{url}?find=LINE+140")
    assert "at=1390#L1400" in web.get(f"{url}?find=LINE+140").content.decode()
    assert "0 lines hold it." in text_of(web, f"{url}?find=<script>")
    assert "<script>alert" not in web.get(f"{url}?find=<script>alert(1)</script>").content.decode()
    assert "The last 200 of 1500 lines" in text_of(web, f"{url}?find=line")
    assert "Lines 501–1000 of 1501" in text_of(web, f"{url}?at=501")
    assert "Lines 1501–1501 of 1501" in text_of(web, f"{url}?at=999999999")


def test_nonsense_in_the_address_shows_what_there_is(web: Client, quiet: VM, place: Path) -> None:
    said(place, quiet, "only line")
    url = f"/vms/{quiet.pk}/console/log"
    for asked in ("at=-1", "at=x", "at=²", "at=99999999999", "run=", f"find={'x' * 5000}", "at="):
        assert web.get(f"{url}?{asked}").status_code == 200, asked
    for run in ("../../etc/passwd", "20990101T000000000000", "x"):
        assert "only line" not in web.get(url, {"run": run}).content.decode()
        assert "was written down" in web.get(f"{url}/text", {"run": run}, follow=True).content.decode()


def test_it_is_downloaded_plain_or_as_it_came(web: Client, quiet: VM, place: Path) -> None:
    run = said(place, quiet, FIRMWARE)
    for end, text in (("tail.1", "middle\r\n"), ("tail", "\x1b]0;title\x07end\r\n")):
        (place / str(quiet.pk) / f"{run}.{end}").write_text(text, newline="")
    url = f"/vms/{quiet.pk}/console/log/text"
    plain, raw = web.get(url), web.get(f"{url}?raw")
    assert plain["Content-Type"] == "text/plain; charset=utf-8"
    lines = plain.content.decode().splitlines()
    assert [line for line in lines if line] == ["SeaBIOS (version 1)", GAP, "middle", "end"]
    assert raw.content.decode().startswith("\x1b[2JSeaBIOS")
    assert "no-store" in raw["Cache-Control"]


def test_who_may_not_use_the_line_reads_nothing(web: Client, client: Client, quiet: VM, place: Path) -> None:
    said(place, quiet, "secret")
    bob = person("bob", role="UserRole", vm=quiet)
    client.force_login(bob)
    for page in ("log", "log/text"):
        answer = client.get(f"/portal/vms/{quiet.pk}/console/{page}", follow=True)
        assert "secret" not in answer.content.decode()
    assert "Your roles do not allow you" in text_of(client, f"/portal/vms/{quiet.pk}/console/log")


def test_the_next_holder_of_a_pools_machine_reads_nothing_of_the_one_before(
    admin: User, host: Host, client: Client, web: Client, place: Path
) -> None:
    pool = create.pool("desk", cluster=host.cluster, size=1, by=admin)
    alice, bob = person("alice"), person("bob")
    serial = Role.objects.get(name="UserVmManager")
    for each in (alice, bob):
        Permission.objects.create(user=each, role=Role.objects.get(name="UserRole"), pool=pool)
    vm = pools.take(pool, by=alice, start=False)
    VM.objects.filter(pk=vm.pk).update(serial_console=True)
    mine = Permission.objects.create(user=alice, role=serial, vm=vm)
    said(place, vm, "password of alice")
    url = f"/portal/vms/{vm.pk}/console/log"
    client.force_login(alice)
    assert "password of alice" in client.get(url).content.decode()
    mine.delete()
    pools.give_back(fresh(vm), by=alice)
    vm = pools.take(pool, by=bob, start=False)
    Permission.objects.create(user=bob, role=serial, vm=vm)
    client.force_login(bob)
    for page in (url, f"{url}?find=password", f"{url}/text"):
        assert "of alice" not in client.get(page, follow=True).content.decode(), page
    said(place, vm, "words of bob")
    assert "words of bob" in client.get(url).content.decode()
    web.force_login(admin)
    earlier = web.get(f"/vms/{vm.pk}/console/log").context["runs"]
    assert len(earlier) == 2, "whoever looks after pools looks into what went wrong"


def test_what_is_written_down_is_said_before_anything_is_typed(web: Client, quiet: VM, host: Host, admin: User) -> None:
    told = "is written down, from the firmware"
    for recording, shown in ((Recording.HEADLESS, True), (Recording.NEVER, False), (Recording.ALWAYS, True)):
        VM.objects.filter(pk=quiet.pk).update(recording=recording)
        up(fresh(quiet), host, by=admin)
        for page in ("serial", "log"):
            assert (told in text_of(web, f"/vms/{quiet.pk}/console/{page}")) == shown, (recording, page)
        down(fresh(quiet), host)
