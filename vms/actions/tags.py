"""Tags: a tree of words, and which machines and templates they are put on."""

from vms.domain.errors import Refusal
from vms.models import VM, ActionGroup, Tag, Template

from ._action import action, locked
from ._audit import record
from ._authorise import Actor, authorise
from ._labels import storable

_ATTACHED = {VM: "USER_ATTACH_TAG_TO_VM", Template: "USER_ATTACH_TAG_TO_TEMPLATE"}
_DETACHED = {VM: "USER_DETACH_VM_FROM_TAG", Template: "USER_DETACH_TEMPLATE_FROM_TAG"}


@action
def create(name: str, *, description: str = "", parent: Tag | None = None, by: Actor) -> Tag:
    """A new tag, at the top of the tree or below another."""
    authorise(by, ActionGroup.TAG_MANAGEMENT, None)
    tag = storable(Tag(name=name.strip(), description=description, parent=parent), "name")
    tag.save(force_insert=True)
    record(by, "USER_ADD_TAG", tag)
    return tag


@action
def edit(tag: Tag, *, by: Actor, **changes: object) -> Tag:
    """Change `name`, `description` or `parent`; a tag does not go below itself."""
    tag = locked(tag)
    authorise(by, ActionGroup.TAG_MANAGEMENT, None)
    before = {name: str(getattr(tag, name) or "") for name in changes}
    for name, value in changes.items():
        setattr(tag, name, value.strip() if isinstance(value, str) and name == "name" else value)
    _require_tree(tag)
    storable(tag, "name").save(update_fields=[*changes])
    record(by, "USER_UPDATE_TAG", tag, before, {name: str(getattr(tag, name) or "") for name in changes})
    return tag


@action
def remove(tag: Tag, *, by: Actor) -> None:
    """Remove a tag with those below it; what it was put on stays."""
    tag = locked(tag)
    authorise(by, ActionGroup.TAG_MANAGEMENT, None)
    record(by, "USER_REMOVE_TAG", tag)
    tag.delete()


@action
def attach(tag: Tag, row: VM | Template, *, by: Actor) -> None:
    """Put a tag on a machine; one that is there already stays."""
    tag, row = locked(tag), locked(row)
    authorise(by, ActionGroup.TAG_MANAGEMENT, row)
    if not row.tags.filter(pk=tag.pk).exists():
        row.tags.add(tag)
        record(by, _ATTACHED[type(row)], row, tag=tag.name)


@action
def detach(tag: Tag, row: VM | Template, *, by: Actor) -> None:
    """Take a tag off a machine; one that is not there stays away."""
    row = locked(row)
    authorise(by, ActionGroup.TAG_MANAGEMENT, row)
    if row.tags.filter(pk=tag.pk).exists():
        row.tags.remove(tag)
        record(by, _DETACHED[type(row)], row, tag=tag.name)


def _require_tree(tag: Tag) -> None:
    above = tag.parent
    while above is not None:
        if above.pk == tag.pk:
            raise Refusal("TAGS_SPECIFIED_TAG_CANNOT_BE_THE_PARENT_OF_ITSELF", "parent", name=tag.name)
        above = above.parent
