"""`manage.py serve`, as `make run` runs it: ready soon, stopped whole, and nothing lost in between."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from django.contrib.auth.hashers import check_password
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import database_in
from tests.hypervisors.conftest import wait_until
from vms.models import VM, Host, HostStatus, User
from vms.wire.client import EngineClient

ROOT = Path(__file__).parents[2]
T = TypeVar("T")
PASSWORD, ANOTHER = "correct horse battery", "another horse battery"
READY_WITHIN = 120.0  # seconds on a busy machine, the first time: tables, static files, demonstration data
AGAIN_WITHIN = 5.0  # seconds, on a machine with nothing else to do
ENDS_WITHIN = 15.0  # seconds


class Server:
    """A `manage.py serve` with state below `home`."""

    def __init__(self, home: Path, port: int, **environment: str) -> None:
        self.home, self.port = home, port
        self.log = home.parent / f"{home.name}-{time.monotonic_ns()}.log"
        kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "ADMIN_PASSWORD"}}
        settings = {
            "DATA_DIR": str(home),
            "PORT": str(port),
            "HYPERVISOR": "memory",
            "PYTHONUNBUFFERED": "1",
            "SSH_PORT": str(free_port()),
        }
        began = time.monotonic()
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=ROOT,
                env={**kept, **settings, **environment},
                stdout=output,
                stderr=output,
            )
        wait_until(
            lambda: "is ready:" in self.output or self.process.poll() is not None, READY_WITHIN, "the server is ready"
        )
        self.took = time.monotonic() - began

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def parts(self) -> dict[str, int]:
        """The process ids of the web server, the engine and the SSH door."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words, stat = (path / "cmdline").read_bytes().split(b"\0"), (path / "stat").read_text()
            except OSError:  # it has just ended
                continue
            if int(stat.rpartition(")")[2].split()[1]) == self.process.pid:
                found[next((name for name in ("engine", "ssh") if name.encode() in words), "web")] = int(path.name)
        return found

    def get(self, path: str) -> tuple[int, bytes]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.status, answer.read()

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Ask it to end; returns the seconds that it took."""
        asked = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - asked


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass
class Place:
    """Where servers run one after the other, as on one machine over the years."""

    home: Path
    port: int
    started: list[Server] = field(default_factory=list)

    def serve(self, **environment: str) -> Server:
        # The demonstration guest is another story; without one its machines are there all the same.
        no_guest = {"PATH": str(self.home.parent / "no-programs")}
        self.started.append(Server(self.home, self.port, **no_guest, **environment))
        return self.started[-1]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("serve") / "data"
    home.mkdir()
    made = Place(home, free_port())
    yield made
    for server in made.started:
        if server.process.poll() is None:
            server.stop()


@dataclass(frozen=True)
class Seen:
    """What a server was like from its start to its end."""

    server: Server
    health: tuple[int, str]
    parts: dict[str, int]
    machines: list[str]
    password: str
    ended_after: float

    @property
    def left_over(self) -> list[str]:
        return [name for name, pid in self.parts.items() if alive(pid)]


def watched(server: Server, blocker: DjangoDbBlocker, ended_by: signal.Signals) -> Seen:
    assert server.process.poll() is None, server.output
    status, body = server.get("/healthz")
    wait_until(EngineClient(server.home / "run").alive, 30, "the engine's answer")
    parts, machines, password = server.parts, machines_in(server, blocker), stored_password(server, blocker)
    return Seen(server, (status, json.loads(body)["status"]), parts, machines, password, server.stop(ended_by))


@pytest.fixture(scope="module")
def first(place: Place, django_db_blocker: DjangoDbBlocker) -> Seen:
    """The first start, with nothing but an empty directory; it is asked to end as a service manager asks."""
    return watched(place.serve(), django_db_blocker, signal.SIGTERM)


@pytest.fixture(scope="module")
def second(first: Seen, place: Place, django_db_blocker: DjangoDbBlocker) -> Seen:
    """The next start, which is given a password, and is ended by Ctrl-C."""
    return watched(place.serve(ADMIN_PASSWORD=PASSWORD), django_db_blocker, signal.SIGINT)


@pytest.fixture
def running(second: Seen, place: Place, django_db_blocker: DjangoDbBlocker) -> Server:
    """One that runs; the first of them found no administrator and was given his password."""
    if place.started[-1].process.poll() is not None:
        former = f"admin {len(place.started)}"
        admin = User.objects.filter(username="admin")
        in_database(second.server, django_db_blocker, lambda: admin.update(username=former))
        place.serve(ADMIN_PASSWORD=ANOTHER)
    return place.started[-1]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_gets_ready_answers_and_ends_whole(first: Seen) -> None:
    assert first.health == (200, "ok")
    assert set(first.parts) == {"engine", "web", "ssh"}
    assert first.ended_after < ENDS_WITHIN
    assert first.left_over == []
    assert "Traceback" not in first.server.output


def test_ctrl_c_ends_it_whole_too(second: Seen) -> None:
    assert second.ended_after < ENDS_WITHIN
    assert second.left_over == []
    assert "Traceback" not in second.server.output


def test_a_second_start_is_quick_and_finds_everything_again(first: Seen, second: Seen) -> None:
    # What a busy machine takes longer the first time it takes longer the second time too.
    assert second.server.took < max(AGAIN_WITHIN, first.server.took)
    assert second.machines == first.machines != []


def test_without_a_password_one_is_made_and_shown_once(first: Seen, second: Seen) -> None:
    shown = first.server.output.partition("password: ")[2].split()[0]
    assert check_password(shown, first.password)
    assert first.password.startswith("argon2")
    assert shown not in second.server.output


def test_a_password_that_is_given_becomes_the_administrators(second: Seen) -> None:
    assert check_password(PASSWORD, second.password)
    assert PASSWORD not in second.server.output


def test_an_administrator_is_made_with_the_password_that_is_given(
    running: Server, django_db_blocker: DjangoDbBlocker
) -> None:
    assert check_password(ANOTHER, stored_password(running, django_db_blocker))
    assert ANOTHER not in running.output


def test_an_engine_that_dies_is_started_again(running: Server, django_db_blocker: DjangoDbBlocker) -> None:
    dead = running.parts["engine"]
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: running.parts.get("engine") not in {None, dead}, 30, "another engine")
    wait_until(EngineClient(running.home / "run").alive, 30, "its answer")
    wait_until(lambda: host_status(running, django_db_blocker) == HostStatus.UP, 30, "its host is up")


def test_a_taken_port_is_told_in_one_sentence(running: Server, place: Place) -> None:
    refused = place.serve()
    place.started.remove(refused)
    assert refused.process.wait(30) != 0
    assert "PORT" in refused.output
    assert "Traceback" not in refused.output


def test_a_web_server_that_dies_ends_the_engine_with_it(running: Server) -> None:
    parts = running.parts
    os.kill(parts["web"], signal.SIGKILL)
    assert running.process.wait(ENDS_WITHIN) != 0
    assert not alive(parts["engine"])


def in_database(server: Server, blocker: DjangoDbBlocker, question: Callable[[], T]) -> T:
    """Ask the server's database, from outside."""
    with blocker.unblock(), database_in(server.home / "db.sqlite3"):
        return question()


def machines_in(server: Server, blocker: DjangoDbBlocker) -> list[str]:
    return in_database(server, blocker, lambda: sorted(VM.objects.values_list("name", flat=True)))


def stored_password(server: Server, blocker: DjangoDbBlocker) -> str:
    return in_database(server, blocker, lambda: User.objects.get(username="admin").password)


def host_status(server: Server, blocker: DjangoDbBlocker) -> str:
    return in_database(server, blocker, lambda: Host.objects.get().status)
