"""Images on their way to a disk or from one."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from vms.actions.transfers import ticket_of
from vms.domain.transfers import Direction, Phase, TimeoutPolicy
from vms.models import Transfer

from .entity import Entity
from .fields import BOOLEAN, NUMBER, TEXT, Field, Reference, Telling, Words
from .storage import BYTES, FORMAT

_DIRECTION: Final = Words({each.value: each for each in Direction})
_PHASE: Final = Words({each.value: each for each in Phase})
_POLICY: Final = Words({each.value: each for each in TimeoutPolicy})


@dataclass(frozen=True, slots=True)
class Told:
    """A transfer, and where its bytes go as long as they may."""

    row: Transfer
    site: str

    @property
    def pk(self) -> UUID:
        return self.row.pk

    @property
    def url(self) -> str | None:
        # The Go client reads it from the answer to its POST, when nothing goes yet.
        goes = self.row.phase in {Phase.INITIALIZING, Phase.TRANSFERRING}
        return f"{self.site}/images/{ticket_of(self.row)}" if goes else None


def _subject(row: Transfer, telling: Telling) -> Told:
    return Told(row, telling.site)


def _told(name: str) -> Any:
    return lambda it: getattr(it.row, name)


ENTITY: Final = Entity(
    name="image_transfer",
    collection="imagetransfers",
    plural="image_transfers",
    own=(
        Field("direction", _DIRECTION, _told("direction"), "attribute.direction"),
        Field("phase", _PHASE, _told("phase")),
        Field("active", BOOLEAN, lambda it: it.row.phase == Phase.TRANSFERRING and not it.row.silent),
        Field("format", FORMAT, _told("format"), "attribute.format"),
        Field("inactivity_timeout", NUMBER, _told("inactivity_timeout"), "attribute.silence"),
        Field("timeout_policy", _POLICY, _told("timeout_policy"), "attribute.policy"),
        Field("shallow", BOOLEAN, _told("shallow"), "attribute.shallow"),
        Field("transferred", BYTES, _told("reached")),
        Field("transfer_url", TEXT, lambda it: it.url),
        # Who cannot reach the host goes through the engine in oVirt; here it is the same place.
        Field("proxy_url", TEXT, lambda it: it.url),
        Field("host", Reference("hosts"), _told("host_id"), "reference.host"),
        Field("disk", Reference("disks"), _told("disk_id"), "reference.disk"),
        Field("image", Reference("imagetransfers"), to="reference.image"),
        Field("snapshot", Reference("imagetransfers"), to="reference.snapshot"),
    ),
    rows=lambda user: Transfer.objects.visible_to(user),
    subject=_subject,
    actions=("cancel", "extend", "finalize", "pause", "resume"),
    not_offered=("backup",),
    called=lambda rows, _name: rows.none(),
)
