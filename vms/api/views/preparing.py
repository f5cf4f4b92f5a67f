"""Prepare for headless by programs: ours, beside oVirt's actions, and not linked from machines."""

from typing import Any, ClassVar, Final

from rest_framework.response import Response

from vms import messages
from vms.actions import preparations
from vms.api.document import Document
from vms.api.faults import FAILED
from vms.api.mapping.fields import BOOLEAN, Field
from vms.domain.errors import Refusal
from vms.domain.preparation import Outcome, Way
from vms.models import VM, Preparation

from .actions import Acting
from .base import Door
from .machines import VMS

PREPARE: Final = "prepareheadless"
UNDO: Final = "undoprepareheadless"
_OUTCOMES: Final = {Outcome.DONE: "complete", Outcome.UNDONE: "complete", Outcome.ACTIVE: "in_progress"}


class Prepare(Acting):
    """Prepare a machine without asking before its guest is changed, or undo that; `force` may power it off for it.

    It is done `offline`, on its disks while it is off, where no agent of it has ever answered, unless that is said.
    """

    takes: ClassVar[tuple[Field, ...]] = (
        *(Field(name, BOOLEAN, to=f"action.{name}") for name in ("async", "force", "offline")),
    )

    def post(self, request: Any, key: str) -> Response:
        """Begin; how far it is, the answer's `href` tells."""
        vm = self.row(VMS.rows(self.user), key)
        force = self.switch(self.body("action"), "force")
        if self.verb == PREPARE:
            begun = preparations.begin(vm, by=self.user, way=self._way(vm), alone=True, may_power_off=force)
        else:
            latest = vm.preparations.first()
            if latest is None:
                raise Refusal("PREPARE_NOTHING_KEPT", None, message="")
            begun = preparations.undo(latest, by=self.user, may_power_off=force)
        href = f"{self.telling.base}/vms/{key}/{PREPARE}/{begun.pk}"
        told = {"href": href, "id": str(begun.pk), "status": "pending"}
        return Response(Document("action", told), 202, headers={"Location": href})

    def _way(self, vm: VM) -> Way:
        if "offline" not in self.body("action"):
            return preparations.way_for(vm)
        return Way.OFFLINE if self.switch(self.body("action"), "offline") else Way.AGENT


class Prepared(Door):
    """A preparation that was begun."""

    acts = True

    def get(self, request: Any, key: str, preparation: str) -> Response:
        """How far it is, and why it failed."""
        vm = self.row(VMS.rows(self.user), key)
        found: Preparation = self.row(vm.preparations.all(), preparation)
        told: dict[str, Any] = {"id": str(found.pk), "status": _OUTCOMES.get(Outcome(found.outcome), "failed")}
        if found.error:
            told["fault"] = {"detail": f"[{messages.job_error(found.error)}]", "reason": FAILED}
        return Response(Document("action", told))
