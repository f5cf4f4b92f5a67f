"""Images through the door of their own: oVirt's imageio protocol, byte by byte, and everything that must be refused."""

import asyncio
import fcntl
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.actions.test_disks import domain, hypervisor, now, work
from tests.engine.conftest import DATABASE
from vms.actions import disks, transfers, uploads
from vms.domain.disks import MIB, DiskFormat
from vms.domain.transfers import Direction, Phase
from vms.models import Disk, StorageDomain, Transfer, User
from vms.transfers import door, exchange
from vms.transfers.content import Content

__all__ = ["domain", "hypervisor", "work"]

pytestmark = DATABASE
SIZE = 8 * MIB


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: list[int] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    method: str, path: str, *parts: bytes, cut: bool = False, stop: Callable[[], None] | None = None, **headers: str
) -> Answer:
    """One request as the server hands it on; `cut` has the client leave after the parts, `stop` is called there."""
    path, _mark, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    answer, waiting = Answer(), list(parts)

    async def receive() -> dict[str, Any]:
        if waiting:
            body = waiting.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(waiting) or cut or stop is not None}
        if stop is not None:
            await asyncio.to_thread(stop)
        elif cut:
            return {"type": "http.disconnect"}
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")
            answer.parts.append(len(message.get("body", b"")))

    asyncio.run(asyncio.wait_for(door.images(scope, receive, send), 20))
    return answer


@pytest.fixture
def disk(domain: StorageDomain, admin: User, work: Callable[[], None]) -> Disk:
    made = disks.create("data of alice", domain=domain, size=SIZE, format=DiskFormat.RAW, by=admin)
    work()
    return now(made)  # type: ignore[no-any-return]


@pytest.fixture
def up(disk: Disk, admin: User, settings: Settings, tmp_path: Path) -> Transfer:
    settings.UPLOAD_DIR = tmp_path / "uploads"
    return transfers.begin(disk, Direction.UPLOAD, by=admin)


def at(row: Transfer, more: str = "") -> str:
    return f"/images/{transfers.ticket_of(row)}{more}"


def file_of(row: Transfer) -> Path:
    return Path(uploads.path_for(row))


def put(row: Transfer, start: int, data: bytes, more: str = "", **headers: str) -> Answer:
    told: dict[str, Any] = {
        "content_length": str(len(data)),
        "content_range": f"bytes {start}-{start + len(data) - 1}/*",
        **headers,
    }
    return ask("PUT", at(row, more), data, **told)


