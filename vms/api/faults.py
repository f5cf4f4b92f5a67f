"""How the door says no: oVirt's fault bodies, with the status that clients know them by."""

from collections.abc import Sequence
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions

from vms import messages
from vms.domain.errors import Kind, Refusal

from .document import Document

FAILED: Final = "Operation Failed"
INCOMPLETE: Final = "Incomplete parameters"
BAD_VALUE: Final = "Invalid value"
BAD_WORD: Final = "Invalid Enum value"

STATUS: Final[dict[Kind, int]] = {
    Kind.INVALID: 400,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.CONFLICT: 409,
    Kind.UNAVAILABLE: 503,
}


class Fault(Exception):
    """A status, oVirt's reason, and a detail for people."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(status, reason, detail)
        self.status = status
        self.reason = reason
        self.detail = detail

    def document(self, *, action: bool = False) -> Document:
        """The body: a fault, or an action that has failed with one."""
        fault = {"detail": self.detail, "reason": self.reason}
        return Document("action", {"fault": fault, "status": "failed"}) if action else Document("fault", fault)


def not_found(what: str = "") -> Fault:
    """Somebody asked for what is not there, or not for them."""
    return Fault(404, FAILED, f"[Entity not found{f': {what}' if what else ''}]")


def missing(kind: str, *fields: str) -> Fault:
    """A request that lacks what it cannot do without (oVirt's sentence)."""
    return Fault(400, INCOMPLETE, f"{kind} [{', '.join(fields)}] required for add")


def invalid(path: str, value: object, allowed: Sequence[str] | str) -> Fault:
    """A value that an element cannot have; a list of words makes it one of oVirt's enumerations."""
    words = allowed if isinstance(allowed, str) else ", ".join(allowed)
    no = Refusal("ILLEGAL_VALUE", path, value=str(value)[:80], allowed=words)
    return Fault(400, BAD_VALUE if isinstance(allowed, str) else BAD_WORD, f"[{path}: {messages.refusal(no)}]")


def of_refusal(no: Refusal) -> Fault:
    """What the rules refuse, in a sentence, the element named that it is about."""
    about = f"{messages.FIELDS[no.field]}: " if no.field in messages.FIELDS else ""
    return Fault(STATUS[no.kind], FAILED, f"[{about}{messages.refusal(no)}]")


def of(error: Exception) -> Fault | None:
    """The fault for whatever a view raises; None for what nobody has foreseen."""
    match error:
        case Fault():
            return error
        case Refusal():
            return of_refusal(error)
        case Http404():
            return not_found()
        case PermissionDenied():
            return Fault(403, FAILED, "[You are not allowed to do this.]")
        case exceptions.APIException():
            return Fault(error.status_code, FAILED, f"[{error.detail}]")
    return None
