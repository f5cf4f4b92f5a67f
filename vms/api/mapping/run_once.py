"""Run Once: what the `vm` inside a start may do otherwise for one run."""

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from vms.actions.initial import UNTOLD, Otherwise
from vms.actions.power import Overlay
from vms.api.document import Node, Tree
from vms.domain.console import Offer
from vms.domain.initialization import PREFIX
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, RunOnce

from . import vm
from .console import Wish
from .draft import COMPOSED, Draft, read, refuse
from .fields import TEXT, Field, Ref, Schema, Type, list_of, listed, object_of


class _Cd(Type):
    """The file in the drive; oVirt's machines have one drive."""

    def schema(self) -> Schema:
        return list_of("cdrom", object_of(file=object_of(id=TEXT.schema())))

    def read(self, node: Node, path: str) -> Any:
        found = ""
        for each in listed(node, "cdrom", path):
            file = each.get("file", "") if isinstance(each, dict) else each
            found = TEXT.read(file.get("id", "") if isinstance(file, dict) else file, f"{path}.cdrom.file.id")
        return found


_SAYS: Final = frozenset(
    {
        *("console.type", "console.video", "console.graphics", "console.keyboard", "console.serial"),
        *("console.file_transfer", "console.copy_paste", "boot_order.devices", "boot_order.menu", "boot.kernel"),
        *("boot.initrd", "boot.parameters", "machine.cpu_model", "machine.emulated_machine"),
        *("machine.custom_properties", "reference.hosts", "attribute.stateless"),
    }
)
FIELDS: Final = (
    *(field for field in vm.FIELDS if field.to in _SAYS or field.path.startswith(PREFIX)),
    Field("cdroms", _Cd(), to="boot.cd"),
)
# What oVirt's Run Once offers besides and nobody does here yet: refused, as the guest would run otherwise than asked.
NOT_OFFERED: Final = ("floppies/floppy", "initialization/configuration", "payloads/payload")
_OTHERWISE: Final = ("keyboard", "serial", "file_transfer", "copy_paste")


def asked(tree: Tree, *, filtered: bool) -> Draft:
    """What a client wants of one run, sorted; hosts are still names."""
    refuse(NOT_OFFERED, tree)
    return read(FIELDS, tree, filtered=filtered)


def first_boot(draft: Draft) -> Otherwise | None:
    """What the guest is told at this boot, where a client says so."""
    words, password = draft.values.pop("kept", {}), draft.take("attribute", "initialization_password", UNTOLD)
    return Otherwise(words, password) if words or password else None


def hosts(draft: Draft) -> list[Ref]:
    """The hosts that the run may start on, as the client names them."""
    named: list[Ref] = draft.take("reference", "hosts", [])
    return named


def overlay(draft: Draft, on: tuple[UUID, ...], *, paused: bool | None, volatile: bool) -> Overlay:
    """What the run has otherwise."""
    wishes = dict(draft.values.get("console", {}))
    choices = {name: wishes.pop(name) for name in _OTHERWISE if name in wishes}
    wish = Wish(**wishes)

    def laid(spec: MachineSpec, offer: Offer) -> RunOnce:
        graphics = wish.display(offer) if wish.graphics is None else wish.graphics
        choice = next((choice for choice in ConsoleChoice if choice.graphics == graphics), ConsoleChoice.AS_CONFIGURED)
        once = RunOnce.choose(
            choice,
            spec,
            offer,
            **choices,
            **_machine(draft, spec),
            hosts=on or None,
            start_paused=paused,
            volatile=volatile,
        )
        return replace(once, video=wish.video) if wish.video and graphics else once

    return laid


def _machine(draft: Draft, spec: MachineSpec) -> dict[str, Any]:
    said = draft.values.get("machine", {})
    values = {name: value(spec) if callable(value) else value for name, value in said.items()}
    for name in ("boot", "boot_order"):
        if parts := draft.values.get(name):
            values[name] = COMPOSED[name](getattr(spec, name), parts)
    return values
