"""An engine that does nothing but set the passwords of consoles and take their pictures, and knows of which it did."""

from collections.abc import Iterator
from contextlib import closing
from uuid import UUID

import pytest
from pytest_django import Settings

from vms.domain.errors import Refusal
from vms.domain.picture import png
from vms.domain.ticket import Ticket
from vms.engine.door import Door
from vms.engine.requests import Requests
from vms.hypervisors.memory import MemoryHypervisor


class Consoles(MemoryHypervisor):
    """A host whose every machine has the console that a ticket is for; with `refusal` it takes none."""

    def __init__(self) -> None:
        super().__init__()
        self.set: dict[UUID, Ticket] = {}
        self.refusal: Refusal | None = None
        self.shots: list[UUID] = []

    def screenshot(self, machine: UUID) -> bytes:
        if self.refusal:
            raise self.refusal
        self.shots.append(machine)
        return png(2, 1, bytes((len(self.shots), 0, 0, 1, 2, 3)))

    def set_ticket(self, machine: UUID, ticket: Ticket) -> None:
        if self.refusal:
            raise self.refusal
        self.set[machine] = ticket


@pytest.fixture
def engine(settings: Settings) -> Iterator[Consoles]:
    """The engine's door, open where the web looks for it."""
    consoles = Consoles()
    requests = Requests(lambda _host: consoles)
    door = Door(settings.RUN_DIR, lambda: None, requests.answers)
    door.open()
    with closing(requests), closing(door):
        yield consoles
