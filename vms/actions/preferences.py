"""What a person has chosen of the pages; nobody else's affair, so nothing of it is recorded."""

from typing import Any, Final

from vms.models import User

from ._action import action

# A page that asked for more would be no page of ours.
_MOST: Final = 64


@action
def choose(name: str, value: Any, *, by: User) -> None:
    """Keep a choice; None goes back to what everybody has."""
    user = User.objects.select_for_update().get(pk=by.pk)
    kept = {key: each for key, each in user.preferences.items() if key != name}
    if value is not None and len(kept) < _MOST:
        kept[name] = value
    user.preferences = kept
    user.save(update_fields=["preferences"])
    by.preferences = kept
