"""What a person has read and put away of what happened; his own affair, so nothing of it is recorded.

What is put away is the events up to a number and a few after it; the events themselves stay for ever.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from vms.models import User

from ._action import action

KEY: Final = "notices"
# Of those put away one by one the latest are remembered, and what is older than all of them counts as put away.
MOST: Final = 500


@dataclass(frozen=True)
class Shelf:
    """The number up to which events are read, the one up to which they are put away, and single ones after that."""

    read: int = 0
    cleared: int = 0
    dismissed: frozenset[int] = frozenset()

    @classmethod
    def of(cls, user: User) -> Self:
        kept: Any = user.preferences.get(KEY)
        kept = kept if isinstance(kept, dict) else {}
        return cls(kept.get("read", 0), kept.get("cleared", 0), frozenset(kept.get("dismissed", ())))

    def without(self, event: int) -> Self:
        latest = sorted({*self.dismissed, event})
        over, left = latest[:-MOST], latest[-MOST:]
        return (
            replace(self, cleared=max(self.cleared, *over), dismissed=frozenset(left))
            if over
            else replace(self, dismissed=frozenset(left))
        )

    def cleared_to(self, event: int) -> Self:
        kept = frozenset(each for each in self.dismissed if each > event)
        return replace(self, read=max(self.read, event), cleared=max(self.cleared, event), dismissed=kept)

    def read_to(self, event: int) -> Self:
        return replace(self, read=max(self.read, event))


def dismiss(event: int, *, by: User) -> None:
    """Put one event away."""
    _change(by, lambda shelf: shelf.without(event))


def clear(event: int, *, by: User) -> None:
    """Put away all events up to one, that one too; those that came later stay."""
    _change(by, lambda shelf: shelf.cleared_to(event))


def read(event: int, *, by: User) -> None:
    """Take note of all events up to one."""
    _change(by, lambda shelf: shelf.read_to(event))


@action
def _change(by: User, change: Callable[[Shelf], Shelf]) -> None:
    user = User.objects.select_for_update().get(pk=by.pk)
    shelf = change(Shelf.of(user))
    kept = {"read": shelf.read, "cleared": shelf.cleared, "dismissed": sorted(shelf.dismissed)}
    user.preferences = {**user.preferences, KEY: kept}
    user.save(update_fields=["preferences"])
    by.preferences = user.preferences
