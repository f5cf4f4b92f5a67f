"""Serial consoles over SSH with the real client: a key opens them, and nothing else does."""

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncssh
import pytest
from pytest_django import Settings

from tests.actions.runs import up
from tests.engine.conftest import DATABASE
from tests.factories import machine
from tests.hypervisors.conftest import wait_until
from vms.actions import keys
from vms.consoles.ssh import listen
from vms.domain.console import Console, Offer
from vms.domain.errors import Refusal
from vms.engine.broker import Broker
from vms.models import VM, AuditEvent, ConsoleSession, Host, Permission, PublicKey, Role, User

pytestmark = [DATABASE, pytest.mark.needs("ssh-keygen")]


class Guest:
    """A machine that answers each line it is told with the same in capitals."""

    def __init__(self) -> None:
        self.typed = b""
        self.says: Callable[[bytes], None] = lambda _said: None

    async def open(
        self, at: Mapping[str, str], machine: UUID, said: Callable[[bytes], None], ended: Callable[[], None]
    ) -> "Guest":
        self.says = said
        said(b"login: ")
        return self

    def send(self, typed: bytes) -> None:
        self.typed += typed
        self.says(typed.upper())

    def close(self) -> None: ...


class Place:
    """The SSH door and a broker behind it, in a loop of their own."""

    def __init__(self, home: Path, run_dir: Path) -> None:
        self.home, self.guest, self.port = home, Guest(), 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(run_dir),))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self, run_dir: Path) -> None:
        broker = Broker(run_dir, self.home, self.guest.open)
        broker._hosts = _Everywhere()
        serving = asyncio.ensure_future(broker.serve())
        acceptor = await listen("127.0.0.1", 0, self.home / "host_key")
        self.port = acceptor.get_port()
        self._end = asyncio.Event()
        self._ready.set()
        await self._end.wait()
        acceptor.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    def say(self, said: bytes) -> int:
        """Have the guest say it; how much that is."""
        asyncio.run_coroutine_threadsafe(self._say(said), self._loop).result(10)
        return len(said)

    async def _say(self, said: bytes) -> None:
        self.guest.says(said)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)
        self._loop.close()

    def key(self, name: str, kind: str = "ed25519", *more: str) -> str:
        """A new key pair; its public line."""
        path = self.home / name
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", kind, *more, "-f", str(path)], check=True)
        return path.with_suffix(".pub").read_text()

    def ssh(self, key: str, *words: str) -> list[str]:
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "BatchMode=yes")
        told = [word for option in options for word in ("-o", option)]
        place = ["-p", str(self.port), "-i", str(self.home / key), "ovirt-vmconsole@127.0.0.1"]
        return ["ssh", "-F", "/dev/null", "-q", *told, *place, *words]

    def run(self, key: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.ssh(key, *words), capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
        )


class _Everywhere(dict[str, Mapping[str, str]]):
    def get(self, key: object, default: Any = None) -> Mapping[str, str]:
        return {"uri": "test"}


@pytest.fixture
def place(tmp_path: Path, settings: Settings, db: None) -> Iterator[Place]:
    (tmp_path / "ssh").mkdir()
    with closing(Place(tmp_path / "ssh", settings.RUN_DIR)) as made:
        yield made


@pytest.fixture
def line(admin: User, host: Host) -> VM:
    """A headless machine with a serial line, up."""

    def quiet(console: Console, _offer: Offer) -> Console:
        return replace(console.as_headless(), serial=True)

    return up(machine("quiet", by=admin, console=quiet), host, by=admin)


@pytest.fixture
def dora(line: VM, place: Place) -> User:
    """May use its serial line, and has a key."""
    made = User.objects.create(username="dora")
    Permission.objects.create(user=made, role=Role.objects.get(name="UserVmManager"), vm=line)
    keys.add(place.key("hers"), by=made)
    return made


def test_a_key_lists_and_opens_what_its_owner_may_use(place: Place, line: VM, dora: User, vm: VM) -> None:
    told = place.run("hers", "list")
    assert (told.returncode, told.stdout.split()) == (0, [str(line.pk), "quiet"])
    for which in (f"--vm-id={line.pk}", "--vm-name=quiet"):
        place.guest.typed = b""
        command = ["ssh", "-tt", *place.ssh("hers", "connect", which)[1:]]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            assert client.stdout.read(7) == b"login: "
            client.stdin.write(b"root\r")
            client.stdin.flush()
            assert client.stdout.read(5) == b"ROOT\r"
            client.stdin.write(b"\x1d")
            client.stdin.flush()
            assert client.wait(10) == 0
        assert place.guest.typed == b"root\r"
    wait_until(lambda: not ConsoleSession.objects.exists(), what="the end of the sessions")
    assert AuditEvent.objects.filter(code="VM_CONSOLE_CONNECTED", actor=dora, address="127.0.0.1").count() == 2
    assert PublicKey.objects.get().used_at is not None


