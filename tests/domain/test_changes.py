"""What somebody wants changed: the named things change, the rest stays."""

from dataclasses import replace
from uuid import UUID

import pytest

from vms.domain.changes import Changes
from vms.domain.console import Console, Level, Offer, Protocol, Video
from vms.domain.errors import Refusal
from vms.domain.firmware import Firmware
from vms.domain.machine import MachineSpec

SPEC = MachineSpec(id=UUID(int=5), name="web-1", memory=512, console=Console(serial=True))


def offered(spec: MachineSpec) -> Offer:
    return spec.offer(Level.V4_8, frozenset(Protocol))


def test_no_changes_leave_the_machine_as_it_is() -> None:
    assert Changes().apply_to(SPEC, offered) == SPEC


def test_only_what_is_named_changes() -> None:
    assert Changes(machine={"memory": 2048}).apply_to(SPEC, offered) == replace(SPEC, memory=2048)


def test_the_console_changes_by_a_rule_that_sees_the_stored_one() -> None:
    changes = Changes(console=lambda console, offer: console.as_headless())
    assert changes.apply_to(SPEC, offered).console == SPEC.console.as_headless()


def test_the_console_is_chosen_for_the_machine_as_changed() -> None:
    changes = Changes(
        machine={"firmware": Firmware.UEFI},
        console=lambda _, offer: Console(graphics=frozenset(), video=None).as_graphical(offer),
    )
    assert changes.apply_to(SPEC, offered).console.video is Video.BOCHS


def test_a_change_that_the_machines_own_rules_refuse_is_refused() -> None:
    with pytest.raises(Refusal) as refusal:
        Changes(machine={"memory": 0}).apply_to(SPEC, offered)
    assert refusal.value.field == "memory"
