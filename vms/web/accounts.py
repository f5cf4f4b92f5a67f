"""Coming in: the log-in, the address that everybody begins at, and the one that asks whether all is well."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages as toasts
from django.contrib.auth.views import LoginView
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views import csrf, defaults
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from vms.actions import keys
from vms.forms.keys import KeyForm
from vms.models import PublicKey
from vms.routes import Access, route
from vms.search.visible import is_administrator
from vms.wire.client import EngineClient

from .kinds import user_of
from .pages import PORTAL, here, htmx_of, refusals_on


class _LogIn(LoginView):
    redirect_authenticated_user = True

    def get_default_redirect_url(self) -> str:
        return _begin(self.request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # A session that ends under an open page: htmx has followed the redirect and would put the form into a row.
        if htmx_of(request):
            back = urlencode({"next": here(request) or "/"})
            return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{back}")
        return super().dispatch(request, *args, **kwargs)


log_in = route(Access.PUBLIC)(_LogIn.as_view())


def _begin(request: HttpRequest) -> str:
    """Where everybody begins: administrators on the dashboard, all others in UserPortal."""
    return reverse("home" if is_administrator(request.user) else f"{PORTAL}:vm_list")


@route(Access.USER)
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """One's own account: the keys that open serial consoles over SSH."""
    form = KeyForm(request.POST or None)
    if form.is_valid():
        with refusals_on(form):
            keys.add(form.cleaned_data["line"], by=user_of(request))
            toasts.success(request, _("The key was added."))
            return redirect("account")
    context = {
        "form": form,
        "keys": PublicKey.objects.filter(user=user_of(request)),
        "port": settings.SSH_PORT,
        "host": request.get_host().partition(":")[0],
    }
    return render(request, "account.html", context, status=422 if form.is_bound else 200)


@route(Access.USER)
@require_POST
def remove_key(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Forget a key of one's own."""
    keys.remove(get_object_or_404(PublicKey, pk=pk, user=user_of(request)), by=user_of(request))
    toasts.success(request, _("The key was removed."))
    return redirect("account")


@route(Access.PUBLIC)
def healthz(request: HttpRequest) -> JsonResponse:
    """Whether pages can be served: 503 while the database does not answer; the engine's state is told besides."""
    engine = "running" if EngineClient(settings.RUN_DIR).alive() else "not running"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "database does not answer", "engine": engine}, status=503)
    return JsonResponse({"status": "ok", "engine": engine})


# An open page that has lost its right, its object or its session is loaded anew by htmx, and so says why.


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponseClientRefresh() if htmx_of(request) else defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponseClientRefresh() if htmx_of(request) else defaults.page_not_found(request, exception)


def stale_token(request: HttpRequest, reason: str = "") -> HttpResponse:
    return HttpResponseClientRefresh() if htmx_of(request) else csrf.csrf_failure(request, reason)
