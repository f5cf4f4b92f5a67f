"""Open pages are told of changes at once, by whatever wakes the hub, and of nothing that they may not see."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connections
from django.test import RequestFactory

from tests.actions.crowd import copied_database
from tests.factories import person
from tests.hypervisors.conftest import wait_until
from vms.actions import power
from vms.models import VM, User
from vms.web import alarm, hub
from vms.web.hub import Hub, Stream
from vms.web.live import live
from vms.wire.bell import DIRECTORY, Bell, ring

pytestmark = pytest.mark.sql


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: Any, tmp_path: Path) -> Iterator[None]:
    """A copy that threads share."""
    with django_db_blocker.unblock(), copied_database(tmp_path):
        yield


@pytest.fixture
def center(db: None) -> Iterator[Hub]:
    """A hub of its own, whose thread has ended when the test has."""
    made = Hub()
    yield made
    for stream in list(made._streams):
        made.leave(stream)
    wait_until(lambda: made._thread is None or not made._thread.is_alive(), 10, "the end of the hub's thread")


def told(center: Hub, user: User, act: Callable[[], object], *, within: float = 5.0) -> dict[str, list[str]] | None:
    """What an open page of somebody hears after something was done elsewhere; None when it hears nothing."""

    async def page() -> dict[str, list[str]] | None:
        stream = center.join(user.pk, "", asyncio.get_running_loop())
        assert stream is not None
        events = stream.events()
        assert await anext(events) == "retry: 2000\n\n"
        assert await asyncio.to_thread(center.reads.wait, 10)
        await asyncio.to_thread(_elsewhere, act)
        try:
            while True:
                line = await asyncio.wait_for(anext(events), within)
                if line.startswith("event: changed"):
                    found: dict[str, list[str]] = json.loads(line.partition("data: ")[2])
                    return found
        except TimeoutError:
            return None
        finally:
            center.leave(stream)

    return asyncio.run(page())


def _elsewhere(act: Callable[[], object]) -> None:
    try:
        act()
    finally:
        connections.close_all()


def test_a_change_is_told_without_looking_for_it(
    center: Hub, vm: VM, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm, "HEARD", 60.0)
    monkeypatch.setattr(alarm, "DEAF", 60.0)
    found = told(center, admin, lambda: power.start(vm, by=admin))
    assert found is not None
    assert found["vm"] == [str(vm.pk)]


def test_where_nothing_wakes_it_the_hub_looks_by_itself(
    center: Hub, vm: VM, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("no room for a bell")

    monkeypatch.setattr(alarm, "HEARD", 60.0)
    monkeypatch.setattr(Bell, "open", broken)
    monkeypatch.setattr(alarm.Notifications, "open", broken)
    found = told(center, admin, lambda: power.start(vm, by=admin))
    assert found is not None
    assert found["vm"] == [str(vm.pk)]


def test_nobody_is_told_of_what_he_may_not_see(
    center: Hub, vm: VM, headless_vm: VM, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    dora = person("dora", role="UserRole", vm=vm)

    def both() -> None:
        power.start(headless_vm, by=admin, accept_lockout=True)
        power.start(vm, by=admin)

    found = told(center, dora, both)
    assert found is not None
    assert found["vm"] == [str(vm.pk)]


def test_a_page_whose_session_has_ended_is_told_nothing_more(
    center: Hub, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "CHECKED", 0.0)

    async def page() -> list[str]:
        stream = center.join(admin.pk, "gone", asyncio.get_running_loop())
        assert stream is not None
        return [event async for event in stream.events()]

    assert asyncio.run(asyncio.wait_for(page(), 10)) == ["retry: 2000\n\n"]


def test_a_person_has_so_many_open_pages_and_a_process_so_many(
    center: Hub, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(hub, "MOST_OF_ONE", 2)
    streams = [center.join(admin.pk, "", loop) for _ in range(3)]
    assert [stream is not None for stream in streams] == [True, True, False]
    monkeypatch.setattr(hub, "MOST", 2)
    assert center.join(person("dora").pk, "", loop) is None
    loop.close()


def test_the_line_is_for_servers_that_can_keep_it_open(admin: User) -> None:
    request = RequestFactory().get("/live")
    request.user, request.session = admin, SessionStore()
    assert asyncio.run(live(request)).status_code == 204


def test_many_changes_at_once_are_one_message() -> None:
    async def page() -> str:
        stream = Stream(User().pk, "", asyncio.get_running_loop())
        events = stream.events()
        await anext(events)
        stream.tell({"vm": ["b"]})
        stream.tell({"vm": ["a", "b"], "job": ["c"]})
        return await anext(events)

    assert asyncio.run(page()) == 'event: changed\ndata: {"vm": ["a", "b"], "job": ["c"]}\n\n'


# -- the bell


def test_a_bell_is_heard_by_everybody_who_waits_and_by_nobody_twice(tmp_path: Path) -> None:
    bells = [Bell(tmp_path), Bell(tmp_path)]
    for bell in bells:
        bell.open()
    ring(tmp_path)
    ring(tmp_path)
    assert [bell.wait(1) for bell in bells] == [True, True]
    assert [bell.wait(0.01) for bell in bells] == [False, False]
    for bell in bells:
        bell.close()
    assert list((tmp_path / DIRECTORY).iterdir()) == []


def test_it_rings_while_somebody_waits(tmp_path: Path) -> None:
    bell = Bell(tmp_path)
    bell.open()
    hand = threading.Timer(0.05, ring, [tmp_path])
    hand.start()
    began = time.monotonic()
    assert bell.wait(10)
    assert time.monotonic() - began < 5
    bell.close()


def test_bells_that_were_left_behind_are_taken_down(tmp_path: Path) -> None:
    left = Bell(tmp_path)
    left.open()
    assert left._ear is not None
    left._ear.close()
    ring(tmp_path)
    assert list((tmp_path / DIRECTORY).iterdir()) == []
    ring(tmp_path / "nowhere")


def test_a_long_way_to_the_bell_is_no_hindrance(tmp_path: Path) -> None:
    far = tmp_path / ("x" * 120)
    bell = Bell(far)
    bell.open()
    ring(far)
    assert bell.wait(1)
    bell.close()


def test_an_alarm_that_breaks_is_hung_up_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RUN_DIR.mkdir(exist_ok=True)
    made = alarm.Alarm()
    made._rings = Bell(settings.RUN_DIR)
    assert made.hang()
    monkeypatch.setattr(made._rings, "wait", lambda _seconds: (_ for _ in ()).throw(DatabaseError("away")))
    made.wait(lambda: True)
    assert not made.hang()
    made._deaf_until = 0.0
    assert made.hang()
    made.close()
