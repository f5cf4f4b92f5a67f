"""What people sort machines by for themselves: tags in a tree, and searches kept under a name."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vms.models import Bookmark, Tag
from vms.models.machines import BLANK

from .entity import MOST_IDS, Entity, Items, Link
from .fields import TEXT, Field, Reference, Telling

ROOT_TAG: Final = BLANK  # oVirt's id of the tag above all others, which is no row here


TAG: Final = Entity(
    name="tag",
    collection="tags",
    plural="tags",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("description", TEXT, lambda it: it.description, "attribute.description"),
        Field("parent", Reference("tags"), lambda it: it.parent_id or ROOT_TAG, "reference.parent"),
    ),
    rows=lambda _user: Tag.objects.all(),
)
BOOKMARK: Final = Entity(
    name="bookmark",
    collection="bookmarks",
    plural="bookmarks",
    own=(
        Field("name", TEXT, lambda it: it.name, "attribute.name"),
        Field("value", TEXT, lambda it: it.value, "attribute.value"),
    ),
    rows=lambda _user: Bookmark.objects.all(),
)


def tags_of(model: type[Any]) -> Link:
    """The tags of one kind of machine."""
    return Link(rel="tags", entity=TAG, items=_tags(model))


def _tags(model: type[Any]) -> Items:
    through, owner = model.tags.through, f"{model._meta.model_name}_id"

    def found(owners: Sequence[Any], _telling: Telling) -> Mapping[Any, Sequence[Any]]:
        by_owner: dict[Any, list[Tag]] = {}
        ids = [row.pk for row in owners]
        for start in range(0, len(ids), MOST_IDS):
            held = through.objects.filter(**{f"{owner}__in": ids[start : start + MOST_IDS]})
            for each in held.select_related("tag").order_by("tag__name"):
                by_owner.setdefault(getattr(each, owner), []).append(each.tag)
        return by_owner

    return found
