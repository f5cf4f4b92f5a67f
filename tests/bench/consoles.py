"""P7: what a serial console in the browser adds to a bare relay over the same two hops, with fifty consoles open.

Both go from a WebSocket through uvicorn over a local socket to a process of its own, which echoes. Ours has passes,
frames, a typist, scrollback and a guard; the bare one has nothing.
"""

import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

CONSOLES, ROUNDS, ECHOES = 50, 5, 400
BULK, PIECE = 8 * 1024 * 1024, 16 * 1024


def main() -> None:
    """Milliseconds as JSON, ours and the bare relay's, in an installation that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="hw-bench-") as home:
        os.environ |= {"DATA_DIR": home, "HYPERVISOR": "memory", "DJANGO_SETTINGS_MODULE": "webadmin.settings"}
        os.environ.pop("DATABASE_URL", None)
        import django
        from django.conf import settings
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        settings.RUN_DIR.mkdir(mode=0o700, exist_ok=True)
        json.dump(asyncio.run(_measure(settings.RUN_DIR)), sys.stdout)


async def _measure(run_dir: Path) -> dict[str, tuple[float, float]]:
    passes = await asyncio.to_thread(_passes)
    figures: dict[str, list[float]] = {"ours": [], "bare": [], "ours_bulk": [], "bare_bulk": []}
    async with contextlib.AsyncExitStack() as stack:
        ours, bare = (stack.enter_context(_served(name, run_dir)) for name in ("ours", "bare"))
        lines = {"ours": [], "bare": []}  # type: dict[str, list[ClientConnection]]
        for path, told in passes:
            lines["ours"].append(await stack.enter_async_context(_open(ours, path, told)))
            lines["bare"].append(await stack.enter_async_context(_open(bare, "/", "x")))
        await asyncio.gather(*(_settle(line) for line in lines["ours"]))
        for _ in range(ROUNDS):
            for name in ("ours", "bare"):
                figures[name] += await _echoes(lines[name][0])
                figures[f"{name}_bulk"].append(await _bulk(lines[name][1]))
    middle = {name: statistics.median(values) * 1000 for name, values in figures.items()}
    return {"echo": (middle["ours"], middle["bare"]), "mib": (middle["ours_bulk"], middle["bare_bulk"])}


async def _echoes(line: ClientConnection) -> list[float]:
    took = []
    for _ in range(ECHOES):
        began = time.perf_counter()
        await line.send(b"x")
        await _bytes_of(line, 1)
        took.append(time.perf_counter() - began)
    return took


async def _bulk(line: ClientConnection) -> float:
    began = time.perf_counter()

    async def feed() -> None:
        for _ in range(BULK // PIECE):
            await line.send(bytes(PIECE))

    await asyncio.gather(feed(), _bytes_of(line, BULK))
    return (time.perf_counter() - began) / (BULK / 2**20)


async def _bytes_of(line: ClientConnection, count: int) -> None:
    while count > 0:
        said = await line.recv()
        count -= len(said) if isinstance(said, bytes) else 0


async def _settle(line: ClientConnection) -> None:
    while not ((said := await line.recv()) and isinstance(said, str) and '"open": true' in said):
        pass


@contextlib.asynccontextmanager
async def _open(place: str, path: str, told: str) -> AsyncIterator[ClientConnection]:
    words = [Subprotocol("binary"), Subprotocol(f"pass.{told}")]
    address = f"ws://{place}{path}"
    async with connect(address, subprotocols=words, compression=None, proxy=None, max_size=None) as line:
        yield line


def _passes() -> list[tuple[str, str]]:
    """A pass for each console, of as many machines and of two users: one may have no more than thirty-two open."""
    from dataclasses import replace

    from tests.actions.runs import up
    from tests.factories import machine, person
    from vms.actions import passes, reports
    from vms.domain.hosts import Capabilities
    from vms.models import Cluster, ConsoleKind, Host

    admin = person("admin", role="SuperUser")
    host = Host.objects.create(name="local", cluster=Cluster.objects.get(name="Default"))
    reports.host_seen(host, Capabilities(memory=1024 * 1024))
    users = [person(f"user{number}", role="SuperUser") for number in range(2)]
    found = []
    for number in range(CONSOLES):
        made = machine(f"m{number}", by=admin, console=lambda old, _: replace(old.as_headless(), serial=True))
        vm = up(made, host, by=admin)
        found.append((vm, users[number % 2]))
    # Given at the end: each is good for thirty seconds.
    given = ((vm, passes.give(vm, ConsoleKind.SERIAL, by=user)) for vm, user in found)
    return [(f"/consoles/{vm.pk}/serial", told.reveal()) for vm, told in given]


@contextlib.contextmanager
def _served(name: str, run_dir: Path) -> Iterator[str]:
    """The web server and the process behind it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    application = {"ours": "webadmin.asgi:application", "bare": "tests.bench.consoles:bare"}[name]
    options = ["--lifespan", "off", "--no-access-log", "--log-level", "warning", "--ws-per-message-deflate", "false"]
    environment = {**os.environ, "BENCH_DIR": str(run_dir)}
    behind = subprocess.Popen([sys.executable, "-m", "tests.bench.consoles", name, str(run_dir)], env=environment)
    words = [sys.executable, "-m", "uvicorn", application, "--port", str(port), *options]
    web = subprocess.Popen(words, env=environment)
    try:
        _wait(lambda: _answers(port) and (run_dir / SOCKETS[name]).exists())
        yield f"127.0.0.1:{port}"
    finally:
        for process in (web, behind):
            process.terminate()
            process.wait(10)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it does not start"
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


# -- the other ends

SOCKETS = {"ours": "serial.sock", "bare": "bare.sock"}


class _Echo:
    """A guest that says what it is told."""

    def __init__(self, said: Callable[[bytes], None]) -> None:
        self.send = said

    def close(self) -> None: ...


async def _opener(
    _at: Mapping[str, str], _machine: UUID, said: Callable[[bytes], None], _ended: Callable[[], None]
) -> _Echo:
    return _Echo(said)


class _Anywhere(dict[str, Mapping[str, str]]):
    def get(self, _key: object, _default: Any = None) -> Mapping[str, str]:
        return {}


async def _serve_ours(run_dir: Path) -> None:
    from vms.engine.broker import Broker

    made = Broker(run_dir, run_dir / "logs", _opener)
    made._hosts = _Anywhere()
    made._leave_after = lambda seconds: None  # type: ignore[method-assign]  # there is no engine here
    await made.serve()


async def _serve_bare(run_dir: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await reader.read(65536):
            writer.write(said)
            await writer.drain()

    async with await asyncio.start_unix_server(echo, run_dir / SOCKETS["bare"]) as server:
        await server.serve_forever()


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The least that relays: a WebSocket to a local socket and back."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "binary"})
    reader, writer = await asyncio.open_unix_connection(Path(os.environ["BENCH_DIR"]) / SOCKETS["bare"])

    async def back() -> None:
        while said := await reader.read(65536):
            await send({"type": "websocket.send", "bytes": said})

    task = asyncio.ensure_future(back())
    while (event := await receive())["type"] == "websocket.receive":
        writer.write(event["bytes"])
        await writer.drain()
    task.cancel()
    writer.close()


if __name__ == "__main__":
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if len(sys.argv) == 1:
        main()
    else:
        asyncio.run({"ours": _serve_ours, "bare": _serve_bare}[sys.argv[1]](Path(sys.argv[2])))
