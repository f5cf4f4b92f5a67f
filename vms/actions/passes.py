"""Consoles in a browser: a pass is given to somebody who may open one, redeemed once by the same person in the same
session, and what it opened is closed when the right, the session or the console goes."""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.domain.secret import Secret
from vms.models import VM, ActionGroup, ConsoleKind, ConsolePass, ConsoleSession, PublicKey, User

from . import tickets
from ._action import action, locked
from ._audit import record
from ._authorise import authorise

VALID: Final = timedelta(seconds=30)
# Consoles that may be open at once.
PER_USER: Final = 32
PER_MACHINE: Final = 16

GROUPS: Final = {
    ConsoleKind.VNC: ActionGroup.CONNECT_TO_VM,
    ConsoleKind.SPICE: ActionGroup.CONNECT_TO_VM,
    ConsoleKind.SERIAL: ActionGroup.CONNECT_TO_SERIAL_CONSOLE,
}

# Why an open console is closed; whoever serves it says so to the browser.
RIGHT_LOST, LOGGED_OUT, KEY_REMOVED, TAKEN_OVER, ENDED = "right", "session", "key", "taken", "ended"
GONE: Final = "gone"  # the console's own end hung up


def mark_of(session_key: str | None) -> str:
    """What is kept of a session: a mark that nobody logs in with; empty for none."""
    return hashlib.sha256(session_key.encode()).hexdigest() if session_key else ""


@action
def give(vm: VM, kind: ConsoleKind, *, by: User, session: str = "") -> Secret:
    """A pass to a console, told only now; refused with the reason where there is none to open."""
    vm = locked(vm)
    _require(vm, kind, by=by)
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


def redeem(told: str, vm: UUID, kind: str, *, session: str, address: str | None = None) -> ConsoleSession:
    """Open the console that a pass was given for; whatever becomes of it, the pass is used up.

    Refused for another machine, kind or session than it was given for: somebody has got hold of it.
    """
    found = ConsolePass.objects.filter(digest=ConsolePass.digest_of(told)).select_related("user", "vm").first()
    # Who deletes it has it: of two that come at once one gets in.
    if found is None or not ConsolePass.objects.filter(pk=found.pk).delete()[0]:
        raise Refusal("CONSOLE_PASS_INVALID")
    right_place = (found.vm_id, found.kind, found.session) == (vm, kind, session)
    if not right_place or found.expires_at <= timezone.now() or not found.user.is_active:
        raise Refusal("CONSOLE_PASS_INVALID")
    return enter(found.vm, ConsoleKind(kind), by=found.user, address=address)


@action
def enter(vm: VM, kind: ConsoleKind, *, by: User, address: str | None = None, fingerprint: str = "") -> ConsoleSession:
    """Somebody opens a console, perhaps by a key: refused with the reason where there is none, and beyond what may be
    open at once."""
    vm = locked(vm)
    _require(vm, kind, by=by)
    open_ = ConsoleSession.objects.open()
    for there, limit in ((open_.filter(vm=vm), PER_MACHINE), (open_.filter(user=by), PER_USER)):
        if there.count() >= limit:
            raise Refusal("TOO_MANY_CONSOLES", None, limit=limit)
    if kind != ConsoleKind.SERIAL:
        tickets.claim(vm, Protocol(kind), by=by)
        vm.sessions.graphical().exclude(user=by).update(ended=TAKEN_OVER)
    told = {"address": address, "fingerprint": fingerprint, "seen_at": timezone.now()}
    made = ConsoleSession.objects.create(user=by, vm=vm, kind=kind, **told)
    record(by, "VM_CONSOLE_CONNECTED", vm, console=kind)
    return made


@action
def leave(session: UUID) -> None:
    """Somebody has closed a console, or it was closed."""
    found = ConsoleSession.objects.filter(pk=session).select_related("user", "vm").first()
    if found is None or not ConsoleSession.objects.filter(pk=session).delete()[0]:
        return
    vm = locked(found.vm)
    if vm.console_user_id == found.user_id and not vm.sessions.open().graphical().exists():
        vm.console_user = vm.console_until = None
        vm.save(update_fields=["console_user", "console_until"])
    seconds = round((timezone.now() - found.opened_at).total_seconds())
    record(found.user, "VM_CONSOLE_DISCONNECTED", vm, console=found.kind, seconds=seconds)


