"""Engine processes over one database, each with a directory of its own, as on machines of their own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.db import connections

from deploy.with_postgres import private_cluster
from tests.hypervisors import obedient
from tests.hypervisors.conftest import wait_until
from tests.needs import need
from vms.models import Leadership
from vms.wire.client import EngineClient
from webadmin.environment import Environment, new_field_key

ROOT = Path(__file__).parents[2]
STARTS_WITHIN = 60.0  # seconds


class EngineProcess:
    """`manage.py engine` in `home`, over the database at `url`; `entering` are the words before the command."""

    def __init__(self, home: Path, url: str, key: str, entering: Sequence[str] = ()) -> None:
        self.home, self._url, self._key, self._entering = home, url, key, entering
        self._process: subprocess.Popen[bytes] | None = None
        (home / "boot").mkdir(parents=True)
        obedient.write_to(home / "boot")

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def owner(self) -> str:
        """How it signs."""
        from vms.engine.service import Engine
        from vms.hypervisors.memory import MemoryHypervisor

        return Engine(self.home / "run", lambda _host: MemoryHypervisor())._owner

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def threads(self) -> int:
        """How many it has."""
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    @property
    def leads(self) -> bool:
        return Leadership.objects.filter(owner=self.owner).exists()

    def start(self, **settings: str) -> None:
        """Start it and wait until it answers, whether it leads or stands by."""
        told = settings | {
            "DATABASE_URL": self._url,
            "DATA_DIR": str(self.home),
            "FIELD_KEYS": self._key,
            "ACCELERATOR": "tcg",
        }
        with (self.home / "engine.log").open("ab") as log:
            command = [*self._entering, sys.executable, "manage.py", "engine"]
            self._process = subprocess.Popen(command, cwd=ROOT, env=told, stdout=log, stderr=log)
        wait_until(lambda: EngineClient(self.home / "run").alive() or not self.alive, STARTS_WITHIN, "the engine")
        assert self.alive, self.told()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def end(self) -> None:
        """Politely, whatever has been done to it."""
        if self._process is not None and self.alive:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(40)
            finally:
                self._process.kill()

    def told(self) -> str:
        """The end of what it logged."""
        return (self.home / "engine.log").read_text()[-4000:]


@contextmanager
def engines(home: Path, url: str, number: int, entering: Sequence[str] = ()) -> Iterator[list[EngineProcess]]:
    """So many of one deployment, none of which is started; all end."""
    key = new_field_key()
    made = [EngineProcess(home / f"engine{count}", url, key, entering) for count in range(1, number + 1)]
    try:
        yield made
    finally:
        for one in made:
            one.end()


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a server that nobody else uses."""
    there = shutil.which("postgres") or next(Path("/usr/lib/postgresql").glob("*/bin/postgres"), None)
    need(None if there else "postgresql is not installed")
    with private_cluster() as url:
        yield url


@contextmanager
def database_at(url: str) -> Iterator[None]:
    """Every thread's connection leads there."""
    os.environ["STORY_DATABASE"] = url
    other = Environment(eager=True).database("STORY_DATABASE", Path("unused"))
    configured = connections.settings["default"]
    former = dict(configured)
    before = connections["default"]
    del connections["default"]
    configured.update(other | {"OPTIONS": {k: v for k, v in other["OPTIONS"].items() if k != "pool"}})
    try:
        yield
    finally:
        connections["default"].close()
        configured.clear()
        configured.update(former)
        connections["default"] = before
        del os.environ["STORY_DATABASE"]
