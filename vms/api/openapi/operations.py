"""What can be asked of each address: made of its view, the words of its path and the promises of its methods."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vms.api.mapping.entity import Entity
from vms.api.mapping.fields import Schema

from .schemas import of_fields, reference

View = Any  # a function, with its class and what that was made special by
Routes = tuple[tuple[str, View], ...]

METHODS: Final = ("get", "post", "put", "delete")
LANGUAGES: Final = ("application/xml", "application/json")

_FLAG: Final[Schema] = {"type": "string", "enum": ["true", "false"]}
# Parameters that every GET hears, that collections hear besides, and that searched ones do.
_TELLING: Final[Mapping[str, tuple[Schema, str]]] = {
    "follow": ({"type": "string"}, "Links and references to tell in place, with commas between, steps with dots."),
    "filter": (_FLAG, "Only what the user holds rights on; false is for administrators."),
    "all_content": (_FLAG, "Understood; everything is told without it, too."),
    "next_run": (_FLAG, "What a restart brings, in place of what runs."),
    "current": (_FLAG, "What runs, in place of what is configured: consoles, the CD drive."),
    "detail": ({"type": "string"}, "current_graphics_consoles or statistics: told in place."),
}
_LISTING: Final[Mapping[str, tuple[Schema, str]]] = {
    "max": ({"type": "integer"}, "How many at most; the size of a page where search asks for one."),
}
_SEARCHING: Final[Mapping[str, tuple[Schema, str]]] = {
    "search": ({"type": "string"}, "oVirt's search language: name = web* and status = up sortby name page 2."),
    "case_sensitive": (_FLAG, "Whether the case of texts counts in a search."),
}
_HEADERS: Final[Mapping[str, str]] = {
    "Correlation-Id": "A word by which events and jobs of this request are found; answered in the same header.",
    "Accept-Language": "The language of sentences: en, de or es.",
}
_GUARD: Final = ("If-Match", "The ETag that was seen; 412 where somebody else has changed it meanwhile.")

_REFUSALS: Final[dict[int, str]] = {
    400: "A value that cannot be, a missing one, or a body that cannot be read.",
    401: "No or wrong credentials.",
    403: "A right is missing.",
    404: "Not there, or not for you.",
    406: "No language that is spoken here.",
    409: "Not now: a state, a used name, something in the way.",
    412: "Changed by somebody else since If-Match.",
    413: "The body is over 1 MiB.",
    415: "A body in no language that is spoken here.",
    503: "The engine or the host does not answer.",
}
_REFUSED: Final[dict[str, tuple[int, ...]]] = {
    "get": (400, 401, 403, 404, 406),
    "post": (400, 401, 403, 404, 406, 409, 413, 415),
    "put": (400, 401, 403, 404, 406, 409, 412, 413, 415),
    "delete": (400, 401, 403, 404, 406, 409, 412),
}


def paths(routes: Routes) -> dict[str, Any]:
    """All addresses with their operations."""
    told: dict[str, Any] = {}
    for path, view in routes:
        there = {method: operation(path, view, method) for method in METHODS if hasattr(view.cls, method)}
        told.setdefault(f"/{path}", {"parameters": list(_path_parameters(path))} if "{" in path else {}).update(there)
    return told


def entity_of(view: View) -> Entity | None:
    """The type that an address is about; None for actions and the root."""
    told: dict[str, Any] = view.initkwargs
    about = told.get("deeper") or told.get("link") or told.get("resource")
    entity: Entity | None = about.entity if about else told.get("entity")
    return entity


def is_one(path: str) -> bool:
    """Whether an address names a single thing: its last word is an id, or the address of the root tag."""
    last = path.rpartition("/")[2]
    return last.startswith("{") or "-" in last


def operation(path: str, view: View, method: str) -> dict[str, Any]:
    """One method of one address."""
    door: Any = view.cls
    words = [word.strip("{}") for word in path.split("/") if word]
    told: dict[str, Any] = {
        "operationId": "_".join([method, *words]) if words else "get_api",
        "tags": [words[0] if words else "api"],
        "summary": _summary(path, view, method),
        "description": (getattr(door, method).__doc__ or door.__doc__ or "").strip(),
        "parameters": list(_parameters(path, view, method)),
        "responses": _answers(path, view, method),
    }
    if method in {"post", "put"}:
        body = _action_body(view) if door.acts else reference(_name(view))
        told["requestBody"] = {"content": _content(body), "required": not door.acts}
    return told


def _summary(path: str, view: View, method: str) -> str:
    if view.cls.acts:
        return _plain(view.cls.__doc__ or "").partition(".")[0]
    entity = entity_of(view)
    if entity is None:
        return "The root"
    one, many = (word.replace("_", " ") for word in (entity.name, entity.plural))
    if method == "get":
        return f"One {one}" if is_one(path) else f"All {many}"
    return {"post": f"Add a {one}", "put": f"Change a {one}", "delete": f"Remove a {one}"}[method]


def _plain(text: str) -> str:
    return " ".join(text.split())


def _name(view: View) -> str:
    entity = entity_of(view)
    return entity.name if entity else "api"


def _action_body(view: View) -> Schema:
    takes = view.cls.takes
    return {"allOf": [reference("action")]} if not takes else {**of_fields(takes), "xml": {"name": "action"}}


def _answers(path: str, view: View, method: str) -> dict[str, Any]:
    door: Any = view.cls
    entity = entity_of(view)
    action = door.acts or method == "delete"
    alone = entity is None or is_one(path) or method == "post"
    body = reference("action" if action else _name(view) if alone or entity is None else entity.plural)
    content = _content(body)
    for media in door.media if method == "get" or door.acts else ():
        content[media] = {"schema": {"type": "string"}}
    told: dict[str, Any] = {
        str(status): {"description": text, "content": content} for status, text in _done(door, method)
    }
    told |= {str(status): {"description": text} for status, text in door.besides.items() if status < 400}
    body_of_a_no = "action" if door.acts else "fault"
    for status in (*_REFUSED[method], *(status for status in door.besides if status >= 400)):
        if status != 404 or "{" in path or method != "get":
            told[str(status)] = {"$ref": f"#/components/responses/{body_of_a_no}_{status}"}
    return told


def refusals() -> dict[str, Any]:
    """How a no is said, by its body and status."""
    return {
        f"{body}_{status}": {"description": text, "content": _content(reference(body))}
        for body in ("fault", "action")
        for status, text in _REFUSALS.items()
    }


def parameters() -> dict[str, Any]:
    """What may stand in a query or a header, by its name."""
    told = {
        name: {"name": name, "in": "query", "schema": schema, "description": text}
        for name, (schema, text) in (*_TELLING.items(), *_LISTING.items(), *_SEARCHING.items())
    }
    for name, text in (*_HEADERS.items(), _GUARD):
        told[name] = {"name": name, "in": "header", "schema": {"type": "string"}, "description": text}
    return told


def _done(door: Any, method: str) -> Iterator[tuple[int, str]]:
    if method == "post" and not door.acts:
        yield 201, "Made; Location is its address."
        yield 202, "The same, where Expect: 202-accepted asks not to wait."
        return
    yield 200, "Done." if method != "get" else "What is there."
    if method == "post":
        yield 202, "Begun; the answer's address tells what becomes of it."


def _content(schema: Schema) -> dict[str, Any]:
    return {media: {"schema": schema} for media in LANGUAGES}


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for word in path.split("/"):
        if word.startswith("{"):
            yield {
                "name": word.strip("{}"),
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
            }


def _parameters(path: str, view: View, method: str) -> Iterator[dict[str, Any]]:
    heard: list[str] = []
    if method == "get" and not view.cls.acts:
        heard += _TELLING
        if not is_one(path) and path:
            heard += _LISTING
            resource = view.initkwargs.get("resource")
            if "/" not in path and getattr(resource, "language", None) is not None:
                heard += _SEARCHING
    heard += _HEADERS
    if method in {"put", "delete"}:
        heard.append(_GUARD[0])
    for name in heard:
        yield {"$ref": f"#/components/parameters/{name}"}
