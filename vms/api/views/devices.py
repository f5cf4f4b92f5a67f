"""Devices of a machine that clients add, change and remove one by one; each is an edit of the machine."""

from typing import Any

from rest_framework.response import Response

from vms.actions.edit import edit
from vms.api.document import Document
from vms.api.faults import Fault, missing
from vms.api.mapping.draft import Draft
from vms.api.mapping.follow import items_of, tell_one
from vms.domain.changes import Changes
from vms.domain.lifecycle import NOT_RUNNING, Status
from vms.domain.parts import Watchdog as Guard
from vms.models import VM

from .base import done
from .links import Linked, LinkedOne


class Watchdogs(Linked):
    """The watchdog of a machine, which has one at most."""

    def post(self, request: Any, key: str) -> Response:
        """Put one in."""
        owner = self.owner(key)
        said = self.draft(self.link.entity).values.get("watchdog", {})
        if "action" not in said:
            raise missing("Watchdog", "action")
        if owner.watchdog_action:
            raise Fault(409, "Operation Failed", "[There is a watchdog already.]")
        edit(owner, Changes(machine={"watchdog": Guard(action=said["action"])}), by=self.user)
        owner = self.owner(key)
        (item,) = items_of(self.link, owner, self.telling)
        told = tell_one(self.link.entity, item, self.telling, self.place(owner))
        return Response(Document("watchdog", told), 201, headers={"Location": told["href"]})


class Watchdog(LinkedOne):
    """A watchdog that is there."""

    def put(self, request: Any, key: str, inner: str) -> Response:
        """Change what it does."""
        owner = self.owner(key)
        self.item(owner, inner)
        said = self.draft(self.link.entity).values.get("watchdog", {})
        if "action" in said:
            edit(owner, Changes(machine={"watchdog": Guard(action=said["action"])}), by=self.user)
        return self.get(request, key, inner)

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Take it out."""
        owner = self.owner(key)
        self.item(owner, inner)
        edit(owner, Changes(machine={"watchdog": None}), by=self.user)
        return done()


class Drive(LinkedOne):
    """The CD drive of a machine."""

    def put(self, request: Any, key: str, inner: str) -> Response:
        """Put another CD in, or none; a running machine has it with its next start."""
        owner = self.owner(key)
        self.item(owner, inner)
        if self.flag("current") and isinstance(owner, VM) and Status(owner.observed) not in NOT_RUNNING:
            raise Fault(409, "Operation Failed", "[A running machine gets another CD with its next start only.]")
        draft = self.draft(self.link.entity)
        if "file" in self.body("cdrom") and not draft.values:
            draft = Draft({"boot": {"cd": ""}})  # an empty element takes it out
        edit(owner, draft.changes(owner), by=self.user)
        return self.get(request, key, inner)
