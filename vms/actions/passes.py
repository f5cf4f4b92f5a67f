"""Passes to consoles: given to somebody who may open one, redeemed once by the same person in the same session."""

import secrets
from datetime import timedelta
from typing import Final

from django.utils import timezone

from vms.domain.console import Protocol
from vms.domain.secret import Secret
from vms.models import VM, ConsoleKind, ConsolePass, User

from . import tickets
from ._action import action, locked

VALID: Final = timedelta(seconds=30)


@action
def give(vm: VM, kind: ConsoleKind, *, by: User, session: str = "") -> Secret:
    """A pass to a console of the present run, told only now; refused with the reason where there is none to open."""
    vm = locked(vm)
    tickets.claim(vm, Protocol(kind), by=by)
    ConsolePass.objects.filter(expires_at__lt=timezone.now()).delete()
    told = secrets.token_urlsafe(32)
    ConsolePass.objects.create(
        digest=ConsolePass.digest_of(told),
        user=by,
        vm=vm,
        kind=kind,
        session=session,
        expires_at=timezone.now() + VALID,
    )
    return Secret(told)
