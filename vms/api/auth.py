"""Who is asking: a token from the SSO, a user name and password, a session of oVirt's kind, or that of a browser."""

import hmac
import re
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth import authenticate
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from vms.actions import logins
from vms.models import Token, User

CHALLENGE: Final = 'Basic realm="RESTAPI"'
# oVirt's name for the people that it keeps itself; all of ours are.
PROFILE: Final = "@internal"


def person(username: str, password: str) -> User | None:
    """The user with this name, oVirt's profile after it or not, and this password."""
    if "\0" in username or "\0" in password:
        return None
    user = authenticate(username=username.removesuffix(PROFILE), password=password)
    return user if isinstance(user, User) else None


class Bearer(BaseAuthentication):
    """A token that the SSO gave."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = Token.objects.valid(text.strip())
        if token is None:
            raise AuthenticationFailed("The token is unknown or has expired.")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class Basic(BasicAuthentication):
    """A user name and password with every request."""

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> tuple[User, None]:
        user = person(userid, password)
        if user is None:
            raise AuthenticationFailed("User name or password is wrong.")
        return user, None


SESSION: Final = "JSESSIONID"  # the name of the cookie, and of the header that guards it
IDLE: Final = timedelta(minutes=30)  # unless `Session-TTL` says otherwise (oVirt: UserSessionTimeOutInterval)
PATH: Final = "/ovirt-engine/api"


class Persistent(BaseAuthentication):
    """A session that an earlier request has begun with `Prefer: persistent-auth`.

    Other sites can make a browser send the cookie, but not this header.
    """

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        secret = request.COOKIES.get(SESSION, "")
        if not secret or "persistent-auth" not in preferences(request):
            return None
        token = Token.objects.valid(secret)
        if token is None:
            return None
        if token.guarded and not hmac.compare_digest(request.headers.get(SESSION, "").encode(), secret.encode()):
            raise PermissionDenied(f"The header {SESSION} has to repeat the cookie.")
        logins.keep(token)
        return token.user, token


def preferences(request: Any) -> set[str]:
    """What a client prefers, of which oVirt knows `persistent-auth`, `csrf-protection` and `new-auth`."""
    return {each.strip().lower() for each in request.headers.get("Prefer", "").split(",")}


def remember(request: Any, response: Any) -> None:
    """Begin a session for somebody who has shown credentials and wants one, and end one that is wanted no more."""
    user, scheme = request.user, request.headers.get("Authorization", "")
    if not user.is_authenticated or not scheme:
        return
    wished, there = preferences(request), request.COOKIES.get(SESSION, "")
    before = Token.objects.valid(there) if there else None
    mine = before is not None and before.user_id == user.pk
    if "persistent-auth" in wished:
        if mine and "new-auth" not in wished:
            return
        minutes = re.fullmatch(r"[0-9]{1,4}", request.headers.get("Session-TTL", "").strip())
        idle = timedelta(minutes=int(minutes[0])) if minutes and int(minutes[0]) else IDLE
        secret, _token = logins.log_in(user, idle=idle, guarded="csrf-protection" in wished)
        response.set_cookie(SESSION, secret, path=PATH, httponly=True, samesite="Strict", secure=request.is_secure())
    elif mine:
        logins.log_out(there)
        response.delete_cookie(SESSION, path=PATH, samesite="Strict")


# A browser sends its cookie with requests that other sites make too, so these need the CSRF token.
AUTHENTICATION: Final = (Bearer, Basic, Persistent, SessionAuthentication)
