"""The engine's end of the wire: answers pings, wake-up calls and requests of processes that run as the same user, or as
root."""

import contextlib
import logging
import os
import socketserver
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

from vms.domain.errors import Refusal
from vms.wire import protocol

logger = logging.getLogger(__name__)


class Handed(Protocol):
    """What is handed over with an answer, and closed here afterwards."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


# Does what a message asks for, or refuses; what it returns is handed over with the answer.
Answer = Callable[[Mapping[str, Any]], Handed | None]


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = cast(_Server, self.server)
        self.request.settimeout(5)
        if protocol.peer_uid(self.request) not in {0, os.getuid()}:
            logger.warning("a stranger (uid %s) called", protocol.peer_uid(self.request))
            return
        with contextlib.suppress(OSError):
            while (message := protocol.receive(self.request)) is not None:
                if message.get("type") == "wake":
                    server.wake()
                self._answer(server, message)

    def _answer(self, server: "_Server", message: dict[str, Any]) -> None:
        told, handed = self._done(server, message)
        try:
            protocol.send(self.request, told, handed.fileno() if handed else None)
        finally:
            if handed:
                handed.close()

    @staticmethod
    def _done(server: "_Server", message: dict[str, Any]) -> tuple[dict[str, Any], Handed | None]:
        answer = server.answers.get(str(message.get("type")))
        if answer is None:
            return {"type": "ok"}, None
        try:
            return {"type": "done"}, answer(message)
        except Refusal as no:
            return {"type": "refused", "field": no.field, **no.as_document()}, None
        except Exception as error:  # noqa: BLE001  # whatever it is, the one who waits is told
            # Its kind alone: the message, which it may repeat, can hold a password.
            logger.error("a request (%s) failed: %s", message.get("type"), type(error).__name__)
            return {"type": "refused", "field": None, **Refusal("ENGINE_FAILED").as_document()}, None


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    wake: Callable[[], None]
    answers: Mapping[str, Answer]


class Door:
    """Listens on the engine's socket in `run_dir`; its maker holds the engine's lock, so one left there is dead.

    `answers` are the requests that it takes, by the type of their messages.
    """

    def __init__(
        self, run_dir: Path, wake: Callable[[], None], answers: Mapping[str, Answer] = MappingProxyType({})
    ) -> None:
        path = run_dir / protocol.SOCKET_NAME
        path.unlink(missing_ok=True)
        with protocol.short_address(path) as address:
            self._server = _Server(address, _Handler)
        path.chmod(0o600)
        self._server.wake = wake
        self._server.answers = answers
        self._path = path
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="door", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)