def watch(open_: Mapping[UUID, str]) -> dict[UUID, str]:
    """Of the open consoles, each with the key of its browser's session, those to close now, and why; the others are
    marked as seen."""
    there = {row.pk: row for row in ConsoleSession.objects.filter(pk__in=open_).select_related("user", "vm")}
    alive = _alive({open_[key]: row.user for key, row in there.items() if open_[key]})
    allowed, keyless = _allowed(there.values()), _keyless(there.values())
    verdicts = {}
    for key, session_key in open_.items():
        row = there.get(key)
        if row is None or row.ended:
            verdicts[key] = row.ended if row else ENDED
        elif session_key and session_key not in alive:
            verdicts[key] = LOGGED_OUT
        elif key in keyless:
            verdicts[key] = KEY_REMOVED
        elif key not in allowed:
            verdicts[key] = RIGHT_LOST
    kept = open_.keys() - verdicts.keys()
    stale = timezone.now() - VALID / 3
    ConsoleSession.objects.filter(pk__in=kept, seen_at__lt=stale).update(seen_at=timezone.now())
    return verdicts


def expire() -> int:
    """Forget the consoles whose server has gone without a word; returns how many."""
    gone = ConsoleSession.objects.exclude(pk__in=ConsoleSession.objects.open().values("pk"))
    stale = gone.filter(seen_at__lt=timezone.now() - 2 * VALID)
    keys = list(stale.values_list("pk", flat=True))
    for key in keys:
        leave(key)
    return len(keys)


def _require(vm: VM, kind: ConsoleKind, *, by: User) -> None:
    """Refuse a console that is not there, or not for this person, without taking anything."""
    if kind == ConsoleKind.SERIAL:
        authorise(by, GROUPS[kind], vm)
        if not vm.has_serial_line:
            raise Refusal("NO_SERIAL_CONSOLE", None, name=vm.name)
        return
    tickets.require_open(vm, Protocol(kind), by=by)


def _alive(sessions: Mapping[str, User]) -> set[str]:
    """The keys of the sessions that still stand: not logged out, not expired, of the same person and password."""
    if settings.SESSION_ENGINE != "django.contrib.sessions.backends.db":
        raise NotImplementedError("consoles watch the sessions in the database")
    found = Session.objects.filter(session_key__in=sessions, expire_date__gt=timezone.now())
    return {row.session_key for row in found if _belongs(row, sessions[row.session_key])}


def _belongs(session: Session, user: User) -> bool:
    told = session.get_decoded()
    same_password = secrets.compare_digest(told.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
    return told.get(SESSION_KEY) == str(user.pk) and same_password and user.is_active


def _keyless(open_: Iterable[ConsoleSession]) -> set[UUID]:
    """Those of the open consoles whose users have removed the key that opened them."""
    by_key = {row.fingerprint: row.user_id for row in open_ if row.fingerprint}
    if not by_key:
        return set()
    known = set(PublicKey.objects.filter(fingerprint__in=by_key).values_list("fingerprint", "user_id"))
    return {row.pk for row in open_ if row.fingerprint and (row.fingerprint, row.user_id) not in known}


def _allowed(open_: Iterable[ConsoleSession]) -> set[UUID]:
    """Those of the open consoles whose users may still open them, by one question for each user and kind."""
    asked: defaultdict[tuple[User, str], list[ConsoleSession]] = defaultdict(list)
    for row in open_:
        asked[row.user, row.kind].append(row)
    found: set[UUID] = set()
    for (user, kind), rows in asked.items():
        machines = VM.objects.filter(pk__in=[row.vm_id for row in rows])
        may = set(machines.visible_to(user, GROUPS[ConsoleKind(kind)]).values_list("pk", flat=True))
        found |= {row.pk for row in rows if row.vm_id in may}
    return found
