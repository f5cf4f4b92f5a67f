"""The web's end: wake the engine, ask whether it is there, have it do what cannot wait; each bounded in time."""

import logging
import os
import socket
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from vms.domain.console import Protocol
from vms.domain.errors import KINDS, Refusal
from vms.domain.ticket import Ticket

from . import protocol

logger = logging.getLogger(__name__)

# A request that a hypervisor has to answer: its driver gives up after four seconds.
PATIENCE: Final = 6.0


class EngineClient:
    """Speaks to the engine whose socket lies in `run_dir`; what needs no hypervisor takes half a second at most."""

    def __init__(self, run_dir: Path, timeout: float = 0.5, patience: float = PATIENCE) -> None:
        self._path = run_dir / protocol.SOCKET_NAME
        self._timeout = timeout
        self._patience = patience

    def wake(self) -> bool:
        """Tell the engine that a job is waiting; False when no engine is there (it will find the job when it comes)."""
        return self._ask({"type": "wake"}, self._timeout)[0] is not None

    def alive(self) -> bool:
        """Whether an engine answers now."""
        return self._ask({"type": "ping"}, self._timeout)[0] is not None

    def set_ticket(self, host: UUID, machine: UUID, ticket: Ticket) -> None:
        """Have a running console take a password, which is written down nowhere on its way.

        Refused with `ENGINE_NOT_RUNNING` when no engine answers in time, and with what the hypervisor refuses."""
        told = {"protocol": ticket.protocol.value, "password": ticket.password.reveal(), "seconds": ticket.seconds}
        self._request("ticket", host=host, machine=machine, **told)

    def open_screen(self, host: UUID, machine: UUID, screen: Protocol) -> socket.socket:
        """A connection of one's own to a running console, past its password; refused like a ticket."""
        _answer, descriptor = self._request("screen", host=host, machine=machine, protocol=screen.value)
        if descriptor is None:
            raise Refusal("ENGINE_NOT_RUNNING")
        return socket.socket(fileno=descriptor)

    def screenshot(self, host: UUID, machine: UUID) -> bytes:
        """What a running machine's screen shows now, as a PNG; refused like a ticket."""
        _answer, descriptor = self._request("screenshot", host=host, machine=machine)
        if descriptor is None:
            raise Refusal("ENGINE_NOT_RUNNING")
        with os.fdopen(descriptor, "rb") as file:
            file.seek(0)
            return file.read()

    def _request(self, kind: str, *, host: UUID, machine: UUID, **told: Any) -> tuple[dict[str, Any], int | None]:
        """The engine's answer to a request that it does or refuses, with the descriptor that it hands over."""
        message = {"type": kind, "host": str(host), "machine": str(machine), **told}
        answer, descriptor = self._ask(message, self._patience)
        match (answer or {}).get("type"):
            case "done":
                return answer or {}, descriptor
            case "refused":
                raise _refusal(answer or {})
        raise Refusal("ENGINE_NOT_RUNNING")

    def _ask(self, message: dict[str, Any], timeout: float) -> tuple[dict[str, Any] | None, int | None]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(timeout)
                with protocol.short_address(self._path) as address:
                    connection.connect(address)
                protocol.send(connection, message)
                return protocol.receive_handed(connection)
        except OSError as error:
            logger.debug("no engine answers: %s", error)
            return None, None


def _refusal(answer: dict[str, Any]) -> Refusal:
    code, params = answer.get("code"), answer.get("params")
    if code not in KINDS or not isinstance(params, dict):
        return Refusal("ENGINE_FAILED")
    return Refusal(code, answer.get("field"), **params)
