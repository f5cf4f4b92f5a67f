"""Whoever makes something may do anything with it."""

from django.db.models import Model

from vms.models import Permission, Role, User

from ._authorise import Actor


def own(by: Actor, role: str, **on: Model) -> None:
    """Give the role on a new row to the person who has made it."""
    if isinstance(by, User):
        Permission.objects.create(user=by, role=Role.objects.get(name=role), **on)