def test_an_image_is_written_in_pieces_and_read_again(up: Transfer) -> None:
    told = ask("OPTIONS", at(up))
    assert told.json == {"features": ["extents", "flush", "zero"], "max_readers": 8, "max_writers": 8}
    assert set(told.headers["allow"].split(",")) >= {"OPTIONS", "GET", "PUT", "PATCH"}
    assert put(up, 4 * MIB, b"b" * MIB, "?flush=n").status == 200
    assert put(up, 0, b"a" * 1000).status == 200
    assert ask("PATCH", at(up), b'{"op": "zero", "offset": 4194304, "size": 524288, "flush": true}').status == 200
    assert ask("PATCH", at(up), b'{"op": "flush"}').status == 200
    assert now(up).reached == 5 * MIB

    whole = ask("GET", at(up))
    half = 4 * MIB + MIB // 2
    expected = (b"a" * 1000).ljust(half, b"\0") + (b"b" * (MIB // 2)).ljust(SIZE - half, b"\0")
    assert (whole.status, whole.headers["content-length"], whole.body == expected) == (200, str(SIZE), True)
    assert max(whole.parts) <= exchange.PART, "never more than a part in memory"
    part = ask("GET", at(up), range="bytes=998-1001")
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"aa\0\0", f"bytes 998-1001/{SIZE}")
    assert ask("GET", at(up), range=f"bytes={SIZE - 3}-").body == bytes(3)
    assert ask("GET", at(up), range="bytes=-5").headers["content-range"] == f"bytes {SIZE - 5}-{SIZE - 1}/{SIZE}"
    assert ask("HEAD", at(up)).headers["content-length"] == str(SIZE)


def test_gaps_stay_gaps_and_are_told(up: Transfer) -> None:
    put(up, 2 * MIB, b"x" * MIB)
    put(up, 6 * MIB, bytes(MIB))  # zeros that are sent take no room
    assert file_of(up).stat().st_blocks * 512 <= MIB + 64 * 1024
    told = ask("GET", at(up, "/extents?context=zero")).json
    assert told == [
        {"start": 0, "length": 2 * MIB, "zero": True, "hole": True},
        {"start": 2 * MIB, "length": MIB, "zero": False, "hole": False},
        {"start": 3 * MIB, "length": 5 * MIB, "zero": True, "hole": True},
    ]
    assert ask("GET", at(up, "/extents?context=dirty")).status == 404


def test_a_download_that_was_cut_goes_on_where_it_was(up: Transfer) -> None:
    put(up, 0, os.urandom(MIB))
    mark = ask("GET", at(up), range="bytes=0-9").headers["etag"]
    on = ask("GET", at(up), range="bytes=10-", if_range=mark)
    assert (on.status, len(on.body)) == (206, SIZE - 10)
    other = ask("GET", at(up), range="bytes=10-", if_range='"another"')
    assert (other.status, len(other.body)) == (200, SIZE)
    assert on.headers["content-disposition"] == "attachment; filename=data_of_alice.raw"


def test_what_cannot_be_is_refused_with_its_reason(up: Transfer) -> None:
    before = file_of(up).stat()
    wrong: tuple[tuple[int, Answer], ...] = (
        (400, ask("PUT", at(up), b"abc")),
        (400, ask("PUT", at(up), b"abc", content_length="3", content_range="bytes 0-9/*")),
        (400, ask("PUT", at(up), b"abc", content_length="3", content_range="words 0-2/*")),
        (416, put(up, SIZE - 1, b"ab")),
        (400, put(up, 0, b"a", "?flush=maybe")),
        (400, ask("PUT", at(up), b"abcdef", content_length="3")),
        (416, ask("GET", at(up), range=f"bytes={SIZE}-")),
        (416, ask("GET", at(up), range="bytes=9-3")),
        (416, ask("GET", at(up), range="bytes=-0")),
        (400, ask("PUT", at(up), b"abc", content_length="9" * 5000)),
        (400, ask("PATCH", at(up), b"no json")),
        (400, ask("PATCH", at(up), b'["zero"]')),
        (400, ask("PATCH", at(up), b'{"op": "format"}')),
        (400, ask("PATCH", at(up), b'{"op": "zero", "size": -1}')),
        (400, ask("PATCH", at(up), b'{"op": "zero", "size": true}')),
        (416, ask("PATCH", at(up), b'{"op": "zero", "size": 99999999999}')),
        (413, ask("PATCH", at(up), b" " * 70_000)),
        (405, ask("POST", at(up))),
        (405, ask("PUT", at(up, "/extents"), b"")),
        (404, ask("GET", "/images/../etc/passwd")),
        (404, ask("GET", f"/images/{up.pk}/more/of/it")),
        (403, ask("GET", f"/images/{up.pk}")),
        (403, ask("GET", f"/images/{up.pk}-{'0' * 64}")),
        (403, ask("OPTIONS", "/images/0")),
    )
    for expected, answer in wrong:
        assert (answer.status, bool(answer.body.strip())) == (expected, True), answer
    assert file_of(up).stat().st_size == before.st_size
    assert ask("OPTIONS", "/images/*").json["features"] == ["extents", "flush", "zero"]


def test_a_ticket_opens_its_own_transfer_alone_and_only_its_way(
    up: Transfer, domain: StorageDomain, admin: User, work: Callable[[], None]
) -> None:
    other = disks.create("other", domain=domain, size=SIZE, format=DiskFormat.RAW, by=admin)
    work()
    down = transfers.begin(now(other), Direction.DOWNLOAD, by=admin)
    work()
    assert ask("GET", at(now(down))).status == 200
    assert put(now(down), 0, b"abc").status == 403
    assert ask("OPTIONS", at(now(down))).json["features"] == ["extents"]
    mixed = transfers.ticket_of(up)[:36] + transfers.ticket_of(now(down))[36:]
    assert ask("GET", f"/images/{mixed}").status == 403


def test_an_upload_that_is_cut_is_told_and_may_go_on(up: Transfer) -> None:
    assert ask("PUT", at(up), b"x" * 100, cut=True, content_length="1000").status == 0, "nobody is there to answer"
    assert now(up).phase == Phase.TRANSFERRING
    assert put(up, 0, b"y" * 1000).status == 200
    assert file_of(up).read_bytes()[:1000] == b"y" * 1000


@pytest.mark.parametrize("verb", [transfers.pause, transfers.cancel])
def test_whoever_is_still_sending_is_stopped(up: Transfer, admin: User, verb: Callable[..., Any]) -> None:
    stopped = ask("PUT", at(up), b"x", stop=lambda: verb(up, by=admin), content_length="1000")
    assert stopped.status == 403


def test_what_is_being_looked_at_cannot_be_changed_any_more(up: Transfer, admin: User) -> None:
    with file_of(up).open("rb") as engine:
        fcntl.flock(engine, fcntl.LOCK_EX)
        assert put(up, 0, b"late").status == 403
    assert file_of(up).read_bytes()[:4] == bytes(4)


def test_a_request_that_is_cancelled_lets_its_file_go_only_when_nobody_writes_any_more(
    up: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, seen = threading.Event(), threading.Event(), []
    write, close = Content.write, Content.__exit__

    def slowly(content: Content, start: int, data: bytes) -> None:
        begun.set()
        go_on.wait(10)
        write(content, start, data)
        seen.append("written")

    def closed(content: Content, *why: object) -> None:
        seen.append("closed")
        close(content, *why)

    monkeypatch.setattr(Content, "write", slowly)
    monkeypatch.setattr(Content, "__exit__", closed)

    async def flow() -> None:
        body = [{"type": "http.request", "body": b"abc", "more_body": False}]

        async def receive() -> dict[str, Any]:
            return body.pop() if body else await asyncio.get_running_loop().create_future()

        async def send(_message: dict[str, Any]) -> None:
            return None

        scope = {"method": "PUT", "path": at(up), "headers": [(b"content-length", b"3")]}
        request = asyncio.ensure_future(door.images(scope, receive, send))
        await asyncio.to_thread(begun.wait, 10)
        request.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait({request})

    asyncio.run(flow())
    assert seen == ["written", "closed"]
    assert file_of(up).read_bytes()[:3] == b"abc"
