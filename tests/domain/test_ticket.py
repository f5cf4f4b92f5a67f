"""Passwords for consoles: what the servers take, and never a word of it anywhere else."""

import pytest

from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.secret import Secret
from vms.domain.ticket import EXPIRY, LONGEST, Ticket


@pytest.mark.parametrize(("protocol", "longest"), [(Protocol.VNC, 8), (Protocol.SPICE, 60)])
def test_a_password_is_as_long_as_the_server_takes(protocol: Protocol, longest: int) -> None:
    assert Ticket.of(protocol, Secret("x" * longest)).password == Secret("x" * longest)
    for text in ("x" * (longest + 1), "é", "\0", "\t"):
        with pytest.raises(Refusal, match="TICKET_ILLEGAL") as refused:
            Ticket.of(protocol, Secret(text))
        assert refused.value.params == {"protocol": protocol.upper(), "length": longest}


def test_a_password_that_nobody_chose_is_another_each_time() -> None:
    for protocol in Protocol:
        assert len({Ticket.of(protocol).password.reveal() for _ in range(50)}) == 50
    assert Ticket.of(Protocol.VNC).seconds == EXPIRY == 7200


def test_a_ticket_is_valid_for_a_while() -> None:
    for seconds in (1, LONGEST):
        assert Ticket.of(Protocol.VNC, seconds=seconds).seconds == seconds
    for seconds in (0, -1, LONGEST + 1):
        with pytest.raises(Refusal, match="ILLEGAL_VALUE"):
            Ticket.of(Protocol.VNC, seconds=seconds)


def test_a_ticket_shows_nothing_of_its_password() -> None:
    assert "hush" not in f"{Ticket.of(Protocol.VNC, Secret('hush'))!r}"
