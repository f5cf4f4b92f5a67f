"""Frames on the wire: whole or not at all, small, and to a socket however deep it lies."""

import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms.wire import protocol
from vms.wire.protocol import LIMIT, WireError

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    for end in (one, other):
        end.settimeout(5)
    with one, other:
        yield one, other


def frame(body: bytes, length: int | None = None) -> bytes:
    return struct.pack("!I", len(body) if length is None else length) + body


@given(st.dictionaries(st.text(max_size=9), st.none() | st.booleans() | st.integers() | st.lists(st.text(max_size=9))))
def test_a_message_arrives_as_it_was_sent(message: dict[str, Any]) -> None:
    one, other = socket.socketpair()
    with one, other:
        protocol.send(one, message)
        assert protocol.receive(other) == message


def test_messages_arrive_one_by_one(pair: Pair) -> None:
    for number in range(3):
        protocol.send(pair[0], {"number": number})
    assert [protocol.receive(pair[1]) for _ in range(3)] == [{"number": 0}, {"number": 1}, {"number": 2}]


def test_hanging_up_between_messages_is_the_end(pair: Pair) -> None:
    protocol.send(pair[0], {})
    pair[0].close()
    assert (protocol.receive(pair[1]), protocol.receive(pair[1])) == ({}, None)


@pytest.mark.parametrize("length", range(1, 8))
def test_hanging_up_inside_a_message_is_an_error(pair: Pair, length: int) -> None:
    pair[0].sendall(frame(b"{}  ")[:length])
    pair[0].close()
    with pytest.raises(WireError, match="inside a frame"):
        protocol.receive(pair[1])


def test_a_message_that_comes_in_crumbs_is_put_together(pair: Pair) -> None:
    class Crumbs:
        def recv(self, length: int) -> bytes:
            return pair[1].recv(min(length, 1))

    protocol.send(pair[0], {"type": "wake"})
    crumbs: Any = Crumbs()
    assert protocol.receive(crumbs) == {"type": "wake"}


def test_the_largest_message_arrives_and_one_more_byte_is_not_sent(pair: Pair) -> None:
    padding = LIMIT - len(json.dumps({"text": ""}))
    protocol.send(pair[0], {"text": "x" * padding})
    received = protocol.receive(pair[1])
    assert received is not None
    assert len(received["text"]) == padding
    with pytest.raises(WireError, match="over the limit"):
        protocol.send(pair[0], {"text": "x" * (padding + 1)})


@pytest.mark.parametrize("length", [LIMIT + 1, 2**31, 2**32 - 1])
def test_a_frame_over_the_limit_is_refused_before_it_is_read(pair: Pair, length: int) -> None:
    pair[0].sendall(frame(b"", length))
    with pytest.raises(WireError, match="over the limit"):
        protocol.receive(pair[1])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b'{"type": ',
        b"[]",
        b'"wake"',
        b"1",
        b"null",
        b"[" * 60_000,
        b'{"a":' * 12_000,
    ],
)
def test_what_is_no_object_of_json_is_refused(pair: Pair, body: bytes) -> None:
    pair[0].sendall(frame(body))
    with pytest.raises(WireError, match="a frame that is no"):
        protocol.receive(pair[1])


def test_an_error_on_the_wire_is_a_lost_connection() -> None:
    assert issubclass(WireError, ConnectionError)


def test_the_peer_is_known_by_its_user(pair: Pair) -> None:
    assert protocol.peer_uid(pair[0]) == os.getuid()


@pytest.mark.parametrize("depth", [0, 10])
def test_a_socket_may_lie_as_deep_as_it_likes(tmp_path: Path, depth: int) -> None:
    path = tmp_path.joinpath(*["a-long-name-for-a-directory"] * depth) / protocol.SOCKET_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    assert (len(str(path)) > 107) == bool(depth)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with protocol.short_address(path) as address:
            server.bind(address)
            server.listen()
        with protocol.short_address(path) as address:
            client.connect(address)
    assert path.is_socket()


def test_the_address_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        with protocol.short_address(tmp_path / "any"):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_directory_that_is_not_there_is_an_ordinary_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), protocol.short_address(tmp_path / "missing" / "engine.sock"):
        pass
