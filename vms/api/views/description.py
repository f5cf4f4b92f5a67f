"""What the door says of itself: the OpenAPI document, and pages to read it on without the network."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, re_path
from django.views.decorators.http import require_safe

from vms.api.openapi import reading
from vms.api.openapi.document import describe
from vms.api.openapi.operations import Routes
from vms.routes import Access, route


def described(routes: Routes) -> Iterator[URLPattern]:
    """The addresses at which the routes are described; nothing there is a secret, so nobody has to log in."""
    whole = cache(lambda: describe(routes))
    yield re_path(r"^ovirt-engine/api(?:/v4)?/openapi\.json$", _document(whole), name="openapi")
    yield re_path(r"^ovirt-engine/apidoc/$", _index(whole), name="apidoc")
    yield re_path(r"^ovirt-engine/apidoc/(?P<tag>[a-z]+)/$", _resource(whole), name="apidoc_resource")


Whole = Callable[[], dict[str, Any]]


def _document(whole: Whole) -> Any:
    @route(Access.PUBLIC)
    @require_safe
    def openapi(request: HttpRequest) -> HttpResponse:
        """The document, for tools."""
        return JsonResponse(whole())

    return openapi


def _index(whole: Whole) -> Any:
    @route(Access.PUBLIC)
    @require_safe
    def apidoc(request: HttpRequest) -> HttpResponse:
        """All resources."""
        return render(request, "apidoc/index.html", {"resources": reading.resources(whole()), "api": whole()["info"]})

    return apidoc


def _resource(whole: Whole) -> Any:
    @route(Access.PUBLIC)
    @require_safe
    def apidoc_resource(request: HttpRequest, tag: str) -> HttpResponse:
        """One resource: what can be asked, and its elements."""
        found = reading.resource(whole(), tag)
        if found is None:
            raise Http404
        return render(request, "apidoc/resource.html", {"resource": found})

    return apidoc_resource
