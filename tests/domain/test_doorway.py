"""How viewers elsewhere reach the screens of a host: not at all, unless somebody has opened it."""

from typing import Any

import pytest

from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.hosts import Doorway, Endpoint

HERE = Endpoint(protocol=Protocol.VNC, address="127.0.0.1", port=5900)
ALL = Endpoint(protocol=Protocol.VNC, address="0.0.0.0", port=5900)


def test_it_is_closed_unless_somebody_opens_it() -> None:
    assert not Doorway().open
    assert not Doorway(listen="::1").open
    assert Doorway(listen="10.0.0.1").open
    assert Doorway(listen="0.0.0.0", address="host.example.org").open


def test_viewers_are_told_where_they_reach_it() -> None:
    named = Doorway(listen="0.0.0.0", address="host.example.org")
    assert named.told(ALL).address == "host.example.org"
    assert named.told(HERE) == HERE, "a run that began before listens where it did"
    assert Doorway(listen="10.0.0.1").told(Endpoint(protocol=Protocol.VNC, address="10.0.0.1")).address == "10.0.0.1"


def test_what_makes_no_sense_is_refused_at_its_field() -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        *(("console_listen", {"listen": text}) for text in ("everywhere", "", "1.2.3", "10.0.0.1\nport=1", "host")),
        *(("console_address", {"listen": every}) for every in ("0.0.0.0", "::")),
        *(("console_address", {"address": text}) for text in ("a b", "-x", "x\ny", "http://host", "a" * 300)),
        *(("console_subject", {"subject": text}) for text in ("CN=x\nproxy=y", "x" * 300)),
    ]
    for field, values in wrong:
        with pytest.raises(Refusal) as no:
            Doorway(**values)
        assert no.value.field == field, values
