"""Adding and removing a graphics console: what oVirt's `graphicsconsoles` does, for every kind of machine."""

from typing import TypeVar

from vms.domain.changes import Changes
from vms.domain.console import Protocol
from vms.models import Hardware

from ._authorise import Actor
from .edit import edit

Row = TypeVar("Row", bound=Hardware)


def attach(row: Row, protocol: Protocol, *, by: Actor) -> Row:
    """Add a graphics console; the first one brings a video card that fits it, and the machine is headless no more."""
    return edit(row, Changes(console=lambda console, offer: console.with_graphics(protocol, offer)), by=by)


def detach(row: Row, protocol: Protocol, *, by: Actor) -> Row:
    """Remove a graphics console; with the last one the video card goes too and the machine is headless."""
    return edit(row, Changes(console=lambda console, _offer: console.without_graphics(protocol)), by=by)
