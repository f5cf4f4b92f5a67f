"""What helps with lists: completions of a search, chosen columns, bookmarks and tags."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from vms import messages
from vms.actions import bookmarks as keeping
from vms.actions import preferences
from vms.actions import tags as tagging
from vms.domain.errors import Refusal
from vms.domain.search import complete, parse, quoted, valued
from vms.models import Bookmark, Cluster, Host, InstanceType, Pool, Tag, Template, User
from vms.routes import Access, route
from vms.search.languages import LANGUAGES
from vms.search.visible import visible

from . import columns
from .kinds import KINDS, Kind, user_of
from .pages import STATUS, page, reply

OFFERED = 12
# Fields whose values are the names of rows.
_NAMED: dict[str, Any] = {
    "cluster": Cluster,
    "host": Host,
    "on_host": Host,
    "pool": Pool,
    "template": Template,
    "instance_type": InstanceType,
}


def kind_of(name: str) -> Kind:
    """The kind of machine that an address names."""
    found = next((kind for kind in KINDS if kind.name == name), None)
    if found is None:
        raise Http404
    return found


@route(Access.ADMINISTRATOR)
@require_GET
def suggest(request: HttpRequest, name: str) -> JsonResponse:
    """What may come next in a search: texts, each with the place from where on it replaces what is there."""
    language = LANGUAGES[kind_of(name).model]
    text = request.GET.get("q", "").replace("\0", "")
    cursor = request.GET.get("cursor", "")
    at = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 6 else len(text)
    offered = [(each.text, each.start) for each in complete(text, at, language.fields, language.orders)]
    if being := valued(text, at):
        start = min(at, len(text)) - len(being[1])
        start -= text[max(0, start - 1) : start] == '"'
        offered += [(quoted(value), start) for value in _values(request, *being)]
    return JsonResponse({"offered": [{"text": told, "start": start} for told, start in offered[:OFFERED]]})


def _values(request: HttpRequest, field: str, begun: str) -> list[str]:
    if field == "tag":
        rows = Tag.objects.all()
    elif field in _NAMED:
        rows = visible(_NAMED[field], user_of(request))
    else:
        return []
    found = rows.filter(name__istartswith=begun).order_by("name").values_list("name", flat=True)
    return list(dict.fromkeys(found[:OFFERED]))


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def choose_columns(request: HttpRequest, name: str) -> HttpResponse:
    """Choose which columns a list has and how narrow its rows are; for whoever asks, in every browser."""
    kind = kind_of(name)
    given = request.POST if request.method == "POST" else request.GET
    safe = url_has_allowed_host_and_scheme(given.get("next", ""), allowed_hosts=None)
    back = given["next"] if safe else kind.at(request)["list"]
    if request.method == "POST":
        _keep_columns(kind, request.POST, user_of(request))
        return redirect(back)
    shown = dict(columns.chosen(kind, user_of(request)))
    choices = [(key, label, key in shown, key in columns.FIXED) for key, label in kind.columns]
    context = {"kind": kind, "choices": choices, "compact": columns.compact(user_of(request)), "back": back}
    return page(request, "vms/columns.html", "vms/_columns.html", context)


def _keep_columns(kind: Kind, given: Any, user: User) -> None:
    wanted = [key for key, _label in kind.columns if key in given.getlist("column") or key in columns.FIXED]
    kept = user.preferences.get("columns")
    others = {key: value for key, value in (kept if isinstance(kept, dict) else {}).items() if key != kind.name}
    reset = bool(given.get("reset"))
    preferences.choose("columns", others if reset else {**others, kind.name: wanted}, by=user)
    density = "roomy" if given.get("density") == "roomy" and not reset else None
    preferences.choose("density", density, by=user)


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def bookmarks(request: HttpRequest) -> HttpResponse:
    """The searches that are kept; one more, or one less."""
    by, refusal = user_of(request), None
    if request.method == "POST":
        try:
            if request.POST.get("remove"):
                keeping.remove(_row(Bookmark, request.POST["remove"]), by=by)
                done = _("The bookmark was removed.")
            else:
                value = request.POST.get("value", "")
                parse(value)
                made = keeping.create(request.POST.get("name", ""), value, by=by)
                done = _("%(name)s was kept.") % {"name": made}
            return reply(request, done, reverse("bookmarks"))
        except Refusal as no:
            refusal = no
    context = {
        "bookmarks": [(each, _address(request, each.value)) for each in Bookmark.objects.all()],
        "name": request.POST.get("name", ""),
        "value": request.POST.get("value", request.GET.get("value", "")),
        "refusal": messages.refusal(refusal) if refusal else "",
        "back": reverse("vm_list"),
    }
    answer = page(request, "lists/bookmarks.html", "lists/_bookmarks.html", context)
    answer.status_code = STATUS[refusal.kind] if refusal else 200
    return answer


@route(Access.ADMINISTRATOR)
@require_http_methods(["GET", "POST"])
def tags(request: HttpRequest) -> HttpResponse:
    """The tags as the tree that they are; one more, or one less."""
    by, refusal = user_of(request), None
    if request.method == "POST":
        try:
            if request.POST.get("remove"):
                tagging.remove(_row(Tag, request.POST["remove"]), by=by)
                done = _("The tag was removed.")
            else:
                parent = _row(Tag, request.POST["parent"]) if request.POST.get("parent") else None
                given = {name: request.POST.get(name, "") for name in ("name", "description")}
                made = tagging.create(**given, parent=parent, by=by)
                done = _("%(name)s was created.") % {"name": made}
            return reply(request, done, reverse("tags"))
        except Refusal as no:
            refusal = no
    context = {
        "tags": _tree(list(Tag.objects.all())),
        "name": request.POST.get("name", ""),
        "refusal": messages.refusal(refusal) if refusal else "",
    }
    answer = page(request, "lists/tags.html", "lists/_tags.html", context)
    answer.status_code = STATUS[refusal.kind] if refusal else 200
    return answer


def _tree(rows: list[Tag], below: UUID | None = None, depth: int = 0) -> list[dict[str, Any]]:
    """The tags, each behind the one that it is below."""
    found = []
    for tag in rows:
        if tag.parent_id == below:
            search = f"{reverse('vm_list')}?{urlencode({'q': f'tag = {quoted(tag.name)}'})}"
            found.append({"tag": tag, "depth": depth, "indent": "— " * depth, "url": search})
            found += _tree(rows, tag.pk, depth + 1)
    return found


def _row(model: Any, key: str) -> Any:
    try:
        return get_object_or_404(model, pk=UUID(key))
    except ValueError as error:
        raise Http404 from error


def _address(request: HttpRequest, value: str) -> str:
    """The list that a kept search is about."""
    try:
        search = parse(value)
    except Refusal:
        return ""
    about = search.about.rstrip("s")
    kind = next((kind for kind in KINDS if kind.about.lower().rstrip("s") == about), KINDS[0])
    return f"{kind.at(request)['list']}?{urlencode({'q': str(search)})}"
