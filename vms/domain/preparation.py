"""How a machine is prepared for headless, and how that is undone: the stages, one after the other."""

from datetime import timedelta
from enum import StrEnum
from typing import Final


class Goal(StrEnum):
    """What is wanted: a machine that speaks on its serial line and has no screen, or all as it was before."""

    PREPARE = "prepare"
    UNDO = "undo"


class Way(StrEnum):
    """How the guest is reached: through its agent while it runs, or on its disks while it is off."""

    AGENT = "agent"
    OFFLINE = "offline"


class Stage(StrEnum):
    """One thing after the other; each ends before the next begins."""

    START = "start"  # once with a screen, where the guest does not run and answer already
    AGENT = "agent"
    LOOK = "look"
    CONFIRM = "confirm"  # a person reads what would be changed
    CHANGE = "change"
    SHUT_DOWN = "shut_down"
    CONFIGURE = "configure"
    BOOT = "boot"
    LOGIN = "login"  # a prompt is to be seen on the serial line


class Outcome(StrEnum):
    """Whether it is under way still, and else what it came to."""

    ACTIVE = "active"
    DONE = "done"
    UNDONE = "undone"
    FAILED = "failed"
    CANCELLED = "cancelled"


PATHS: Final[dict[tuple[Goal, Way], tuple[Stage, ...]]] = {
    (Goal.PREPARE, Way.AGENT): tuple(Stage),
    (Goal.UNDO, Way.AGENT): (Stage.START, Stage.AGENT, Stage.CHANGE, Stage.SHUT_DOWN, Stage.CONFIGURE, Stage.BOOT),
    (Goal.PREPARE, Way.OFFLINE): (
        *(Stage.SHUT_DOWN, Stage.LOOK, Stage.CONFIRM, Stage.CHANGE),
        *(Stage.CONFIGURE, Stage.BOOT, Stage.LOGIN),
    ),
    (Goal.UNDO, Way.OFFLINE): (Stage.SHUT_DOWN, Stage.CHANGE, Stage.CONFIGURE, Stage.BOOT),
}
REACHED: Final = {Goal.PREPARE: Outcome.DONE, Goal.UNDO: Outcome.UNDONE}

# How long a stage may take; a person may take his time.
WITHIN: Final[dict[Stage, timedelta]] = {
    Stage.START: timedelta(minutes=5),
    Stage.AGENT: timedelta(minutes=10),
    Stage.LOOK: timedelta(minutes=10),
    Stage.CHANGE: timedelta(minutes=10),
    Stage.SHUT_DOWN: timedelta(minutes=10),
    Stage.CONFIGURE: timedelta(minutes=5),
    Stage.BOOT: timedelta(minutes=5),
    Stage.LOGIN: timedelta(minutes=10),
}


def progress(goal: Goal, way: Way, at: Stage, outcome: Outcome) -> list[tuple[Stage, str]]:
    """Every stage of the way with what is to be said of it: `done`, `active`, `todo`, or how it ended there."""
    path = PATHS[goal, way]
    reached = outcome == REACHED[goal]
    here = path.index(at) if at in path else len(path)
    words = ["done" if reached or number < here else "todo" for number in range(len(path))]
    if not reached and here < len(path):
        words[here] = outcome.value
    return list(zip(path, words, strict=True))
