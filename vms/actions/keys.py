"""The public keys of a person: each stands for that one person, from the moment it is added until it is removed."""

import hashlib
from base64 import b64decode, b64encode
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from django.utils import timezone

from vms.domain.errors import Refusal
from vms.models import ActionGroup, PublicKey, User

from . import rights
from ._action import action
from ._audit import record
from ._authorise import authorise

KINDS: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
RSA_BITS: Final = 2048


@action
def add(line: str, *, by: User, of: User | None = None) -> PublicKey:
    """Keep a key in OpenSSH's form (`ssh-ed25519 AAAA… comment`) of oneself; refused when it is none, weak, or in use.

    `of` is somebody else, for whom only those who may do everything add one: who holds it comes as that person.
    """
    owner = _allowed(of or by, by)
    kind, body, comment = (*line.strip().split(None, 2), "", "", "")[:3]
    fingerprint = _fingerprint(kind, body)
    if PublicKey.objects.filter(fingerprint=fingerprint).exists():
        raise Refusal("PUBLIC_KEY_IN_USE", "line")
    made = PublicKey.objects.create(
        user=owner,
        fingerprint=fingerprint,
        line=f"{kind} {body}",
        comment="".join(filter(str.isprintable, comment))[:100],
    )
    record(by, "USER_ADD_SSH_KEY", owner, fingerprint=fingerprint)
    return made


@action
def remove(key: PublicKey, *, by: User) -> None:
    """Forget a key of one's own, or as somebody who manages people anybody's; nobody comes with it any more."""
    if key.user != by:
        authorise(by, ActionGroup.MANIPULATE_USERS, None)
    if PublicKey.objects.filter(pk=key.pk).delete()[0]:
        record(by, "USER_REMOVE_SSH_KEY", key.user, fingerprint=key.fingerprint)


@action
def replace(key: PublicKey, line: str, *, by: User) -> PublicKey:
    """Another key in the place of one."""
    remove(key, by=by)
    return add(line, by=by, of=key.user)


def _allowed(owner: User, by: User) -> User:
    if owner != by:
        authorise(by, ActionGroup.MANIPULATE_USERS, None)
        if not rights.on_object(by, None) >= rights.EVERYTHING - {ActionGroup.LOGIN}:
            raise Refusal("USER_NOT_AUTHORIZED_TO_PERFORM_ACTION", None, permit=ActionGroup.MANIPULATE_USERS.value)
    return owner


def owner(fingerprint: str) -> User | None:
    """Whose key it is; None for nobody's, and for somebody's whose account is closed."""
    found = PublicKey.objects.filter(fingerprint=fingerprint, user__is_active=True).select_related("user").first()
    return found.user if found else None


def used(fingerprint: str) -> None:
    """Remember that somebody came with it."""
    PublicKey.objects.filter(fingerprint=fingerprint).update(used_at=timezone.now())


def _fingerprint(kind: str, body: str) -> str:
    try:
        key = load_ssh_public_key(f"{kind} {body}".encode())
        raw = b64decode(body, validate=True)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Refusal("PUBLIC_KEY_ILLEGAL", "line", kinds=", ".join(KINDS)) from error
    weak = isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS
    if kind not in KINDS or weak:
        raise Refusal("PUBLIC_KEY_ILLEGAL", "line", kinds=", ".join(KINDS))
    return f"SHA256:{b64encode(hashlib.sha256(raw).digest()).decode().rstrip('=')}"
