"""The two ends: the web asks quickly whoever is there, the engine answers those it knows."""

import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from vms.actions import power
from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.engine.door import Door
from vms.engine.requests import CALLERS, Requests
from vms.hypervisors.base import Hypervisor
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, User
from vms.wire import protocol
from vms.wire.client import EngineClient

QUICK = 2.0  # seconds on a machine that is busy with other tests; waiting for nobody would take for ever


class Bell:
    """Counts wake-up calls and can be waited for."""

    def __init__(self) -> None:
        self.rings = 0
        self._rung = threading.Condition()

    def ring(self) -> None:
        with self._rung:
            self.rings += 1
            self._rung.notify_all()

    def heard(self, times: int) -> bool:
        with self._rung:
            return self._rung.wait_for(lambda: self.rings >= times, timeout=5)


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def door(tmp_path: Path, bell: Bell) -> Iterator[Door]:
    made = Door(tmp_path, bell.ring)
    made.open()
    with closing(made):
        yield made


def connected(directory: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(5)
    with protocol.short_address(directory / protocol.SOCKET_NAME) as address:
        made.connect(address)
    return made


def heard(connection: socket.socket) -> bytes:
    """What comes back; nothing, too, when the other end hung up with something unread."""
    try:
        return connection.recv(64)
    except ConnectionResetError:
        return b""


# -- nobody there


@pytest.fixture(params=["no directory", "no socket", "a dead socket", "a file", "a full queue"])
def deserted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory in which no engine answers."""
    path = tmp_path / protocol.SOCKET_NAME
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as waiting:
        match request.param:
            case "no directory":
                yield tmp_path / "missing"
                return
            case "a dead socket":
                server.bind(str(path))
            case "a file":
                path.write_text("")
            case "a full queue":
                server.bind(str(path))
                server.listen(0)
                waiting.connect(str(path))
        yield tmp_path


def test_where_no_engine_is_the_web_goes_on_at_once(deserted: Path) -> None:
    began = time.monotonic()
    client = EngineClient(deserted, timeout=0.1)
    assert (client.wake(), client.alive()) == (False, False)
    assert time.monotonic() - began < QUICK


@pytest.mark.parametrize("answer", [b"", b"\x00", struct.pack("!I", 2**31), struct.pack("!I", 4) + b"nope"])
def test_an_engine_that_answers_nonsense_is_as_good_as_none(tmp_path: Path, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / protocol.SOCKET_NAME))
        server.listen()

        def serve() -> None:
            connection, _address = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert EngineClient(tmp_path).alive() is False
        thread.join()


def test_an_engine_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / protocol.SOCKET_NAME))
        server.listen()
        began = time.monotonic()
        assert EngineClient(tmp_path, timeout=0.1).wake() is False
        assert time.monotonic() - began < QUICK


# -- the door


def test_the_engine_answers_and_is_woken(door: Door, tmp_path: Path, bell: Bell) -> None:
    client = EngineClient(tmp_path)
    assert client.alive() is True
    assert bell.rings == 0
    assert client.wake() is True
    assert bell.heard(1)


def test_what_it_does_not_know_wakes_nobody(door: Door, tmp_path: Path, bell: Bell) -> None:
    with connected(tmp_path) as connection:
        for message in ({}, {"type": "sleep"}, {"type": ["wake"]}):
            protocol.send(connection, message)
            assert protocol.receive(connection) == {"type": "ok"}
    assert bell.rings == 0


def test_many_are_answered_at_once(door: Door, tmp_path: Path, bell: Bell) -> None:
    threads = [threading.Thread(target=EngineClient(tmp_path, timeout=5).wake) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bell.heard(32)


def test_one_that_says_nothing_keeps_nobody_waiting(door: Door, tmp_path: Path) -> None:
    with connected(tmp_path):
        assert EngineClient(tmp_path).alive() is True


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x00",
        b"\xff" * 64,
        struct.pack("!I", 60_000) + b"[" * 60_000,
        struct.pack("!I", 4) + b"nope",
        b"GET / HTTP/1.1\r\n",
    ],
)
def test_rubbish_is_hung_up_on_without_a_word_and_harms_nobody(
    door: Door, tmp_path: Path, rubbish: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with connected(tmp_path) as connection:
        connection.sendall(rubbish)
        connection.shutdown(socket.SHUT_WR)
        assert heard(connection) == b""
    assert EngineClient(tmp_path).alive() is True
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("uid", "answered"), [(0, True), (1000, True), (1001, False), (65534, False)])
def test_only_root_and_the_engines_own_user_are_answered(
    door: Door,
    tmp_path: Path,
    bell: Bell,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    uid: int,
    answered: bool,
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(protocol, "peer_uid", lambda _connection: uid)
    with caplog.at_level(logging.WARNING):
        assert EngineClient(tmp_path).wake() is answered
    assert (bell.rings, f"uid {uid}" in caplog.text) == (int(answered), not answered)


def test_the_door_is_for_its_owner_alone(door: Door, tmp_path: Path) -> None:
    assert (tmp_path / protocol.SOCKET_NAME).stat().st_mode & 0o777 == 0o600


def test_a_closed_door_is_gone_and_can_be_made_again(tmp_path: Path, bell: Bell) -> None:
    for _ in range(2):
        door = Door(tmp_path, bell.ring)
        door.open()
        assert EngineClient(tmp_path).alive() is True
        door.close()
        assert not (tmp_path / protocol.SOCKET_NAME).exists()
        assert EngineClient(tmp_path).alive() is False


def test_a_socket_that_a_killed_engine_left_is_no_obstacle(tmp_path: Path, bell: Bell) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / protocol.SOCKET_NAME))
    door = Door(tmp_path, bell.ring)
    door.open()
    with closing(door):
        assert EngineClient(tmp_path).alive() is True


def test_a_door_works_however_deep_its_directory_lies(tmp_path: Path, bell: Bell) -> None:
    deep = tmp_path.joinpath(*["a-long-name-for-a-directory"] * 8)
    deep.mkdir(parents=True)
    door = Door(deep, bell.ring)
    door.open()
    with closing(door):
        assert EngineClient(deep).wake() is True


# -- requests

HOST, MACHINE = uuid4(), uuid4()
TICKET = Ticket.of(Protocol.SPICE, Secret("a secret"), 60)


@contextmanager
def taking(directory: Path, driver: Callable[[UUID], Hypervisor]) -> Iterator[EngineClient]:
    """An engine with one host."""
    requests = Requests(driver)
    made = Door(directory, lambda: None, requests.answers)
    made.open()
    with closing(requests), closing(made):
        yield EngineClient(directory)


class Told(MemoryHypervisor):
    """A host that keeps what it was told."""

    def __init__(self, answer: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._answer = answer
        self.told: list[tuple[UUID, Ticket]] = []

    def set_ticket(self, machine: UUID, ticket: Ticket) -> None:
        self.told.append((machine, ticket))
        self._answer()


def refusing(no: Refusal) -> Callable[..., Any]:
    def refuse(*_: object) -> Any:
        raise no

    return refuse


def test_a_ticket_reaches_the_host_that_it_is_for(tmp_path: Path) -> None:
    host = Told()
    asked: list[UUID] = []

    def driver(key: UUID) -> Hypervisor:
        asked.append(key)
        return host

    with taking(tmp_path, driver) as client:
        client.set_ticket(HOST, MACHINE, TICKET)
    assert (asked, host.told) == ([HOST], [(MACHINE, TICKET)])


def test_what_a_host_or_the_engine_refuses_reaches_who_asked(tmp_path: Path) -> None:
    no = Refusal("GRAPHICS_CONSOLE_NOT_FOUND", "protocol", protocol="SPICE")
    for driver in (refusing(no), lambda _host: Told(refusing(no))):
        with taking(tmp_path, driver) as client, pytest.raises(Refusal) as refused:
            client.set_ticket(HOST, MACHINE, TICKET)
        assert (refused.value.code, refused.value.field, refused.value.params) == (no.code, no.field, no.params)


def test_a_request_that_makes_no_sense_fails_and_its_password_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = {"type": "ticket", "host": str(HOST), "machine": str(MACHINE), "protocol": "vnc", "seconds": 9}
    with taking(tmp_path, lambda _host: Told()), connected(tmp_path) as connection:
        for wrong in ({}, {"password": ["hush"]}, {"password": "hush", "host": "hush"}, {"password": "hush" * 9}):
            protocol.send(connection, whole | wrong)
            answer = protocol.receive(connection)
            assert answer is not None
            assert answer["type"] == "refused"
    assert "hush" not in caplog.text


def test_a_host_that_hangs_is_given_up_and_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vms.engine.requests.WITHIN", 0.2)
    free, other = threading.Event(), Told()
    hung = Told(lambda: (free.wait(10), None)[1])
    with taking(tmp_path, lambda host: hung if host == HOST else other) as client:
        for _ in range(CALLERS + 1):
            with pytest.raises(Refusal, match="HOST_NOT_RESPONDING"):
                client.set_ticket(HOST, MACHINE, TICKET)
        client.set_ticket(uuid4(), MACHINE, TICKET)
        free.set()
    assert other.told == [(MACHINE, TICKET)]


def test_where_no_engine_is_a_request_is_refused(deserted: Path) -> None:
    with pytest.raises(Refusal, match="ENGINE_NOT_RUNNING"):
        EngineClient(deserted, timeout=0.1, patience=0.1).set_ticket(HOST, MACHINE, TICKET)


def test_an_engine_that_does_not_know_the_request_has_not_done_it(door: Door, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="ENGINE_NOT_RUNNING"):
        EngineClient(tmp_path).set_ticket(HOST, MACHINE, TICKET)


@pytest.mark.django_db
@pytest.mark.sql
def test_an_action_wakes_the_engine_once_it_is_committed(
    vm: VM, admin: User, bell: Bell, settings: Settings, django_capture_on_commit_callbacks: Any
) -> None:
    door = Door(settings.RUN_DIR, bell.ring)
    door.open()
    with closing(door):
        with django_capture_on_commit_callbacks(execute=True):
            power.start(vm, by=admin)
            assert bell.rings == 0
        assert bell.heard(1)
