"""In which state a machine is, and which verb is allowed when (oVirt: ActionUtils.java)."""

from enum import StrEnum
from typing import Final

from .errors import Refusal


class Status(StrEnum):
    """oVirt's VMStatus, by its REST name."""

    UNASSIGNED = "unassigned"
    DOWN = "down"
    UP = "up"
    POWERING_UP = "powering_up"
    PAUSED = "paused"
    MIGRATING_FROM = "migrating_from"
    MIGRATING_TO = "migrating_to"
    UNKNOWN = "unknown"
    NOT_RESPONDING = "not_responding"
    WAIT_FOR_LAUNCH = "wait_for_launch"
    REBOOT_IN_PROGRESS = "reboot_in_progress"
    SAVING_STATE = "saving_state"
    RESTORING_STATE = "restoring_state"
    SUSPENDED = "suspended"
    IMAGE_ILLEGAL = "image_illegal"
    IMAGE_LOCKED = "image_locked"
    POWERING_DOWN = "powering_down"


NOT_RUNNING: Final = frozenset({Status.DOWN, Status.SUSPENDED, Status.IMAGE_LOCKED, Status.IMAGE_ILLEGAL})
MIGRATING: Final = frozenset({Status.MIGRATING_FROM, Status.MIGRATING_TO})

# A console can be opened in these (oVirt: VMStatus.isQualifiedForConsoleConnect).
REACHABLE: Final = frozenset(
    {
        Status.POWERING_UP,
        Status.UP,
        Status.REBOOT_IN_PROGRESS,
        Status.POWERING_DOWN,
        Status.PAUSED,
        Status.MIGRATING_FROM,
        Status.SAVING_STATE,
    }
)


# A password can be set for one in these (oVirt: SetVmTicketCommand).
TICKETABLE: Final = REACHABLE - {Status.MIGRATING_FROM, Status.SAVING_STATE}


class Verb(StrEnum):
    """What people do to a machine that depends on its state; jobs and the audit trail carry these words."""

    START = "start"
    RUN_ONCE = "run_once"
    RESUME = "resume"
    SHUTDOWN = "shutdown"
    STOP = "stop"
    REBOOT = "reboot"
    RESET = "reset"
    SUSPEND = "suspend"
    MIGRATE = "migrate"
    EDIT = "edit"
    REMOVE = "remove"


_RUNNING: Final = frozenset({Status.UP, Status.POWERING_UP, Status.REBOOT_IN_PROGRESS, Status.POWERING_DOWN})
_STOPPABLE: Final = _RUNNING | MIGRATING | {Status.WAIT_FOR_LAUNCH, Status.PAUSED, Status.NOT_RESPONDING}

ALLOWED: Final[dict[Verb, frozenset[Status]]] = {
    Verb.START: frozenset({Status.DOWN}),
    Verb.RUN_ONCE: frozenset({Status.DOWN}),
    Verb.RESUME: frozenset({Status.PAUSED, Status.SUSPENDED}),
    Verb.SHUTDOWN: _STOPPABLE,
    Verb.STOP: _STOPPABLE | {Status.SUSPENDED},
    Verb.REBOOT: frozenset({Status.UP, Status.POWERING_UP}),
    Verb.RESET: frozenset({Status.UP, Status.POWERING_UP, Status.REBOOT_IN_PROGRESS}),
    Verb.SUSPEND: frozenset({Status.UP}),
    Verb.MIGRATE: frozenset({Status.UP, Status.POWERING_UP, Status.REBOOT_IN_PROGRESS, Status.PAUSED}),
    Verb.EDIT: frozenset(Status),
    Verb.REMOVE: frozenset({Status.DOWN, Status.IMAGE_ILLEGAL}),
}

# What a list shows while a job works on the machine; a verb not named here changes nothing until it is done.
_IN_PROGRESS: Final[dict[Verb, Status]] = {
    Verb.START: Status.WAIT_FOR_LAUNCH,
    Verb.RUN_ONCE: Status.WAIT_FOR_LAUNCH,
    Verb.SHUTDOWN: Status.POWERING_DOWN,
    Verb.STOP: Status.POWERING_DOWN,
    Verb.REBOOT: Status.REBOOT_IN_PROGRESS,
    Verb.SUSPEND: Status.SAVING_STATE,
    Verb.MIGRATE: Status.MIGRATING_FROM,
}


def allowed(verb: Verb, status: Status) -> bool:
    """Whether a machine in this state takes the verb."""
    return status in ALLOWED[verb]


def require(verb: Verb, status: Status) -> None:
    """Refuse a verb that the machine's state does not allow."""
    if not allowed(verb, status):
        raise Refusal("ACTION_TYPE_FAILED_VM_STATUS_ILLEGAL", None, verb=verb.value, status=status.value)


def shown(observed: Status, active: Verb | None) -> Status:
    """The status that people see: what the hypervisor says, or what an active job is making of it."""
    if active is None:
        return observed
    if active == Verb.RESUME:
        return Status.RESTORING_STATE if observed == Status.SUSPENDED else observed
    if active in {Verb.SHUTDOWN, Verb.STOP, Verb.SUSPEND, Verb.MIGRATE} and observed in NOT_RUNNING:
        return observed
    if active in {Verb.START, Verb.RUN_ONCE} and observed not in NOT_RUNNING:
        return observed
    return _IN_PROGRESS.get(active, observed)
