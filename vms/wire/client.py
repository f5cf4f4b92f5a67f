"""The web's end: wake the engine, ask whether it is there; never waits long and never fails a request."""

import logging
import socket
from pathlib import Path
from typing import Any

from . import protocol

logger = logging.getLogger(__name__)


class EngineClient:
    """Speaks to the engine whose socket lies in `run_dir`; each call takes half a second at most."""

    def __init__(self, run_dir: Path, timeout: float = 0.5) -> None:
        self._path = run_dir / protocol.SOCKET_NAME
        self._timeout = timeout

    def wake(self) -> bool:
        """Tell the engine that a job is waiting; False when no engine is there (it will find the job when it comes)."""
        return self._ask({"type": "wake"}) is not None

    def alive(self) -> bool:
        """Whether an engine answers now."""
        return self._ask({"type": "ping"}) is not None

    def _ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._timeout)
                with protocol.short_address(self._path) as address:
                    connection.connect(address)
                protocol.send(connection, message)
                return protocol.receive(connection)
        except OSError as error:
            logger.debug("no engine answers: %s", error)
            return None
