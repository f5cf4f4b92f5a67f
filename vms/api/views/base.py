"""What every view of the door does alike: who asks and how, what a body must be, how a no is said."""

import logging
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Final, TypeVar, cast
from uuid import uuid4

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from vms.actions._audit import coming_from
from vms.api.auth import AUTHENTICATION, CHALLENGE, remember
from vms.api.document import Document, Tree
from vms.api.faults import Fault, invalid, missing, not_found, of
from vms.api.mapping import follow
from vms.api.mapping.draft import Draft, read, refuse
from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import Field, Follow, Ref, Telling, read_id
from vms.api.mapping.registry import COLLECTIONS
from vms.api.parsers import JsonParser, TextXmlParser, XmlParser
from vms.api.renderers import JsonRenderer, XmlRenderer
from vms.domain.errors import Refusal
from vms.models import Job, User
from vms.routes import Access, route
from vms.search.visible import is_administrator

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Model)

BASE: Final = "/ovirt-engine/api"
_VERSIONED: Final = f"{BASE}/v4"

# What `detail` asks for, by the link whose contents it wants in place.
_DETAILS: Final = {"current_graphics_consoles": "graphicsconsoles", "statistics": "statistics"}
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", ""})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0"})


class Door(APIView):
    """A view of the REST door; one that `acts` says no with an action that has failed.

    For the OpenAPI document: what an action `takes` and `gives` beside what all do, which answers there are `besides`
    those of its methods (status → when), and in which `media` a GET or an action answers beside XML and JSON.
    """

    authentication_classes = AUTHENTICATION
    permission_classes = (IsAuthenticated,)
    parser_classes = (XmlParser, TextXmlParser, JsonParser)
    renderer_classes = (XmlRenderer, JsonRenderer)
    acts: ClassVar[bool] = False
    takes: ClassVar[tuple[Field, ...]] = ()
    gives: ClassVar[tuple[Field, ...]] = ()
    besides: ClassVar[Mapping[int, str]] = {}
    media: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def routed(cls, **settings: Any) -> Callable[..., Any]:
        """The view for the URL configuration, declared as one that asks for credentials itself."""
        return route(Access.CLIENT)(cls.as_view(**settings))

    # -- around the request

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        wished = request.GET.get("correlation_id") or request.headers.get("Correlation-Id", "")
        correlation = re.sub(r"[^0-9A-Za-z_-]", "", wished)[:36] or str(uuid4())
        with coming_from(request.META.get("REMOTE_ADDR") or None, correlation):
            response = super().dispatch(request, *args, **kwargs)
            if response.status_code < 400:
                remember(self.request, response)
        response["Correlation-Id"] = correlation
        return response

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.headers.get("Version", "4").strip() != "4":
            raise Fault(400, "Operation Failed", "[Version 4 of the API is served here.]")
        if self.request.method in {"GET", "HEAD"} and not self.flag("filter", default=True):
            # What everybody has is for administrators; oVirt's portal asks so whether somebody is one.
            self.require_administrator()
        if any("\0" in text for text in self._parameters.values()):
            raise Fault(400, "Operation Failed", "[A parameter holds the character NUL.]")

    def handle_exception(self, exc: Exception) -> Response:
        fault = of(exc)
        if fault is None:
            logger.error("%s %s failed", self.request.method, self.request.path, exc_info=exc)
            fault = Fault(500, "Internal Server Error", "[The server failed; its log tells why.]")
        headers = {}
        if isinstance(exc, NotAuthenticated | AuthenticationFailed):
            fault.status, headers = 401, {"WWW-Authenticate": CHALLENGE}
        response = Response(fault.document(action=self.acts), fault.status, headers=headers)
        response.exception = True
        return response

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are."""
        return Response(headers={"Allow": ", ".join(self.allowed_methods)})

    def require_administrator(self) -> None:
        """Refuse somebody without an administrative role."""
        if not is_administrator(self.user):
            raise Fault(403, "Operation Failed", "[Only administrators see this without a filter.]")

    # -- what was asked

    def expects(self, word: str) -> bool:
        """Whether the client insists on an answer of a kind: `201-created` when all is done, or `202-accepted`."""
        said = (self.request.headers.get(name, "") for name in ("Expect", "X-Ovirt-Expect"))
        return any(word in each.lower() for each in said)

    def expected_version(self) -> int | None:
        """The version of the row that the client has seen (`If-Match`); None where it does not say."""
        said = self.request.headers.get("If-Match", "").strip()
        if said in {"", "*"}:
            return None
        found = re.fullmatch(r'(?:W/)?"([0-9]{1,9})"', said)
        return int(found[1]) if found else 0

    @property
    def user(self) -> User:
        return cast(User, self.request.user)

    @cached_property
    def _parameters(self) -> dict[str, str]:
        """Query before matrix (`/vms;max=5`) before header, as oVirt looks them up."""
        headers = {
            name: value
            for name, header in (("filter", "Filter"), ("all_content", "All-Content"))
            if (value := self.request.headers.get(header)) is not None
        }
        last = self.request.path.rpartition("/")[2]
        matrix = dict(part.partition("=")[::2] for part in last.split(";")[1:])
        return headers | matrix | self.request.GET.dict()

    def text(self, name: str) -> str:
        """A parameter; an empty one is as good as none."""
        return self._parameters.get(name, "").strip()

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes or no; one that is there without a value is a yes, and what is neither is not heard."""
        if name not in self._parameters:
            return default
        word = self.text(name).lower()
        return True if word in _TRUE else False if word in _FALSE else default

    def number(self, name: str) -> int | None:
        """A whole number; what is none is not heard."""
        found = re.fullmatch(r"-?[0-9]{1,9}", self.text(name))
        return int(found[0]) if found else None

    @cached_property
    def telling(self) -> Telling:
        path = self.request.path
        details = {detail.strip() for detail in self.text("detail").split(",")}
        current = "current_graphics_consoles" in details
        embedded: Follow = {link: {} for detail, link in _DETAILS.items() if detail in details}
        return Telling(
            base=_VERSIONED if path == _VERSIONED or path.startswith(f"{_VERSIONED}/") else BASE,
            site=self.request.build_absolute_uri("/").rstrip("/"),
            user=self.user,
            filtered=self.flag("filter", default=False) or not is_administrator(self.user),
            next_run=self.flag("next_run"),
            current=current or self.flag("current"),
            follow={**embedded, **follow.parse(self.text("follow"))},
        )

    def draft(self, entity: Entity) -> Draft:
        """What the body asks for, by a type's table."""
        tree = self.body(entity.name)
        refuse(entity.not_offered, tree)
        return read(entity.fields, tree, filtered=self.telling.filtered)

    def element(self, tree: Tree, name: str) -> Tree:
        """An element inside another one; an empty one where there is none."""
        node = tree.get(name) or {}
        if not isinstance(node, Mapping):
            raise invalid(name, node, "an element")
        return node

    def body(self, root: str) -> Tree:
        """The body, which XML must call by this name; none is an empty one."""
        data: Any = self.request.data
        if not isinstance(data, Document):
            return {}
        if data.root not in ("", root):
            raise Fault(400, "Request syntactically incorrect", f"[<{data.root[:40]}> is not <{root}>.]")
        return data.tree

    # -- rows

    def row(self, rows: QuerySet[Row], key: str) -> Row:
        """The row with an id of the path; one that the user may not see is not there."""
        try:
            found = rows.filter(pk=read_id(key, "id")).first()
        except Fault as fault:
            raise not_found() from fault
        if found is None:
            raise not_found()
        return found

    def require_same(self, name: str, there: Any, wanted: Any) -> None:
        """Refuse to change what stays as it was made; None wants nothing."""
        if wanted not in (None, there):
            raise Refusal("ILLEGAL_VALUE", name, value=str(wanted)[:80], allowed=str(there))

    def named(self, collection: str, ref: Ref, what: str) -> Any:
        """The row of a collection that a body names by id or name, among those that its sender may see; a name that
        several have is the oldest's."""
        entity = COLLECTIONS[collection]
        assert entity.rows is not None
        rows = entity.rows(self.user)
        row = (rows.filter(pk=ref.id) if ref.id else entity.called(rows, ref.name)).first()
        if row is None:
            shown = f"{what}: {'id=' if ref.id else 'name='}{str(ref.id or ref.name)[:80]}"
            raise Fault(400, "Operation Failed", f"[Entity not found: {shown}]")
        return row

    def required(self, value: Any, kind: str, *fields: str) -> Any:
        """The value, without which nothing can be made."""
        if value in (None, ""):
            raise missing(kind, *fields)
        return value


def job_reference(job: Job, telling: Telling) -> Tree:
    """A job by its address."""
    return {"href": f"{telling.base}/jobs/{job.pk}", "id": str(job.pk)}


def done(job: Job | None = None, telling: Telling | None = None, **told: Any) -> Response:
    """An action or a removal that is done, with the job that carries it out."""
    tree: dict[str, Any] = dict(told)
    if job is not None and telling is not None:
        tree["job"] = job_reference(job, telling)
    return Response(Document("action", {**tree, "status": "complete"}))
