"""Image transfers: begun here, carried out at their own address, ended here."""

from typing import Any, Final

from rest_framework.response import Response

from vms.actions import transfers
from vms.api.faults import not_found
from vms.api.mapping import transfers as table
from vms.api.mapping.draft import Draft
from vms.api.mapping.fields import Ref
from vms.domain.transfers import Direction
from vms.models import Disk, Image, Transfer

from .actions import Acting
from .base import Door, done
from .collections import Resource
from .plain import columns

VERBS: Final = {
    "cancel": transfers.cancel,
    "extend": transfers.extend,
    "finalize": transfers.finalize,
    "pause": transfers.pause,
    "resume": transfers.resume,
}


def _begin(door: Door, draft: Draft) -> Transfer:
    refs = draft.values.pop("reference", {})
    if refs.get("host"):
        door.named("hosts", refs["host"], "host")
    said = columns(draft)
    direction = said.pop("direction", Direction.UPLOAD)
    image = _image(door, refs.get("snapshot"))
    # What was `image` in oVirt 4.0 is its `disk`, and the Go client says so still.
    named = refs.get("disk") or refs.get("image")
    disk = image.disk if image else door.named("disks", door.required(named, "ImageTransfer", "disk.id"), "disk")
    return transfers.begin(disk, direction, image=image, by=door.user, **said)


def _image(door: Door, ref: Ref | None) -> Image | None:
    """What oVirt calls the snapshot of a disk: an image of it, the one that is written to or an earlier one."""
    if ref is None or ref.id is None:
        return None
    found = Image.objects.select_related("disk").filter(pk=ref.id, disk__in=Disk.objects.visible_to(door.user)).first()
    if found is None:
        raise not_found("snapshot")
    return found


TRANSFERS: Final = Resource(entity=table.ENTITY, create=_begin)


class OfTransfer(Acting):
    """What is done with an image transfer: extended, paused, resumed, cancelled, finalized."""

    def post(self, request: Any, key: str) -> Response:
        """Do it."""
        row = self.row(TRANSFERS.rows(self.user), key)
        self.body("action")
        VERBS[self.verb](row, by=self.user)
        return done()
