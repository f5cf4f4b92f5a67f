"""Programs that log in and out at the REST door; people's browsers do so through Django."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from vms.models import Token, User

from ._action import action
from ._audit import record


@action
def log_in(user: User, *, idle: timedelta | None = None, guarded: bool = False) -> tuple[str, Token]:
    """A new token for somebody whose password was right: the secret to show, told only now, and what is kept of it.

    With `idle` it ends when it is not used for so long; `guarded` is for a cookie, which others might have sent.
    """
    Token.objects.filter(user=user, expires_at__lt=timezone.now()).delete()
    secret = secrets.token_urlsafe(32)
    token = Token.objects.create(
        digest=Token.digest_of(secret),
        user=user,
        password_mark=user.get_session_auth_hash(),
        expires_at=timezone.now() + (idle or timedelta(seconds=settings.SESSION_COOKIE_AGE)),
        idle=idle.total_seconds() if idle else None,
        guarded=guarded,
    )
    record(user, "USER_VDC_LOGIN", user)
    return secret, token


def keep(token: Token) -> None:
    """Let a token that is used live on, if it is one that idleness ends; written now and then, not with every use."""
    now = timezone.now()
    if token.idle and token.expires_at - now < timedelta(seconds=token.idle) * 0.75:
        Token.objects.filter(pk=token.pk).update(expires_at=now + timedelta(seconds=token.idle))


@action
def log_out(secret: str) -> None:
    """End a token; one that is unknown has ended before."""
    for token in Token.objects.of(secret).select_related("user"):
        token.delete()
        record(token.user, "USER_VDC_LOGOUT", token.user)
