"""The engine's end of the wire: answers pings and wake-up calls of processes that run as the same user, or as root."""

import contextlib
import logging
import os
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

from vms.wire import protocol

logger = logging.getLogger(__name__)


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
                protocol.send(self.request, {"type": "ok"})


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    wake: Callable[[], None]


class Door:
    """Listens on the engine's socket in `run_dir`; its maker holds the engine's lock, so one left there is dead."""

    def __init__(self, run_dir: Path, wake: Callable[[], None]) -> None:
        path = run_dir / protocol.SOCKET_NAME
        path.unlink(missing_ok=True)
        with protocol.short_address(path) as address:
            self._server = _Server(address, _Handler)
        path.chmod(0o600)
        self._server.wake = wake
        self._path = path
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="door", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)
