"""`manage.py serve`: web server and engine together, made ready first, stopped together."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

READY_WITHIN = 30.0  # seconds
POLITE = 15.0  # seconds a process gets to end by itself


class Command(BaseCommand):
    help = "Migrates, collects static files and loads the demo data where needed, then serves until Ctrl-C."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--no-demo", action="store_true", help="start empty: no demonstration machines")

    def handle(self, *args: Any, **options: Any) -> None:
        _require_free(_host(), settings.PORT)
        self._prepare(demo=not options["no_demo"])
        processes: dict[str, subprocess.Popen[bytes]] = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        try:
            processes["engine"] = self._engine()
            processes["web"] = self._web()
            if settings.SSH_PORT:
                processes["ssh"] = self._ssh()
            self._wait_until_ready(processes["web"])
            self.stdout.write(self.style.SUCCESS(f"Headless WebAdmin is ready: http://127.0.0.1:{settings.PORT}/"))
            self._watch(processes)
        except KeyboardInterrupt:
            self.stdout.write("Stopping; machines run on.")
        finally:
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                self._end(process)

    def _prepare(self, *, demo: bool) -> None:
        settings.RUN_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", verbosity=0, interactive=False)
        self._collect_static()
        if demo:
            call_command("demo", stdout=self.stdout, stderr=self.stderr)
        connection.close()

    def _collect_static(self) -> None:
        """Collect only when a source has changed: compressing them takes seconds."""
        mark, state = settings.STATIC_ROOT / ".sources", _sources()
        if mark.exists() and mark.read_text() == state:
            return
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        mark.write_text(state)

    def _engine(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "manage.py", "engine"], cwd=settings.BASE_DIR)

    def _web(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "webadmin.asgi:application", "--port", str(settings.PORT)),
                *("--host", _host(), "--no-access-log", "--lifespan", "off"),
                *("--log-level", "warning", "--timeout-graceful-shutdown", "5"),
                # Consoles send small messages often: compressing them costs more than it saves.
                *("--ws-per-message-deflate", "false", "--ws-max-size", str(1024 * 1024)),
            ],
            cwd=settings.BASE_DIR,
        )

    def _ssh(self) -> subprocess.Popen[bytes]:
        """Where its port is taken it says so and ends; everything else goes on without it."""
        return subprocess.Popen([sys.executable, "manage.py", "ssh"], cwd=settings.BASE_DIR)

    def _wait_until_ready(self, web: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if web.poll() is not None:
                raise CommandError("The web server did not start; its message is above.")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{settings.PORT}/healthz", timeout=2).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise CommandError(f"The web server does not answer within {READY_WITHIN:.0f} seconds.")

    def _watch(self, processes: dict[str, subprocess.Popen[bytes]]) -> None:
        while True:
            time.sleep(0.5)
            if processes["web"].poll() is not None:
                raise CommandError("The web server has ended.")
            if processes["engine"].poll() is not None:
                self.stderr.write("The engine has ended; starting it again.")
                time.sleep(0.5)
                processes["engine"] = self._engine()

    def _asked_to_stop(self, *_: Any) -> None:
        raise KeyboardInterrupt

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(timeout=POLITE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _host() -> str:
    return os.environ.get("HOST", "127.0.0.1")


def _require_free(host: str, port: int) -> None:
    """Say so before anything is started: another server's answer would pass for ours."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, port))
        except OSError as error:
            raise CommandError(f"Port {port} of {host} cannot be served on: {error.strerror}. Set PORT.") from error


def _sources() -> str:
    """What the static files are made of: names, sizes and times of all sources."""
    found = []
    for _prefix, directory in settings.STATICFILES_DIRS:
        for path in sorted(Path(directory).rglob("*")):
            if path.is_file():
                stat = path.stat()
                found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()
