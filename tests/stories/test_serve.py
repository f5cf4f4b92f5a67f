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
from pathlib import Path

import pytest
from django.contrib.auth.hashers import check_password

from tests.engine.conftest import database_in
from tests.hypervisors.conftest import wait_until
from vms.models import VM, Host, HostStatus, User
from vms.wire.client import EngineClient

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"
READY_WITHIN = 60.0  # seconds, the first time: tables, static files, demonstration data
AGAIN_WITHIN = 5.0  # seconds, on a machine with nothing else to do
ENDS_WITHIN = 15.0  # seconds


class Server:
    """A `manage.py serve` with state below `home`."""

    def __init__(self, home: Path, port: int, **environment: str) -> None:
        self.home, self.port = home, port
        self.log = home.parent / f"{home.name}-{time.monotonic_ns()}.log"
        kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "ADMIN_PASSWORD"}}
        settings = {"DATA_DIR": str(home), "PORT": str(port), "HYPERVISOR": "memory", "PYTHONUNBUFFERED": "1"}
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
        """The process ids of the web server and the engine."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words, stat = (path / "cmdline").read_bytes().split(b"\0"), (path / "stat").read_text()
            except OSError:  # it has just ended
                continue
            if int(stat.rpartition(")")[2].split()[1]) == self.process.pid:
                found["engine" if b"engine" in words else "web"] = int(path.name)
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


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home, started = tmp_path / "data", []
    home.mkdir()
    # The demonstration guest is another story; without one its machines are there all the same.
    no_guest = {"PATH": str(tmp_path / "no-programs")}

    def start(**environment: str) -> Server:
        started.append(Server(home, port, **no_guest, **environment))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_it_gets_ready_answers_and_ends_whole(serve: Callable[..., Server]) -> None:
    server = serve(ADMIN_PASSWORD=PASSWORD)
    assert server.process.poll() is None, server.output
    status, body = server.get("/healthz")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    wait_until(EngineClient(server.home / "run").alive, 30, "the engine's answer")
    parts = server.parts
    assert set(parts) == {"engine", "web"}
    assert server.stop() < ENDS_WITHIN
    assert [name for name, pid in parts.items() if alive(pid)] == []
    assert "Traceback" not in server.output


def test_a_second_start_is_quick_and_finds_everything_again(
    serve: Callable[..., Server], django_db_blocker: object
) -> None:
    first = serve(ADMIN_PASSWORD=PASSWORD)
    machines = machines_in(first, django_db_blocker)
    first.stop()
    second = serve()
    assert second.process.poll() is None, second.output
    # What a busy machine takes longer the first time it takes longer the second time too.
    assert second.took < max(AGAIN_WITHIN, first.took)
    assert machines_in(second, django_db_blocker) == machines != []
    assert "password" not in second.output, "it is shown once"


def test_the_password_of_the_administrator_is_the_one_that_was_given(
    serve: Callable[..., Server], django_db_blocker: object
) -> None:
    server = serve(ADMIN_PASSWORD=PASSWORD)
    assert check_password(PASSWORD, stored_password(server, django_db_blocker))
    assert PASSWORD not in server.output
    server.stop()
    changed = serve(ADMIN_PASSWORD="another horse battery")
    assert check_password("another horse battery", stored_password(changed, django_db_blocker))


def test_without_a_password_one_is_made_and_shown_once(serve: Callable[..., Server], django_db_blocker: object) -> None:
    server = serve()
    shown = server.output.partition("password: ")[2].split()[0]
    assert check_password(shown, stored_password(server, django_db_blocker))
    server.stop()
    assert shown not in serve().output


def test_ctrl_c_ends_it_whole_too(serve: Callable[..., Server]) -> None:
    server = serve()
    parts = server.parts
    server.stop(signal.SIGINT)
    assert [name for name, pid in parts.items() if alive(pid)] == []


def test_an_engine_that_dies_is_started_again(serve: Callable[..., Server], django_db_blocker: object) -> None:
    server = serve()
    dead = server.parts["engine"]
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: server.parts.get("engine") not in {None, dead}, 30, "another engine")
    wait_until(EngineClient(server.home / "run").alive, 30, "its answer")
    wait_until(lambda: host_status(server, django_db_blocker) == HostStatus.UP, 30, "its host is up")


def test_a_web_server_that_dies_ends_the_engine_with_it(serve: Callable[..., Server]) -> None:
    server = serve()
    parts = server.parts
    os.kill(parts["web"], signal.SIGKILL)
    assert server.process.wait(ENDS_WITHIN) != 0
    assert not alive(parts["engine"])


def test_a_taken_port_is_told_in_one_sentence(serve: Callable[..., Server]) -> None:
    serve()
    second = serve()
    assert second.process.wait(30) != 0
    assert "PORT" in second.output
    assert "Traceback" not in second.output


def in_database(server: Server, blocker: object, question: Callable[[], object]) -> object:
    """Ask the server's database, from outside."""
    with blocker.unblock(), database_in(server.home / "db.sqlite3"):  # type: ignore[attr-defined]
        return question()


def machines_in(server: Server, blocker: object) -> object:
    return in_database(server, blocker, lambda: sorted(VM.objects.values_list("name", flat=True)))


def stored_password(server: Server, blocker: object) -> str:
    return str(in_database(server, blocker, lambda: User.objects.get(username="admin").password))


def host_status(server: Server, blocker: object) -> object:
    return in_database(server, blocker, lambda: Host.objects.get().status)
