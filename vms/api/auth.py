"""Who is asking: a Bearer token from the SSO, a user name and password, or the session of a browser."""

from typing import Any, Final

from django.contrib.auth import authenticate
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

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


# A browser sends its cookie with requests that other sites make too, so these need the CSRF token.
AUTHENTICATION: Final = (Bearer, Basic, SessionAuthentication)
