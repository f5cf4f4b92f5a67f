"""Tags and bookmarks: who may make and attach them, and what cannot be one."""

import pytest

from tests.factories import person
from vms.actions import bookmarks, tags
from vms.domain.errors import Refusal
from vms.models import VM, AuditEvent, Bookmark, Tag, Template, User

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def refusal(act: object, *given: object, **named: object) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as no:
        act(*given, **named)  # type: ignore[operator]
    return no.value.code, no.value.field


def codes() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("code", flat=True))


def test_a_tag_is_put_on_machines_and_taken_off_once(vm: VM, admin: User) -> None:
    tag = tags.create("web servers", by=admin)
    for act in (tags.attach, tags.attach, tags.detach, tags.detach):
        act(tag, vm, by=admin)
        assert list(vm.tags.all()) == ([tag] if act is tags.attach else [])
    blank = Template.objects.get()
    tags.attach(tag, blank, by=admin)
    tags.detach(tag, blank, by=admin)
    told = ("USER_ATTACH_TAG_TO_VM", "USER_DETACH_VM_FROM_TAG")
    also = ("USER_ATTACH_TAG_TO_TEMPLATE", "USER_DETACH_TEMPLATE_FROM_TAG")
    assert codes()[-5:] == ["USER_ADD_TAG", *told, *also]


def test_tags_form_a_tree(admin: User) -> None:
    top = tags.create("site", by=admin)
    middle = tags.create("hall", parent=top, by=admin)
    leaf = tags.create("rack", parent=middle, by=admin)
    for below in (top, middle, leaf):
        no = refusal(tags.edit, top, parent=below, by=admin)
        assert no == ("TAGS_SPECIFIED_TAG_CANNOT_BE_THE_PARENT_OF_ITSELF", "parent")
    assert tags.edit(leaf, parent=top, name=" shelf ", by=admin).name == "shelf"
    tags.remove(top, by=admin)
    assert not Tag.objects.exists()


def test_removing_a_tag_leaves_its_machines(vm: VM, admin: User) -> None:
    tag = tags.create("old", by=admin)
    tags.attach(tag, vm, by=admin)
    tags.remove(tag, by=admin)
    assert VM.objects.filter(pk=vm.pk, tags=None).exists()
    assert refusal(tags.edit, tag, name="new", by=admin)[0] == "ACTION_TYPE_FAILED_VM_NOT_FOUND"


def test_a_bookmark_is_kept_changed_and_forgotten(admin: User) -> None:
    kept = bookmarks.create(" down ", "Vms: status = down", by=admin)
    assert (kept.name, kept.value) == ("down", "Vms: status = down")
    changed = bookmarks.edit(kept, value="Vms: status = up", by=admin)
    assert (changed.name, changed.value) == ("down", "Vms: status = up")
    bookmarks.remove(changed, by=admin)
    assert not Bookmark.objects.exists()
    assert codes() == ["USER_ADD_BOOKMARK", "USER_UPDATE_BOOKMARK", "USER_REMOVE_BOOKMARK"]


def test_a_label_needs_a_name_of_its_own(admin: User) -> None:
    tags.create("a", by=admin)
    bookmarks.create("a", "Vms:", by=admin)
    used = ("ACTION_TYPE_FAILED_NAME_ALREADY_USED", "name")
    assert (refusal(tags.create, "a", by=admin), refusal(bookmarks.create, "a", "x", by=admin)) == (used, used)
    for name in ("", "  ", "x" * 51, "a\nb", "a\0b", "\ud800"):
        assert refusal(tags.create, name, by=admin) == ("ILLEGAL_VALUE", "name")
        assert refusal(bookmarks.create, name, "x", by=admin) == ("ILLEGAL_VALUE", "name")
    assert refusal(bookmarks.create, "b", "\n", by=admin) == ("ILLEGAL_VALUE", "value")
    assert (Tag.objects.count(), Bookmark.objects.count()) == (1, 1)


def test_whoever_may_not_is_refused(vm: VM, admin: User, alice: User) -> None:
    tag, kept = tags.create("a", by=admin), bookmarks.create("a", "Vms:", by=admin)
    told = codes()
    no = ("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", None)
    assert refusal(tags.create, "b", by=alice) == no
    assert refusal(tags.edit, tag, name="b", by=alice) == no
    assert refusal(tags.remove, tag, by=alice) == no
    assert refusal(tags.attach, tag, vm, by=alice) == no
    assert refusal(tags.detach, tag, vm, by=alice) == no
    assert refusal(bookmarks.create, "b", "x", by=alice) == no
    assert refusal(bookmarks.edit, kept, name="b", by=alice) == no
    assert refusal(bookmarks.remove, kept, by=alice) == no
    assert codes() == told


def test_a_role_on_a_machine_is_enough_to_tag_it(vm: VM, admin: User) -> None:
    tag = tags.create("a", by=admin)
    tags.attach(tag, vm, by=person("dora", role="SuperUser", vm=vm))
    assert list(vm.tags.all()) == [tag]
