"""Transfers of images: what state they are in by oVirt's words, and what may be done with one in it."""

from enum import StrEnum
from typing import Final

from .errors import Refusal


class Direction(StrEnum):
    """Which way the bytes go, as the client sees it."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


class Phase(StrEnum):
    """oVirt's image_transfer_phase, as far as a transfer here can be in it."""

    INITIALIZING = "initializing"
    TRANSFERRING = "transferring"
    PAUSED_USER = "paused_user"
    PAUSED_SYSTEM = "paused_system"
    FINALIZING_SUCCESS = "finalizing_success"
    FINISHED_SUCCESS = "finished_success"
    FINISHED_FAILURE = "finished_failure"
    FINISHED_CLEANUP = "finished_cleanup"


class TimeoutPolicy(StrEnum):
    """What becomes of a transfer whose client is silent: `legacy` pauses uploads and cancels downloads."""

    LEGACY = "legacy"
    PAUSE = "pause"
    CANCEL = "cancel"

    def pauses(self, direction: Direction) -> bool:
        """Whether it may go on later."""
        return self == TimeoutPolicy.PAUSE or (self == TimeoutPolicy.LEGACY and direction == Direction.UPLOAD)


PAUSED: Final = frozenset({Phase.PAUSED_USER, Phase.PAUSED_SYSTEM})
# What still comes to an end by somebody's word; the image on its way is kept meanwhile.
OPEN: Final = frozenset({Phase.INITIALIZING, Phase.TRANSFERRING, *PAUSED, Phase.FINALIZING_SUCCESS})
_ALLOWED: Final[dict[str, frozenset[Phase]]] = {
    "extend": frozenset({Phase.TRANSFERRING, Phase.INITIALIZING}),
    "pause": frozenset({Phase.TRANSFERRING}),
    "resume": PAUSED,
    "cancel": OPEN - {Phase.FINALIZING_SUCCESS},
    "finalize": frozenset({Phase.TRANSFERRING, *PAUSED}),
}
SILENCE: Final = 60  # seconds without a request after which a client is taken for gone (oVirt's default)
LONGEST_SILENCE: Final = 24 * 3600


def require(verb: str, phase: Phase) -> None:
    """Refuse what cannot be done with a transfer in this phase."""
    if phase not in _ALLOWED[verb]:
        raise Refusal("TRANSFER_PHASE_ILLEGAL", None, verb=verb, phase=phase.value)


def check_silence(seconds: int) -> None:
    """Refuse a time that no client may be silent for; 0 is for ever."""
    if not 0 <= seconds <= LONGEST_SILENCE:
        raise Refusal("ILLEGAL_VALUE", "inactivity_timeout", value=str(seconds), allowed=f"0 … {LONGEST_SILENCE}")


def most(size: int, *, exact: bool) -> int:
    """The bytes that an upload of a disk may have: its size where what is sent is the disk `exact`ly as a guest sees
    it, else with what a QCOW2 file has beside it."""
    return size if exact else size + size // 256 + 16 * 1024 * 1024
