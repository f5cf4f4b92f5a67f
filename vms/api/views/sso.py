"""oVirt's single sign-on, as far as programs use it: a token for a password, and its end."""

from base64 import b64decode
from typing import Any, Final

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from vms.actions import logins
from vms.api.auth import CHALLENGE, PROFILE, person
from vms.models import Token, User
from vms.routes import Access, route

SCOPE: Final = "ovirt-app-api"


@route(Access.CLIENT)
@csrf_exempt  # no cookie is looked at: the password or the token is in the body
@require_POST
def token(request: HttpRequest) -> JsonResponse:
    """A token for a user name and password (oVirt answers 400 to a wrong one, and clients read the body alone)."""
    told = {**request.GET.dict(), **request.POST.dict()}
    scope = told.get("scope", "")
    if told.get("grant_type") != "password":
        return _no("unsupported_grant_type", "The grant type is not supported; use password.", scope)
    if SCOPE not in scope.split():
        return _no("invalid_scope", f"The scope {SCOPE} is needed.", scope)
    name, password = told.get("username", ""), told.get("password", "")
    if not name or not password:
        return _no("invalid_request", "User name and password are needed.", scope)
    user = person(name, password)
    if user is None:
        return _no("access_denied", "Cannot authenticate the user: the name or the password is wrong.", scope)
    return _granted(user, scope)


@route(Access.CLIENT)
@csrf_exempt
@require_POST
def log_out(request: HttpRequest) -> JsonResponse:
    """End a token; one that is unknown has ended before."""
    logins.log_out(request.POST.get("token", ""))
    return _said({})


@route(Access.CLIENT)
@csrf_exempt  # the header holds the password
def token_by_header(request: HttpRequest) -> JsonResponse:
    """oVirt's way in with what HTTP itself carries: there is no Kerberos, but a name and a password will do."""
    scheme, _space, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _colon, password = b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            name = password = ""
        if user := person(name, password):
            return _granted(user, SCOPE)
    answer = _no("access_denied", "Kerberos is not offered; use a name and a password.", SCOPE)
    answer.status_code, answer["WWW-Authenticate"] = 401, CHALLENGE
    return answer


@route(Access.CLIENT)
@csrf_exempt  # whoever has the token knows what is told of it
@require_POST
def token_info(request: HttpRequest) -> JsonResponse:
    """Whose a token is and until when."""
    found = Token.objects.valid(request.POST.get("token", ""))
    if found is None:
        return _no("invalid_grant", "The token is unknown or has expired.", request.POST.get("scope", SCOPE))
    name = f"{found.user.get_username()}{PROFILE}"
    who = {"user_id": name, "email": found.user.email, "principal_id": str(found.user.pk)}
    return _said({"active": True, "client_id": "ovirt-engine", **_of(found, SCOPE), **who})


@route(Access.PUBLIC)
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """oVirt's word for load balancers, in its own text; 503 while the database does not answer."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("Unable to connect to database!", content_type="text/html", status=503)
    return HttpResponse("DB Up!Welcome to Health Status!", content_type="text/html")


def _granted(user: User, scope: str) -> JsonResponse:
    secret, made = logins.log_in(user)
    return _said({"access_token": secret, **_of(made, scope)})


def _of(token: Token, scope: str) -> dict[str, str]:
    return {"exp": str(int(token.expires_at.timestamp() * 1000)), "scope": scope, "token_type": "bearer"}


def _no(code: str, text: str, scope: str) -> JsonResponse:
    words = ("error_code", "error") if SCOPE in scope.split() else ("error", "error_description")
    answer = _said(dict(zip(words, (code, text), strict=True)))
    answer.status_code = 400
    return answer


def _said(told: dict[str, Any]) -> JsonResponse:
    answer = JsonResponse(told)
    answer["Cache-Control"] = "no-store"
    return answer
