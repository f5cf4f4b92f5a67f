"""The SSH door to serial consoles, as oVirt has it: `ssh -t -p 2222 ovirt-vmconsole@host connect --vm-id=…`, or `list`.

Who comes is known by the key alone; the name before the @ says nothing.
"""

import argparse
import asyncio
import contextlib
import logging
import shlex
from pathlib import Path
from typing import Any, Final, NoReturn

import asyncssh
from django.conf import settings

from vms import messages
from vms.actions import keys, passes
from vms.actions._audit import coming_from
from vms.actions.passes import GONE
from vms.beside import in_thread
from vms.domain.errors import Refusal
from vms.messages import consoles as texts
from vms.models import VM, ActionGroup, ConsoleKind, ConsoleSession, User
from vms.wire import serial
from vms.wire.protocol import WireError

from .guard import Guard
from .relay import HELD, LEFT, until_one_ends
from .serial import NO_BROKER, heard_since

logger = logging.getLogger(__name__)

LEAVE: Final = b"\x1d"  # Ctrl-], as in telnet and `virsh console`


class _Door(asyncssh.SSHServer):
    """One connection: in with a key that somebody's account page knows, and with nothing else."""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        fingerprint = key.get_fingerprint("sha256")
        found = await in_thread(keys.owner, fingerprint)
        # Asked again with each key that is tried: what stands here at the end is the one that was signed with.
        self._connection.set_extra_info(vms_user=found, vms_key=fingerprint)
        return found is not None


class _Words(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Words(prog="ssh", add_help=False)
    verbs = parser.add_subparsers(dest="verb", required=True, parser_class=_Words)
    verbs.add_parser("list", add_help=False)
    connect = verbs.add_parser("connect", add_help=False)
    which = connect.add_mutually_exclusive_group(required=True)
    which.add_argument("--vm-id")
    which.add_argument("--vm-name")
    connect.add_argument("--take", action="store_true")
    return parser


async def listen(host: str, port: int, key: Path) -> asyncssh.SSHAcceptor:
    """Serve until the acceptor is closed; the host's key is made on first use."""
    guard = Guard()

    async def serve(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        try:
            process.exit(await _serve(process, guard))
        except (asyncssh.Error, OSError):
            process.close()

    return await asyncssh.listen(
        host,
        port,
        server_factory=_Door,
        server_host_keys=[_host_key(key)],
        process_factory=serve,
        encoding=None,
        line_editor=False,
        allow_scp=False,
        agent_forwarding=False,
        login_timeout=30,
        keepalive_interval=30,
    )


def _host_key(path: Path) -> asyncssh.SSHKey:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    return asyncssh.read_private_key(path)


async def _serve(process: "asyncssh.SSHServerProcess[bytes]", guard: Guard) -> int:
    """The exit status: 0 when somebody left, 1 for everything that did not work out."""
    fingerprint: str = process.get_extra_info("vms_key")
    address = (process.get_extra_info("peername") or [None])[0]
    # Asked again: one connection may carry many sessions, and the key may be gone since the first.
    user = await in_thread(keys.owner, fingerprint)
    if user is None:
        return _say(process, texts.OVER[passes.KEY_REMOVED])
    await in_thread(keys.used, fingerprint)
    try:
        asked = _parser().parse_args(shlex.split(process.command or ""))
    except ValueError as error:
        return _say(process, f"{error}\r\nconnect --vm-id=ID | connect --vm-name=NAME [--take] | list")
    if asked.verb == "list":
        for line in await in_thread(_listed, user):
            process.stdout.write(line.encode())
        return 0
    try:
        console = await in_thread(_enter, user, asked, address, fingerprint)
    except Refusal as no:
        return _say(process, await in_thread(messages.refusal, no))
    try:
        with guard.watching(console.pk, "") as closing:
            reason = await _watch(process, console, closing, take=asked.take)
    finally:
        await in_thread(passes.leave, console.pk)
    if reason == LEFT:
        return 0
    return _say(process, f"\r\n{texts.OVER.get(reason) or messages.sentence(reason, {})}")


def _say(process: "asyncssh.SSHServerProcess[bytes]", text: object) -> int:
    process.stderr.write(f"{text}\r\n".encode())
    return 1


def _visible(user: User) -> Any:
    return VM.objects.visible_to(user, ActionGroup.CONNECT_TO_SERIAL_CONSOLE).order_by("name")


def _listed(user: User) -> list[str]:
    return [f"{vm.pk} {vm.name}\r\n" for vm in _visible(user) if vm.has_serial_line and vm.run]


def _enter(user: User, asked: argparse.Namespace, address: str | None, fingerprint: str) -> ConsoleSession:
    named = asked.vm_id or asked.vm_name
    found = next((vm for vm in _visible(user) if named in {str(vm.pk), vm.name}), None)
    if found is None:
        raise Refusal("ACTION_TYPE_FAILED_VM_NOT_FOUND", None, name=named)
    with coming_from(address, ""):
        return passes.enter(found, ConsoleKind.SERIAL, by=user, address=address, fingerprint=fingerprint)


async def _watch(
    process: "asyncssh.SSHServerProcess[bytes]", console: ConsoleSession, closing: "asyncio.Future[str]", *, take: bool
) -> str:
    try:
        reader, writer = await serial.connect(settings.RUN_DIR)
    except OSError:
        return NO_BROKER
    vm, name = console.vm, console.user.get_username()
    told = {"join": str(vm.pk), "host": str(vm.host_id), "since": await in_thread(heard_since, console)}
    writer.write(serial.control(**told, name=name, may_type=True, take=take))
    try:
        return await until_one_ends(_to_terminal(reader, process), _from_terminal(process, writer), closing)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _to_terminal(reader: asyncio.StreamReader, process: "asyncssh.SSHServerProcess[bytes]") -> str:
    frames, typist = serial.Frames(), None
    with contextlib.suppress(OSError, WireError, asyncssh.Error):
        while piece := await reader.read(HELD):
            for said in frames.feed(piece):
                if isinstance(said, bytes):
                    process.stdout.write(said)
                elif "skipped" in said:
                    process.stdout.write(f"\r\n{texts.SKIPPED % {'count': said['skipped']}}\r\n".encode())
                elif "typist" in said and not said["you"] and said["typist"] != typist:
                    typist = said["typist"]
                    process.stdout.write(f"\r\n[{typist or '-'}: connect --take]\r\n".encode())
            await process.stdout.drain()
    return GONE


async def _from_terminal(process: "asyncssh.SSHServerProcess[bytes]", writer: asyncio.StreamWriter) -> str:
    while True:
        try:
            typed = await process.stdin.read(4096)
        except (asyncssh.TerminalSizeChanged, asyncssh.SignalReceived, asyncssh.BreakReceived):
            continue
        if not typed or LEAVE in typed:
            return LEFT
        writer.write(serial.data(typed))
        with contextlib.suppress(OSError):
            await writer.drain()
