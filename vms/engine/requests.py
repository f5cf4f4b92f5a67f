"""What web processes ask the engine to do at once, while somebody waits: no job, and nothing is written down."""

import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final, TypeVar
from uuid import UUID

from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.secret import Secret
from vms.domain.ticket import Ticket
from vms.hypervisors.base import Hypervisor

from .door import Answer
from .hands import Hands

T = TypeVar("T")

WITHIN: Final = 5.0  # seconds for a hypervisor's answer; who asked waits a little longer
CALLERS: Final = 2  # threads for each host: a driver keeps a connection for each, and a hung host holds up no other


class Requests:
    """Carries requests to drivers; `driver` gives that of a host that answers, and refuses any other host."""

    def __init__(self, driver: Callable[[UUID], Hypervisor]) -> None:
        self._driver = driver
        self._guard = threading.Lock()
        self._callers: dict[UUID, Hands] = {}

    @property
    def answers(self) -> dict[str, Answer]:
        """The requests that the door takes, by the type of their messages."""
        return {"ticket": self._set_ticket, "screen": self._open_screen, "screenshot": self._take_picture}

    def close(self) -> None:
        """Take no more; what is under way is not waited for."""
        with self._guard:
            for callers in self._callers.values():
                callers.close()

    def _set_ticket(self, told: Mapping[str, Any]) -> None:
        ticket = Ticket(protocol=Protocol(told["protocol"]), password=Secret(told["password"]), seconds=told["seconds"])
        self._call(told, lambda driver: driver.set_ticket(UUID(told["machine"]), ticket))

    def _open_screen(self, told: Mapping[str, Any]) -> socket.socket:
        machine, screen = UUID(told["machine"]), Protocol(told["protocol"])
        return self._call(told, lambda driver: driver.open_screen(machine, screen))

    def _take_picture(self, told: Mapping[str, Any]) -> BinaryIO:
        """In a file that is nowhere: a picture is larger than a message may be."""
        machine = UUID(told["machine"])
        picture = self._call(told, lambda driver: driver.screenshot(machine))
        file = os.fdopen(os.memfd_create("screenshot"), "w+b")
        file.write(picture)
        file.flush()
        return file

    def _call(self, told: Mapping[str, Any], call: Callable[[Hypervisor], T]) -> T:
        host = UUID(told["host"])
        driver = self._driver(host)
        with self._guard:
            callers = self._callers.setdefault(host, Hands("asked", CALLERS))
        outcome = callers.do(lambda: call(driver))
        try:
            return outcome.result(WITHIN)
        except TimeoutError as error:
            callers.give_up(outcome)
            raise Refusal("HOST_NOT_RESPONDING", None, host=str(host)) from error
