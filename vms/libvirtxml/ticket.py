"""A running console's graphics device with another password."""

from datetime import UTC, datetime, timedelta

from lxml import etree

from vms.domain.console import Protocol
from vms.domain.ticket import Ticket

from .elements import PARSER


def ticketed(xml: str, ticket: Ticket, *, now: datetime) -> str | None:
    """The graphics device of live domain XML with a ticket's password; None where there is no such device."""
    for graphics in etree.fromstring(xml.encode(), PARSER).iterfind("devices/graphics"):
        if graphics.get("type") == ticket.protocol:
            graphics.set("passwd", ticket.password.reveal())
            until = now.astimezone(UTC) + timedelta(seconds=ticket.seconds)
            graphics.set("passwdValidTo", f"{until:%Y-%m-%dT%H:%M:%S}")
            if ticket.protocol == Protocol.SPICE:  # QEMU's VNC server knows no other way than to keep who is there
                graphics.set("connected", "disconnect")
            return etree.tostring(graphics, encoding="unicode")
    return None
