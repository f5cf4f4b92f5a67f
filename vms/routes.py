"""Which address needs what: every view says so, and one that says nothing is refused."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Final, TypeVar

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.urls import URLPattern, URLResolver, get_resolver

from vms.actions._audit import coming_from
from vms.search.visible import is_administrator

View = TypeVar("View", bound=Callable[..., Any])


class Access(StrEnum):
    """Who may call a view at all; what they may do there is decided by the action."""

    PUBLIC = "public"
    USER = "user"
    ADMINISTRATOR = "administrator"
    CLIENT = "client"  # a program that brings its credentials: the view answers 401 itself and redirects nobody


_MARK: Final = "route_access"
_KNOWN: Final = "known_to_administer"

# Views that are not ours and so cannot carry the mark: the rest of the path decides nothing, the module does.
_FOREIGN: Final[dict[str, Access]] = {
    "django.contrib.admin": Access.PUBLIC,  # asks for its own log-in, and for is_staff behind it
    "django.contrib.auth.admin": Access.PUBLIC,  # the same: changing a password in Django admin
    "django.contrib.auth.views": Access.PUBLIC,
    "django.views.i18n": Access.PUBLIC,
}


def route(access: Access) -> Callable[[View], View]:
    """Declare who may call a view."""

    def declare(view: View) -> View:
        setattr(view, _MARK, access)
        return view

    return declare


def access_of(view: Callable[..., Any]) -> Access | None:
    """What a view has declared; None when it has not."""
    declared = getattr(view, _MARK, None)
    if declared is not None:
        return Access(declared)
    if hasattr(view, "model_admin"):  # of ours, wrapped by the admin site
        return _FOREIGN["django.contrib.admin"]
    owner = getattr(view, "admin_site", None) or getattr(view, "view_class", None) or view
    module = getattr(owner, "__module__", "")
    for prefix, access in _FOREIGN.items():
        if module == prefix or module.startswith(f"{prefix}."):
            return access
    return None


def routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every address with its view, from the URL configuration."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path, pattern.callback


def administers(request: HttpRequest) -> bool:
    """Whether whoever asks is an administrator; looked up once for a request, however often pages ask."""
    known: Any = request
    if not hasattr(known, _KNOWN):
        setattr(known, _KNOWN, is_administrator(request.user))
    return bool(getattr(known, _KNOWN))


class DefaultDenyMiddleware:
    """Refuses views that declare nothing, sends strangers to the log-in, and others away."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        access = access_of(view)
        if access in {Access.PUBLIC, Access.CLIENT}:
            return None
        if access is None:
            return HttpResponseForbidden("No route: this view declares no access.", content_type="text/plain")
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if access == Access.ADMINISTRATOR and not administers(request):
            raise PermissionDenied
        return None


class OriginMiddleware:
    """Everything that a request causes is recorded with the client's address and one correlation id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        wished = request.headers.get("Correlation-Id", "")
        with coming_from(request.META.get("REMOTE_ADDR") or None, wished if wished.isprintable() else ""):
            return self._get_response(request)
