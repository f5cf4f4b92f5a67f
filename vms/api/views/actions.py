"""What can be done with a machine: each a POST with an `<action>`, answered by one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from rest_framework.response import Response

from vms.actions import create, pools, power
from vms.api.document import Tree
from vms.api.faults import Fault, missing
from vms.api.mapping import vm as table
from vms.api.mapping.console import Wish
from vms.api.mapping.fields import BOOLEAN, read
from vms.api.mapping.follow import tell_one
from vms.domain.console import Offer
from vms.domain.errors import Refusal
from vms.domain.machine import MachineSpec
from vms.domain.runonce import ConsoleChoice, RunOnce
from vms.models import Job

from .base import Door, done
from .machines import POOLS, VMS

POWER: Final[dict[str, Callable[..., Job]]] = {
    "stop": power.stop,
    "shutdown": power.shutdown,
    "reboot": power.reboot,
    "reset": power.reset,
    "suspend": power.suspend,
}
_INITIALIZERS: Final = ("use_cloud_init", "use_sysprep", "use_ignition")


class Acting(Door):
    """An action; whatever it says is an `<action>`."""

    acts = True

    def switch(self, action: Tree, name: str) -> bool:
        """A yes or no beside the entity in an action."""
        return name in action and bool(BOOLEAN.read(action[name], name))


class Power(Acting):
    """Stop, shutdown, reboot, reset and suspend."""

    verb = ""

    def post(self, request: Any, key: str) -> Response:
        """Record the job."""
        vm = self.row(VMS.rows(self.user), key)
        self.body("action")
        return done(POWER[self.verb](vm, by=self.user), self.telling)


class Start(Acting):
    """Start: with a `<vm>` inside, or paused, it is oVirt's Run Once."""

    def post(self, request: Any, key: str) -> Response:
        """Record the job."""
        vm = self.row(VMS.rows(self.user), key)
        action = self.body("action")
        if sum(self.switch(action, name) for name in _INITIALIZERS) > 1:
            raise Fault(409, "Operation Failed", f"[Only one of {', '.join(_INITIALIZERS)} can be used at once.]")
        paused, volatile = self.switch(action, "pause"), self.switch(action, "volatile")
        if "vm" not in action and not paused and not volatile:
            return done(power.start(vm, by=self.user), self.telling)
        overlay = _overlay(action.get("vm", {}), paused=paused or None, volatile=volatile)
        return done(power.run_once(vm, overlay, by=self.user), self.telling)


class Clone(Acting):
    """Clone a VM under another name."""

    def post(self, request: Any, key: str) -> Response:
        """Make the clone."""
        vm = self.row(VMS.rows(self.user), key)
        inner = self.body("action").get("vm") or {}
        draft = read(table.FIELDS, inner)
        name = draft.take("machine", "name")
        if not name:
            raise missing("Action", "vm.name")
        draft.values.pop("reference", None)
        made = create.clone(vm, name, changes=draft.changes(), by=self.user)
        return done(vm=tell_one(table.ENTITY, self.row(VMS.rows(self.user), str(made.pk)), self.telling))


class Detach(Acting):
    """Take a VM out of its pool."""

    def post(self, request: Any, key: str) -> Response:
        """Detach it."""
        vm = self.row(VMS.rows(self.user), key)
        self.body("action")
        pools.detach(vm, by=self.user)
        return done()


class Allocate(Acting):
    """Take a VM of a pool for oneself."""

    def post(self, request: Any, key: str) -> Response:
        """Give one and start it."""
        pool = self.row(POOLS.rows(self.user), key)
        self.body("action")
        taken = pools.take(pool, by=self.user)
        return done(vm=tell_one(table.ENTITY, self.row(VMS.rows(self.user), str(taken.pk)), self.telling))


def _overlay(tree: Any, *, paused: bool | None, volatile: bool) -> power.Overlay:
    """What a run is to have otherwise; refused where somebody asks for what a run cannot have yet."""
    for path in table.RUN_ONCE_REFUSED:
        if _says(tree, path):
            raise Refusal("ILLEGAL_VALUE", None, value=path.replace("/", "."), allowed=_POSSIBLE)
    draft = read(table.RUN_ONCE, tree)
    wishes = draft.values.get("console", {})
    keyboard, serial = wishes.pop("keyboard", None), wishes.pop("serial", None)
    wish = Wish(**wishes)

    def overlay(spec: MachineSpec, offer: Offer) -> RunOnce:
        graphics = wish.display(offer) if wish.graphics is None else wish.graphics
        choice = next((choice for choice in ConsoleChoice if choice.graphics == graphics), ConsoleChoice.AS_CONFIGURED)
        once = RunOnce.choose(
            choice, spec, offer, keyboard=keyboard, serial=serial, start_paused=paused, volatile=volatile
        )
        return replace(once, video=wish.video) if wish.video and graphics else once

    return overlay


_POSSIBLE: Final = "display, console.enabled, graphics_consoles"


def _says(tree: Any, path: str) -> bool:
    for step in path.split("/"):
        if not isinstance(tree, dict) or not tree.get(step):
            return False
        tree = tree[step]
    return str(tree).lower() not in {"false", "0"}
