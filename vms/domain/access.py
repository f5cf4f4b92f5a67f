"""Can people still reach a machine: the ways in, what is known of each, and what would add one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from .console import Console


class Way(StrEnum):
    """A way into a machine; none of them depends on another."""

    GRAPHICAL = "graphical"
    SERIAL = "serial"
    GUEST = "guest"  # its agent answers, or an address of it is known
    SSH_KEY = "ssh_key"  # a key that its first boot put there


class Proof(StrEnum):
    """What is known of a way in."""

    PROVEN = "proven"
    UNPROVEN = "unproven"  # it is configured, or worked once; whether the guest answers there, nobody has seen
    MISSING = "missing"


class Rating(StrEnum):
    """How well a machine can be reached."""

    OK = "ok"
    ONE_WAY = "one_way"
    UNKNOWN = "unknown"
    LOCKED_OUT = "locked_out"


class Cure(StrEnum):
    """What adds a way in, the least effort first."""

    ENABLE_SERIAL = "enable_serial"
    ADD_SSH_KEY = "add_ssh_key"
    PREPARE = "prepare"
    RUN_ONCE_WITH_VNC = "run_once_with_vnc"


class Seen(StrEnum):
    """Whether something in the guest has ever answered."""

    NEVER = "never"
    BEFORE = "before"
    NOW = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a machine besides its console; nothing is, of one that has never run.

    `serial_heard`: a prompt has stood on its serial line. `guest_key`: its first boot gives it an
    SSH key. `own_key`: whoever asks has a key for serial consoles by SSH; None where nobody can have one.
    """

    agent: Seen = Seen.NEVER
    addresses: tuple[str, ...] = ()
    serial_heard: bool = False
    guest_key: bool = False
    own_key: bool | None = None

    @property
    def reachable(self) -> bool:
        """Whether the guest answers on the network, as far as anybody knows."""
        return self.agent is Seen.NOW or bool(self.addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The ways into one machine, the rating that follows, and the cures that would better it."""

    ways: Mapping[Way, Proof]
    addresses: tuple[str, ...] = ()
    cures: tuple[Cure, ...] = ()

    @property
    def rating(self) -> Rating:
        """Two ways of which one is proven are enough; a single one must be, or nobody knows."""
        there = [proof for proof in self.ways.values() if proof is not Proof.MISSING]
        if not there:
            return Rating.LOCKED_OUT
        if Proof.PROVEN not in there:
            return Rating.UNKNOWN
        return Rating.OK if len(there) > 1 else Rating.ONE_WAY

    @property
    def locked_out(self) -> bool:
        return self.rating is Rating.LOCKED_OUT


NOTHING_KNOWN: Final = Facts()


def rate(console: Console, facts: Facts = NOTHING_KNOWN) -> Access:
    """How a machine with this console can be reached."""
    ways = {
        Way.GRAPHICAL: _proof(there=not console.headless, seen=True),
        Way.SERIAL: _proof(there=console.serial, seen=facts.serial_heard),
        Way.GUEST: _proof(there=facts.reachable or facts.agent is Seen.BEFORE, seen=facts.reachable),
        Way.SSH_KEY: _proof(there=facts.guest_key, seen=facts.reachable),
    }
    would_help = {
        Cure.ENABLE_SERIAL: not console.serial,
        Cure.ADD_SSH_KEY: facts.own_key is False and console.serial,
        Cure.PREPARE: not facts.serial_heard,
        Cure.RUN_ONCE_WITH_VNC: console.headless,
    }
    access = Access(ways=ways, addresses=facts.addresses)
    if access.rating is Rating.OK:
        return access
    return replace(access, cures=tuple(cure for cure, helps in would_help.items() if helps))


def _proof(*, there: bool, seen: bool) -> Proof:
    if not there:
        return Proof.MISSING
    return Proof.PROVEN if seen else Proof.UNPROVEN
