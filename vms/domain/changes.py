"""What somebody wants changed: only what is named changes, everything else stays as it is stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from .console import Console, Offer
from .firmware import Firmware
from .machine import MachineSpec

AS_CLUSTER: Final = "cluster"  # in place of a firmware: the one that the cluster has
ConsoleChange = Callable[[Console, Offer], Console]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """New values for a row's plain attributes and for fields of its `MachineSpec`, and what becomes of its console.

    A field's value may be a function of the machine, for a client that names one part of it alone. `version` is the
    row's version that the editor saw; None where the client keeps none. `apply_to_existing` brings an edit of a pool to
    the machines that it has, too. `accept_lockout` is what a client says that asks nobody; doors for people say it
    when somebody has confirmed that nobody may be able to reach the machine afterwards.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    console: ConsoleChange | None = None
    version: int | None = None
    apply_to_existing: bool = False
    accept_lockout: bool = True

    def in_cluster(self, firmware: Firmware) -> Self:
        """These changes with the cluster's firmware where they ask for it."""
        if self.machine.get("firmware") != AS_CLUSTER:
            return self
        return replace(self, machine={**self.machine, "firmware": firmware})

    def apply_to(self, spec: MachineSpec, offer_for: Callable[[MachineSpec], Offer]) -> MachineSpec:
        """The machine with these changes; `offer_for` tells what its cluster offers the changed machine."""
        values = {name: value(spec) if callable(value) else value for name, value in self.machine.items()}
        changed = replace(spec, **values)
        if self.console is None:
            return changed
        return replace(changed, console=self.console(changed.console, offer_for(changed)))
