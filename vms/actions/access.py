"""Losing the last way into a machine: what is known of the ways, the confirmation that takes, and its event."""

from dataclasses import replace

from vms.domain.access import Access, Facts, Rating, Seen, rate
from vms.domain.console import Console
from vms.domain.errors import Refusal
from vms.domain.initialization import PREFIX
from vms.models import VM, Hardware, User

from ._audit import record
from ._authorise import Actor


def facts(row: Hardware) -> Facts:
    """What is known of a machine besides its console: what its guest has told, and from where it can be reached.

    Nothing of what only will be one. A key is in the guest when its first boot has been told of one, or will be.
    """
    if not isinstance(row, VM):
        return Facts()
    return Facts(
        agent=Seen(row.agent),
        addresses=tuple(row.ip.split()),
        serial_heard=row.login_seen_at is not None,
        guest_key=bool(row.kept.get(f"{PREFIX}authorized_ssh_keys")),
    )


def of(row: Hardware, console: Console | None = None, *, by: User | None = None) -> Access:
    """How the machine can be reached as it is configured, or with another console.

    `by` is who looks: a key of theirs would open its serial line from a terminal, too.
    """
    console, known = console or row.console, facts(row)
    access = rate(console, known)
    if by is None or not console.serial or access.rating is Rating.OK:
        return access
    return rate(console, replace(known, own_key=by.public_keys.exists()))


def require_way_in(row: Hardware, before: Console | None, after: Console, *, accepted: bool) -> None:
    """Refuse to take away the last way in unless that was accepted; who was locked out before is not asked again."""
    if not accepted and _loses(row, before, after):
        raise Refusal("VM_WOULD_BE_LOCKED_OUT", "accept_lockout")


def tell(row: Hardware, before: Console | None, after: Console, *, by: Actor) -> None:
    """Record that the last way in was taken away, whichever door it came through."""
    if _loses(row, before, after):
        record(by, "VM_LOCKED_OUT", row, severity="warning")


def _loses(row: Hardware, before: Console | None, after: Console) -> bool:
    had_one = before is None or not of(row, before).locked_out
    return had_one and of(row, after).locked_out
