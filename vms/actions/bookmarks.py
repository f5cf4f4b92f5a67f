"""Bookmarks: searches that are kept under a name, for everybody who administers (as oVirt has it)."""

from vms.models import ActionGroup, Bookmark

from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._labels import storable


@action
def create(name: str, value: str, *, by: Actor) -> Bookmark:
    """Keep a search; what it is about stands before it (`Vms: status = up`)."""
    authorise(by, ActionGroup.BOOKMARK_MANAGEMENT, None)
    bookmark = storable(Bookmark(name=name.strip(), value=value.strip()), "name", "value")
    bookmark.save(force_insert=True)
    record(by, "USER_ADD_BOOKMARK", bookmark)
    return bookmark


@action
def edit(bookmark: Bookmark, *, name: str | None = None, value: str | None = None, by: Actor) -> Bookmark:
    """Give it another name or another search."""
    bookmark = locked(bookmark)
    authorise(by, ActionGroup.BOOKMARK_MANAGEMENT, None)
    before = {"name": bookmark.name, "value": bookmark.value}
    bookmark.name = bookmark.name if name is None else name.strip()
    bookmark.value = bookmark.value if value is None else value.strip()
    storable(bookmark, "name", "value").save(update_fields=["name", "value"])
    record(by, "USER_UPDATE_BOOKMARK", bookmark, before, {"name": bookmark.name, "value": bookmark.value})
    return bookmark


@action
def remove(bookmark: Bookmark, *, by: Actor) -> None:
    """Forget a search."""
    bookmark = locked(bookmark)
    authorise(by, ActionGroup.BOOKMARK_MANAGEMENT, None)
    record(by, "USER_REMOVE_BOOKMARK", bookmark)
    bookmark.delete()
