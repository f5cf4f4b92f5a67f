"""A password that opens one console of a run, for a while (oVirt: SetVmTicket)."""

import secrets
import string
from dataclasses import dataclass
from typing import Final, Self

from .console import Protocol
from .errors import Refusal
from .secret import Secret

# What the servers take: VNC's encryption has room for eight characters, libspice for sixty.
LENGTH: Final = {Protocol.VNC: 8, Protocol.SPICE: 60}
_GENERATED: Final = {Protocol.VNC: 8, Protocol.SPICE: 16}
_ALPHABET: Final = string.ascii_letters + string.digits

EXPIRY: Final = 7200  # seconds where nobody says otherwise, as at oVirt's REST door
LONGEST: Final = 30 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The password for one protocol's console, valid for so many seconds from the moment it is set."""

    protocol: Protocol
    password: Secret
    seconds: int = EXPIRY

    def __post_init__(self) -> None:
        text, longest = self.password.reveal(), LENGTH[self.protocol]
        if not (0 < len(text) <= longest and text.isascii() and text.isprintable()):
            # Never the value itself: refusals are shown and logged.
            raise Refusal("TICKET_ILLEGAL", "value", protocol=self.protocol.upper(), length=longest)
        if not 0 < self.seconds <= LONGEST:
            raise Refusal("ILLEGAL_VALUE", "expiry", value=self.seconds, allowed=f"1 … {LONGEST}")

    @classmethod
    def of(cls, protocol: Protocol, password: Secret | None = None, seconds: int | None = None) -> Self:
        """A ticket with what is wished for; without a password one that nobody can guess."""
        made = Secret("".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED[protocol])))
        return cls(protocol=protocol, password=password or made, seconds=EXPIRY if seconds is None else seconds)
