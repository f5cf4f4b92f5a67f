"""Rows of a plain list: what a search means, a page at a time."""

from typing import Any, Final

from django.http import HttpRequest
from django.utils.http import urlencode

from vms import messages
from vms.domain.errors import Refusal
from vms.domain.search import parse
from vms.search.find import find
from vms.search.languages import LANGUAGES
from vms.search.paging import Page, Sorting

from .kinds import user_of

PAGE: Final = 50


def searched(
    request: HttpRequest, rows: Any, model: type[Any], columns: tuple[str, ...], *, descending: bool = False
) -> dict[str, Any]:
    """The page that was asked for, why a search means nothing, and what the pages beside it are asked by."""
    query = request.GET.get("q", "").replace("\0", "").strip()
    language, refusal = LANGUAGES[model], ""
    sorting = Sorting(model, columns, descending=descending)
    try:
        search = parse(query)
        found = find(rows, language, search, by=user_of(request))
        if by := language.columns(search):
            sorting = Sorting(model, by, descending=bool(search.order and search.order.descending))
        page = sorting.page(found, request.GET.get("after", ""), request.GET.get("before", ""), PAGE)
    except Refusal as no:
        refusal = messages.refusal(no)
        page = Page([], "", "") if no.code != "LIST_PLACE_GONE" else sorting.page(rows, "", "", PAGE)
    asked = {"q": query} if query else {}
    return {
        "page": page,
        "query": query,
        "refusal": refusal,
        "previous": urlencode({**asked, "before": page.previous}) if page.previous else "",
        "following": urlencode({**asked, "after": page.following}) if page.following else "",
    }
