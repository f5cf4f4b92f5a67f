"""People, roles and permissions."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from vms.actions import people, permissions
from vms.domain.errors import Refusal
from vms.models import (
    Permission,
    Role,
    User,
)
from vms.models.users import OBJECTS

from .base import PlainAdmin, SilentAdmin, user_of


def _grant(*, user: User, role: Role, by: User, **objects: Any) -> Permission:
    """A permission as Django's form has it: a column for each kind of object, all but one of them empty."""
    named = [row for row in objects.values() if row is not None]
    if len(named) > 1:
        raise Refusal("ILLEGAL_VALUE", None, value=", ".join(map(str, named)), allowed="one object at most")
    return permissions.grant(user, role, *named, by=by)


@admin.register(Permission)
class PermissionAdmin(PlainAdmin):
    """Permissions are given and taken; another one is another permission."""

    list_display = ("user", "role", *OBJECTS)
    list_select_related = ("user", "role", *OBJECTS)
    make, remove = staticmethod(_grant), permissions.revoke
    edit = make

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


admin.site.register(Role, SilentAdmin)


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Django's own pages, for its passwords; people are removed by the action."""

    actions = None

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        people.remove(obj, by=user_of(request))
