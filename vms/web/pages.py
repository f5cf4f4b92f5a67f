"""Pages, fragments and replies: the only code that knows htmx."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from typing import Any, Final, Protocol, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages as toasts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect, reswap, retarget, trigger_client_event
from django_htmx.middleware import HtmxDetails

from vms import messages
from vms.domain.errors import Kind, Refusal
from vms.routes import administers
from vms.wire.client import EngineClient

PRODUCT: Final = "Headless WebAdmin"
PORTAL: Final = "portal"  # the namespace of UserPortal's addresses

# Seconds after which an open page asks again: while something is under way, and otherwise.
BUSY, IDLE = 1, 3

STATUS: Final[dict[Kind, int]] = {
    Kind.INVALID: 422,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.CONFLICT: 409,
    Kind.UNAVAILABLE: 503,
}


class _Refusing(Protocol):
    def refuse(self, no: Refusal) -> None: ...


def page(request: HttpRequest, template: str, fragment: str, context: Mapping[str, Any]) -> HttpResponse:
    """The whole page for browsers, its fragment for htmx; status 422 when its form was refused."""
    form = context.get("form")
    refused = form is not None and form.is_bound and form.errors
    htmx = htmx_of(request)
    part = htmx and not htmx.history_restore_request
    answer = render(request, fragment if part else template, context, status=422 if refused else 200)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


def live(request: HttpRequest, template: str, fragment: str, context: Mapping[str, Any], *, busy: bool) -> HttpResponse:
    """A page whose fragment keeps itself up to date: asked with the mark of what is shown, 204 while that is true."""
    inner = render_to_string(fragment, dict(context), request)
    mark = marked(inner)
    if htmx_of(request) and request.GET.get("seen") == mark:
        return HttpResponse(status=204)
    asked = urlencode([(key, value) for key, value in request.GET.items() if key != "seen"])
    told = {**context, "inner": inner, "mark": mark, "asked": asked, "every": BUSY if busy else IDLE}
    return page(request, template, "elements/live.html", told)


def ask(request: HttpRequest, template: str, fragment: str, context: Mapping[str, Any]) -> HttpResponse:
    """What was asked for takes a word more: the page that asks back, which htmx shows as a dialog."""
    answer = page(request, template, fragment, context)
    return reswap(retarget(answer, "#dialog"), "innerHTML") if htmx_of(request) else answer


def address(request: HttpRequest, name: str, *args: Any) -> str:
    """The address of a page in the portal that was asked: WebAdmin and UserPortal give their pages the same names."""
    return reverse(f"{PORTAL}:{name}" if in_portal(request) else name, args=args)


def in_portal(request: HttpRequest) -> bool:
    """Whether UserPortal was asked."""
    return request.resolver_match is not None and request.resolver_match.namespace == PORTAL


def htmx_of(request: HttpRequest) -> HtmxDetails:
    """What htmx told with a request; false for one that htmx did not make."""
    details: HtmxDetails = cast(Any, request).htmx
    return details


def here(request: HttpRequest) -> str:
    """The address on this site that htmx says its page is at; empty for another site or for nonsense."""
    try:
        return htmx_of(request).current_url_abs_path or ""
    except ValueError:  # no address at all: only somebody hostile sends that
        return ""


def marked(text: str) -> str:
    """A short mark that differs when the text does."""
    return blake2b(text.encode(), digest_size=4).hexdigest()


def reply(request: HttpRequest, message: str, to: str, *, stay: bool = False) -> HttpResponse:
    """It is done: tell so and go to the page `to`. With `stay`, or when it is the page beneath the dialog already,
    htmx keeps that page and has it look anew."""
    toasts.success(request, message)
    if not htmx_of(request):
        return redirect(to)
    beneath = here(request).partition("?")[0]
    if beneath == to or (stay and beneath != request.path):
        return trigger_client_event(render(request, "elements/toasts.html", {"swap": True}), "saved")
    return HttpResponseClientRedirect(to)


def complain(request: HttpRequest, no: Refusal, to: str) -> HttpResponse:
    """It was refused outside any form: tell why, on the page where it was asked for."""
    toasts.error(request, messages.refusal(no))
    if not htmx_of(request):
        return redirect(to)
    answer = render(request, "elements/toasts.html", {"swap": True}, status=STATUS[no.kind])
    return trigger_client_event(answer, "saved")


@contextmanager
def refusals_on(form: _Refusing) -> Iterator[None]:
    """Whatever is refused inside becomes an error of the form."""
    try:
        yield
    except Refusal as no:
        form.refuse(no)


def shell(request: HttpRequest) -> dict[str, Any]:
    """What every page needs for its frame; asked only where a template does."""

    @cache
    def engine_alive() -> bool:
        return EngineClient(settings.RUN_DIR).alive()

    @cache
    def administrator() -> bool:
        return administers(request)

    return {
        "product": PRODUCT,
        "engine_alive": engine_alive,
        "administrator": administrator,
        "in_portal": in_portal(request),
        "plays_only": settings.HYPERVISOR == "memory",
    }
