"""The graphics consoles of a machine: their ids are the protocols' names in hexadecimal, as in oVirt."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from vms.domain.console import Protocol
from vms.models import VM, Hardware

from .entity import Entity, Link, of_each
from .fields import NUMBER, TEXT, Field, Reference, Telling
from .types import PROTOCOL

ACTIONS: Final = ("proxyticket", "remoteviewerconnectionfile", "ticket")

# What an action may carry for a ticket.
TICKET: Final = (
    Field("ticket/value", TEXT, to="ticket.password"),
    Field("ticket/expiry", NUMBER, to="ticket.seconds"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One console of one machine; where it listens is known of a run alone."""

    owner: UUID
    protocol: Protocol
    address: str | None = None
    port: int = -1
    tls_port: int = -1

    @property
    def pk(self) -> str:
        return hexadecimal(self.protocol)


def hexadecimal(protocol: Protocol) -> str:
    return protocol.value.encode().hex()


def _consoles(row: Hardware, telling: Telling) -> Iterable[Shown]:
    """What is configured, or with `current` what a VM's run shows."""
    if not telling.current:
        return [Shown(row.pk, protocol) for protocol in sorted(row.console.graphics)]
    running: list[dict[str, Any]] = row.endpoints if isinstance(row, VM) else []
    return [Shown(row.pk, **{**each, "protocol": Protocol(each["protocol"])}) for each in running]


def _port(value: int) -> int | None:
    return None if value == -1 else value


def of(name: str, collection: str, actions: tuple[str, ...] = ()) -> Link:
    """The consoles of one kind of machine."""
    entity = Entity(
        name="graphics_console",
        collection="graphicsconsoles",
        plural="graphics_consoles",
        own=(
            Field("protocol", PROTOCOL, lambda it: it.protocol),
            Field("address", TEXT, lambda it: it.address),
            Field("port", NUMBER, lambda it: _port(it.port)),
            Field("tls_port", NUMBER, lambda it: _port(it.tls_port)),
            Field(name, Reference(collection), lambda it: it.owner),
        ),
        actions=actions,
    )
    return Link(rel=entity.collection, entity=entity, items=of_each(_consoles))
