"""People and machines for the tests, made through the actions like everybody else's."""

from typing import Any

from vms.actions import create
from vms.domain.changes import Changes
from vms.domain.console import Console, Offer
from vms.models import VM, Cluster, Permission, Role, User


def person(name: str, *, role: str | None = None, **on: Any) -> User:
    """A user, with a role on an object (`vm=…`, `cluster=…`, nothing: on the system) where one is named."""
    user, _made = User.objects.get_or_create(username=name)
    user.set_password(f"{name}-password")
    user.save()
    if role:
        Permission.objects.create(user=user, role=Role.objects.get(name=role), **on)
    return user


def headless(console: Console, _offer: Offer) -> Console:
    return console.as_headless()


def machine(name: str, *, by: User, console: Any = None, **parts: Any) -> VM:
    """A VM on the Default cluster; `parts` are fields of its `MachineSpec`."""
    changes = Changes(machine=parts, console=console)
    return create.vm(name, cluster=Cluster.objects.get(name="Default"), changes=changes, by=by)
