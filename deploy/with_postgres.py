"""Run a command with DATABASE_URL pointing to a private PostgreSQL, which ends and is removed with the command.

    with_postgres.py COMMAND...

The cluster listens on a socket in a new directory only, so it disturbs no other one and no other one disturbs it.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROLE = "webadmin"
# PostgreSQL refuses to run as root; Debian's package brings this account.
SYSTEM_ACCOUNT = "postgres"
# The data lives as long as one run of the tests, so nothing of it needs to reach the disk.
SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=", "max_connections=200")
READY_WITHIN = 30.0  # seconds


def main(command: list[str]) -> int:
    """Run the command beside a cluster and answer with its exit status."""
    if not command:
        sys.exit("usage: with_postgres.py COMMAND...")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with private_cluster() as url:
        process = subprocess.Popen(command, env=os.environ | {"DATABASE_URL": url})
        # The command ends first and in its own way: the terminal tells it of Ctrl-C, and we of a request to end.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        status = process.wait()
        return 128 - status if status < 0 else status


@contextmanager
def private_cluster() -> Iterator[str]:
    """Start a cluster in a directory of its own, yield its URL, and remove both whatever happens."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="webadmin-postgres-") as scratch:
        directory = Path(scratch)
        become = _become_ordinary(directory)
        data = directory / "data"
        setup = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        _run([*become, f"{programs}/initdb", "-D", f"{data}", "-U", ROLE, *setup])
        options = [word for setting in SETTINGS for word in ("-c", setting)]
        with (directory / "log").open("w") as log:
            # The death signal outlives even a killed parent; a session of its own keeps Ctrl-C for the command.
            server = subprocess.Popen(
                [*become, "setpriv", "--pdeathsig=INT", f"{programs}/postgres", "-D", data, "-k", scratch, *options],
                stdout=log,
                stderr=log,
                cwd=scratch,
                start_new_session=True,
            )
        try:
            _wait_until_ready(server, programs, directory)
            yield f"postgres://{ROLE}@{scratch.replace('/', '%2F')}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


def _programs() -> Path:
    found = [Path(path).parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    if on_path := shutil.which("postgres"):
        return Path(on_path).parent
    sys.exit("The programs of PostgreSQL are not installed (Debian's package is postgresql).")


def _become_ordinary(directory: Path) -> list[str]:
    """Give the words to put before a command so that it does not run as root, and hand over the directory."""
    if os.geteuid() != 0:
        return []
    account = pwd.getpwnam(SYSTEM_ACCOUNT)
    os.chown(directory, account.pw_uid, account.pw_gid)
    return ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]


def _wait_until_ready(server: subprocess.Popen[bytes], programs: Path, directory: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    probe = [f"{programs}/pg_isready", "--quiet", "-h", f"{directory}", "-U", ROLE, "-d", "postgres"]
    while subprocess.run(probe, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"PostgreSQL does not start: {(directory / 'log').read_text()}")
        time.sleep(0.02)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        sys.exit(f"PostgreSQL cannot be set up: {done.stderr.strip()}")


def _leave(signum: int, _frame: object) -> NoReturn:
    sys.exit(128 + signum)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
