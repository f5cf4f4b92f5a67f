"""Snapshots of a machine: taken, gone back to, and removed."""

from typing import Any

from rest_framework.response import Response

from vms.actions import snapshots
from vms.api.document import Document
from vms.api.faults import missing, not_found
from vms.api.mapping import snapshots as table
from vms.api.mapping.fields import Field, read_id
from vms.api.mapping.follow import tell_one
from vms.api.mapping.kept import Identified
from vms.models import VM, Snapshot

from .actions import Acting
from .base import done
from .links import Linked, LinkedOne
from .machines import VMS


class Snapshots(Linked):
    """All snapshots of a machine."""

    def post(self, request: Any, key: str) -> Response:
        """Begin to take one."""
        vm = self.owner(key)
        said = self.draft(self.link.entity).values.get("attribute", {})
        made = snapshots.take(vm, self.required(said.get("description"), "Snapshot", "description"), by=self.user)
        told = tell_one(self.link.entity, table.Kept(vm.pk, made.created_at, made), self.telling, self.place(vm))
        return Response(Document("snapshot", told), 201, headers={"Location": told["href"]})


class OneSnapshot(LinkedOne):
    """One snapshot of a machine."""

    def delete(self, request: Any, key: str, inner: str) -> Response:
        """Begin to remove it."""
        row = self.item(self.owner(key), inner).row
        if row is None:
            raise not_found("the active snapshot is the machine itself")
        snapshots.remove(row, by=self.user)
        return done()


def _of(vm: VM, key: str) -> Snapshot:
    found = vm.snapshots.filter(pk=read_id(key, "snapshot.id")).first()
    if found is None:
        raise not_found()
    return found


class Restore(Acting):
    """Back to a snapshot for good."""

    def post(self, request: Any, key: str, inner: str) -> Response:
        """Begin to go back."""
        vm = self.row(VMS.rows(self.user), key)
        self.body("action")
        snapshots.preview(_of(vm, inner), commit=True, by=self.user)
        return done()


class Preview(Acting):
    """Back to a snapshot for a look, and from that look."""

    takes = (Field("snapshot", Identified(), to="action.snapshot"),)

    def post(self, request: Any, key: str) -> Response:
        """Begin to go."""
        vm = self.row(VMS.rows(self.user), key)
        action = self.body("action")
        if self.verb == "previewsnapshot":
            named = self.element(action, "snapshot").get("id")
            if not named:
                raise missing("Action", "snapshot.id")
            snapshots.preview(_of(vm, str(named)), by=self.user)
        else:
            {"commitsnapshot": snapshots.commit, "undosnapshot": snapshots.undo}[self.verb](vm, by=self.user)
        return done()
