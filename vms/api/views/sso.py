"""oVirt's single sign-on, as far as programs use it: a token for a password, and its end."""

from typing import Final

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from vms.actions import logins
from vms.api.auth import person
from vms.routes import Access, route

SCOPE: Final = "ovirt-app-api"


@route(Access.CLIENT)
@csrf_exempt  # no cookie is looked at: the password or the token is in the body
@require_POST
def token(request: HttpRequest) -> JsonResponse:
    """A token for a user name and password (oVirt answers 400 to a wrong one, and clients read the body alone)."""
    scope = request.POST.get("scope", "")
    if request.POST.get("grant_type") != "password":
        return _no("unsupported_grant_type", "The grant type is not supported; use password.", scope)
    if SCOPE not in scope.split():
        return _no("invalid_scope", f"The scope {SCOPE} is needed.", scope)
    name, password = request.POST.get("username", ""), request.POST.get("password", "")
    if not name or not password:
        return _no("invalid_request", "User name and password are needed.", scope)
    user = person(name, password)
    if user is None:
        return _no("access_denied", "Cannot authenticate the user: the name or the password is wrong.", scope)
    secret, made = logins.log_in(user)
    expires = str(int(made.expires_at.timestamp() * 1000))
    return _said({"access_token": secret, "exp": expires, "scope": scope, "token_type": "bearer"})


@route(Access.CLIENT)
@csrf_exempt
@require_POST
def log_out(request: HttpRequest) -> JsonResponse:
    """End a token; one that is unknown has ended before."""
    logins.log_out(request.POST.get("token", ""))
    return _said({})


@route(Access.CLIENT)
@csrf_exempt
def no_kerberos(request: HttpRequest) -> JsonResponse:
    """oVirt's way in with Kerberos, which there is not."""
    answer = _no("access_denied", "Kerberos is not offered; use a password.", SCOPE)
    answer.status_code = 401
    return answer


def _no(code: str, text: str, scope: str) -> JsonResponse:
    words = ("error_code", "error") if SCOPE in scope.split() else ("error", "error_description")
    answer = _said(dict(zip(words, (code, text), strict=True)))
    answer.status_code = 400
    return answer


def _said(told: dict[str, str]) -> JsonResponse:
    answer = JsonResponse(told)
    answer["Cache-Control"] = "no-store"
    return answer