def test_a_key_that_nobody_knows_and_one_of_a_closed_account_open_nothing(place: Place, line: VM, dora: User) -> None:
    place.key("strange")
    assert place.run("strange", "list").returncode == 255
    User.objects.filter(pk=dora.pk).update(is_active=False)
    assert place.run("hers", "list").returncode == 255


def test_what_is_not_ones_own_is_not_there(place: Place, line: VM, dora: User, vm: VM) -> None:
    Permission.objects.filter(user=dora).update(role=Role.objects.get(name="UserRole"))
    assert place.run("hers", "list").stdout == ""
    told = place.run("hers", "connect", f"--vm-id={line.pk}")
    assert (told.returncode, "is not there any more" in told.stderr) == (1, True)


@pytest.mark.parametrize(
    "words", [(), ("connect",), ("connect", "--vm-id=x", "--vm-name=y"), ("sh", "-c", "id"), ("'",)]
)
def test_other_words_are_explained(place: Place, line: VM, dora: User, words: tuple[str, ...]) -> None:
    told = place.run("hers", *words)
    assert (told.returncode, "connect --vm-id=ID" in told.stderr) == (1, True)


def test_a_lost_right_ends_it_with_the_reason(place: Place, line: VM, dora: User) -> None:
    command = place.ssh("hers", "connect", "--vm-name=quiet")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stderr is not None
        assert client.stdout.read(7) == b"login: "
        Permission.objects.filter(user=dora).delete()
        assert client.wait(10) == 1
        assert b"your roles do not allow you" in client.stderr.read()


def test_removing_a_key_closes_what_it_opened_and_nothing_else(place: Place, line: VM, dora: User) -> None:
    keys.add(place.key("other"), by=dora)
    stays = place.ssh("other", "connect", "--vm-name=quiet")
    goes = place.ssh("hers", "connect", "--vm-name=quiet")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(stays, **pipes) as kept, subprocess.Popen(goes, **pipes) as client:  # type: ignore[call-overload]
        for each in (kept, client):
            assert each.stdout.read(7) == b"login: "
        wait_until(lambda: ConsoleSession.objects.count() == 2, what="both consoles")
        keys.remove(PublicKey.objects.earliest("created_at"), by=dora)
        began = time.monotonic()
        assert client.wait(10) == 1
        assert time.monotonic() - began < 4, "one second, and more for a machine that is busy"
        assert b"the key that opened this console was removed" in client.stderr.read()
        assert kept.poll() is None
        kept.stdin.write(b"\x1d")
        kept.stdin.close()
        assert kept.wait(10) == 0


def test_a_connection_whose_key_is_gone_opens_no_second_console(place: Place, line: VM, dora: User) -> None:
    async def flow() -> None:
        options = {"client_keys": [str(place.home / "hers")], "known_hosts": None, "config": None}
        async with asyncssh.connect("127.0.0.1", place.port, username="ovirt-vmconsole", **options) as connection:
            assert "quiet" in str((await connection.run("list")).stdout)
            await asyncio.to_thread(PublicKey.objects.all().delete)
            told = await connection.run("list")
            assert (told.exit_status, told.stdout) == (1, "")
            assert "was removed" in str(told.stderr)

    asyncio.run(flow())


def test_a_reader_that_stops_reading_holds_up_nobody_and_is_told_what_he_missed(
    place: Place, line: VM, dora: User
) -> None:
    command = place.ssh("hers", "connect", "--vm-name=quiet")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as slow:
        assert slow.stdout is not None
        assert slow.stdout.read(7) == b"login: "
        sent = sum(place.say(b"x" * 256 * 1024) for _ in range(256))
        assert "quiet" in place.run("hers", "list").stdout
        told = b""
        while b"bytes were left out" not in told[-4096:]:
            told += os.read(slow.stdout.fileno(), 65536)
            place.say(b".")
        slow.kill()
    assert len(told) < sent / 4, "what nobody reads is not kept"


def test_a_key_is_one_line_of_openssh_strong_and_nobody_elses(place: Place, dora: User, admin: User) -> None:
    weak = place.key("weak", "rsa", "-b", "1024")
    private = (place.home / "hers").read_text()
    for line_ in ("", "ssh-ed25519", "ssh-ed25519 AAAA", weak, private, f"command=x {place.key('other')}"):
        with pytest.raises(Refusal, match="PUBLIC_KEY_ILLEGAL"):
            keys.add(line_, by=admin)
    with pytest.raises(Refusal, match="PUBLIC_KEY_IN_USE"):
        keys.add((place.home / "hers.pub").read_text(), by=admin)
    with pytest.raises(Refusal, match="USER_NOT_AUTHORIZED"):
        keys.remove(PublicKey.objects.get(), by=User.objects.create(username="eve"))
    assert PublicKey.objects.count() == 1, "it is not hers"
