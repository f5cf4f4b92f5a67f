"""Whole installations for clients that are programs of their own: a web server, an engine and a database file."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ovirtsdk4
import pytest
from django.contrib.auth.hashers import make_password
from ovirtsdk4 import services, types
from pytest_django.plugin import DjangoDbBlocker

from tests.consoles import rfb
from tests.databases import database_in
from tests.hypervisors.conftest import wait_until
from vms.hypervisors.private import PrivateDaemon
from vms.models import User

USERNAME, PASSWORD = "admin@internal", "correct horse battery"
PATIENCE = 45.0  # seconds that a busy machine may take for one step


@dataclass
class Installation:
    """Where it is, and what it can be asked with."""

    url: str
    real: bool

    def opens(self, console: types.GraphicsConsole) -> Callable[[str], bool]:
        """Whether a password opens a console, as its server says; machines in memory have no server to ask."""
        return lambda password: not self.real or rfb.lets_in(console.address, console.port, password)

    def connect(self, **changes: Any) -> ovirtsdk4.Connection:
        """oVirt's own SDK, logged in as the administrator."""
        told = {"url": f"{self.url}/ovirt-engine/api", "username": USERNAME, "password": PASSWORD, "insecure": True}
        return ovirtsdk4.Connection(**{**told, **changes})


@contextmanager
def installation(hypervisor: str, migrated_file: Path, blocker: DjangoDbBlocker) -> Iterator[Installation]:
    """Run one over a hypervisor in memory, or over a private libvirt whose guests end with it."""
    home = Path(tempfile.mkdtemp(prefix="hw-"))  # a short path: sockets below it have room for 107 bytes
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | {
        "DATA_DIR": str(home),
        "HYPERVISOR": "memory" if hypervisor == "memory" else "auto",
        "ACCELERATOR": "auto" if hypervisor == "memory" else "tcg",
    }
    (home / "hypervisor").write_text("private\n")
    (home / "run").mkdir(mode=0o700)
    shutil.copy(migrated_file, home / "db.sqlite3")
    with blocker.unblock(), database_in(home / "db.sqlite3"):
        kept = make_password(PASSWORD, hasher="argon2")  # as programs with settings of their own expect it
        User.objects.create(username="admin", password=kept, is_superuser=True, is_staff=True)
    with (home / "log").open("w") as log:

        def start(*words: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, *words], env=environment, stdout=log, stderr=log)

        web = start("-m", "uvicorn", "webadmin.asgi:application", "--port", str(port), "--lifespan", "off")
        engine = start("manage.py", "engine")
        try:
            wait_until(lambda: _healthy(port) or web.poll() is not None or engine.poll() is not None, 60, "the start")
            assert (web.poll(), engine.poll()) == (None, None), (home / "log").read_text()
            yield Installation(f"http://127.0.0.1:{port}", real=hypervisor != "memory")
        finally:
            for process in (web, engine):
                process.send_signal(signal.SIGTERM)
                process.wait(30)
            if hypervisor != "memory":
                PrivateDaemon(home / "libvirt").stop(guests=True)
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module", params=["memory", pytest.param("libvirt", marks=pytest.mark.hypervisor)])
def here(
    request: pytest.FixtureRequest, migrated_file: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Installation]:
    """One of each sort, for all the tests of a module."""
    if request.param == "libvirt":
        request.getfixturevalue("real_libvirt")
    with installation(request.param, migrated_file, django_db_blocker) as running:
        yield running


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return b'"engine": "running"' in answer.read()
    except OSError:
        return False


def until(service: services.VmService, status: types.VmStatus) -> types.Vm:
    """Ask for a VM as clients do, until it is in a status."""
    found: types.Vm = wait_until(
        lambda: vm if (vm := service.get()).status == status else None, PATIENCE, f"the status {status.value}"
    )
    return found
