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
from typing import Any, cast

from vms.domain.errors import Refusal
from vms.wire import protocol

logger = logging.getLogger(__name__)

# Does what a message asks for, or refuses; what it returns is told with the answer.
Answer = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]


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
                protocol.send(self.request, self._answered(server, message))

    @staticmethod
    def _answered(server: "_Server", message: dict[str, Any]) -> dict[str, Any]:
        answer = server.answers.get(str(message.get("type")))
        if answer is None:
            return {"type": "ok"}
        try:
            return {"type": "done", **(answer(message) or {})}
        except Refusal as no:
            return {"type": "refused", "field": no.field, **no.as_document()}
        except Exception as error:  # noqa: BLE001  # whatever it is, the one who waits is told
            # Its kind alone: the message, which it may repeat, can hold a password.
            logger.error("a request (%s) failed: %s", message.get("type"), type(error).__name__)
            return {"type": "refused", "field": None, "code": "ENGINE_FAILED", "params": {}}


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
